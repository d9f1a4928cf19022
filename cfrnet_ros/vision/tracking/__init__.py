"""Tracking of faces from frame to frame, steady landmarks, and the choice of faces."""
