"""Images: from ROS messages to BGR arrays and back, whatever the encoding."""
