"""Alignment and restoration of crops: exposure, cycles, time budget, reuse."""
