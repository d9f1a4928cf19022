"""The command `cfrnet-param`: parameters of a running node, for systems without `ros2`."""
