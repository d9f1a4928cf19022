"""Conversion of ROS image messages of any supported encoding to BGR arrays and back."""
