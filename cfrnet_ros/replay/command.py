"""Entry point of `cfrnet-replay`: says what to install where a package is missing."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence

#: Packages by the modules that the replay imports, beyond what the node needs. The extra
#: `replay` of setup.py names the same, and package.xml, where CFRNET_REPLAY is 1.
PACKAGES = {
    'jinja2': 'jinja2',
    'matplotlib': 'matplotlib',
    'rosbags': 'rosbags',
    'tqdm': 'tqdm',
    'yaml': 'pyyaml',
}


def missing_packages() -> list[str]:
    """Names of the packages that are to be installed first, as pip knows them."""
    return [name for module, name in PACKAGES.items() if importlib.util.find_spec(module) is None]


def main(args: Sequence[str] | None = None) -> int:
    """Run the replay; returns its exit code, 1 where packages are missing."""
    missing = missing_packages()
    if missing:
        print(
            f'cfrnet-replay: not installed: {", ".join(missing)}. The replay needs what the node'
            f' does without. Install it by\n  python3 -m pip install {" ".join(missing)}\nor, in a'
            ' ROS 2 workspace, by\n'
            '  CFRNET_REPLAY=1 rosdep install --from-paths src --ignore-src -y',
            file=sys.stderr,
        )
        return 1
    from cfrnet_ros.replay.main import main as replay

    return replay(args)
