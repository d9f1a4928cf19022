"""Whether a face is worth restoring, and whether it is still the same person after it."""
