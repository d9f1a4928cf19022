"""The ROS 2 side: parameters, topics, images to arrays and back, diagnostics and lifecycle."""
