"""Detection, tracking, alignment, restoration and blending of faces; independent of ROS."""
