"""Checks whether a face is worth restoring, and whether restoration kept its identity."""
