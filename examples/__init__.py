"""Example programs that use what the node publishes."""
