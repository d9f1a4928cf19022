"""The ROS 2 side: parameters, topics, diagnostics and lifecycle. No pixel arithmetic."""
