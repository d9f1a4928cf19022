"""The command `cfrnet-restore`: restores the faces in pictures and videos, without ROS."""
