"""Programs that use what the node publishes: to run, to read, and to start from."""
