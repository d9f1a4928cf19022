"""Restoration of aligned crops: cycles, time budget, reuse, self-test."""
