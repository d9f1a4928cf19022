"""Entry point of `cfrnet-param`: says what to install if ROS 2 is missing."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cfrnet_ros.apps.packages import ros_missing_text


def main(args: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code, which is 2 if ROS 2 is missing."""
    missing = ros_missing_text('cfrnet-param')
    if missing:
        print(missing, file=sys.stderr)
        return 2
    from cfrnet_ros.apps.param.main import main as param

    return param(args)
