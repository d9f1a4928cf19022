#!/usr/bin/env bash
# Source ROS 2 and the package, then run the command.
set -e
# shellcheck source=/dev/null
source "/opt/ros/${ROS_DISTRO}/setup.bash"
# shellcheck source=/dev/null
source /opt/cfrnet/setup.bash
exec "$@"
