"""What Fast DDS reads from the environment when a process starts, said once for all of ours.

rclpy is not imported: the variables must be set before it is.
"""

from __future__ import annotations

import os

#: Fast DDS loses most images with its default transports: they do not fit the shared
#: memory segment, and best effort does not resend. Participants with and without this do
#: not see each other, so our process and the node's must agree.
LARGE_IMAGES = {'FASTDDS_BUILTIN_TRANSPORTS': 'LARGE_DATA'}


def prepare_environment() -> None:
    """Set what the middleware reads at start, for us and the processes that we start."""
    for name, value in LARGE_IMAGES.items():
        os.environ.setdefault(name, value)
    # With a limited range rmw_fastrtps ignores the variable above and images get lost.
    for name in ('ROS_AUTOMATIC_DISCOVERY_RANGE', 'ROS_LOCALHOST_ONLY'):
        os.environ.pop(name, None)
