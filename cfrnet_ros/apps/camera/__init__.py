"""The command `cfrnet-camera`: a picture, video or webcam as a ROS topic."""
