"""Faces and their five landmarks found in a frame with YuNet."""
