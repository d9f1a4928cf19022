"""Faces followed from frame to frame, their landmarks steadied, and who is chosen."""
