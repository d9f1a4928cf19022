"""Environment variables of Fast DDS, which a process must set before it creates a ROS context.

Nothing of ROS is imported, so that tests without it can set them too.
"""

from __future__ import annotations

import os

#: Fast DDS loses most images with its default transports: the images do not fit the shared
#: memory segment, and best effort does not resend. Participants with and without this variable
#: do not see each other, so the processes of the replay and of the node must agree.
LARGE_IMAGES = {'FASTDDS_BUILTIN_TRANSPORTS': 'LARGE_DATA'}


def prepare_environment() -> None:
    """Set what the middleware reads at start, for this process and for those it starts."""
    for name, value in LARGE_IMAGES.items():
        os.environ.setdefault(name, value)
    # With a limited range rmw_fastrtps ignores the variable above, and images get lost.
    for name in ('ROS_AUTOMATIC_DISCOVERY_RANGE', 'ROS_LOCALHOST_ONLY'):
        os.environ.pop(name, None)
