"""Aligned crops, and how they are restored: exposure, cycles, time budget, reuse."""
