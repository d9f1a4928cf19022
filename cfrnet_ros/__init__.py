"""Real-time face restoration for ROS 2: CFRNet applied k times to every face."""
