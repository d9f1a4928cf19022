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

"""Entry point of `cfrnet-replay`: says what to install if a package is missing."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence

#: pip packages by the modules that the replay imports and the node does not need. The extra
#: `replay` of setup.py lists the same, and so does package.xml where CFRNET_REPLAY is 1.
PACKAGES = {
    'jinja2': 'jinja2',
    'matplotlib': 'matplotlib',
    'rosbags': 'rosbags',
    'tqdm': 'tqdm',
    'yaml': 'pyyaml',
}


def missing_packages() -> list[str]:
    """Return the pip names of the packages that are not installed."""
    return [name for module, name in PACKAGES.items() if importlib.util.find_spec(module) is None]


def main(args: Sequence[str] | None = None) -> int:
    """Run the replay; returns its exit code, which is 1 if packages are missing."""
    missing = missing_packages()
    if missing:
        print(
            f'cfrnet-replay: not installed: {", ".join(missing)}. The replay needs packages that'
            f' the node does not. Install them with\n  python3 -m pip install {" ".join(missing)}\n'
            'or, in a ROS 2 workspace, with\n'
            '  CFRNET_REPLAY=1 rosdep install --from-paths src --ignore-src -y',
            file=sys.stderr,
        )
        return 1
    from cfrnet_ros.replay.main import main as replay

    return replay(args)
