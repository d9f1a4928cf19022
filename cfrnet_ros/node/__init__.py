"""The ROS 2 node: parameters, topics, image conversion, diagnostics and lifecycle."""
