"""Faces and pixels: detection, tracking, alignment, restoration, blending. Nothing of ROS."""
