"""Entry point of `cfrnet-fleet`: says what to install if a package is missing."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cfrnet_ros.apps.packages import missing_text

#: pip names of the packages that the command needs, by the modules that it imports.
PACKAGES = {
    'av': 'av',
    'PIL': 'pillow',
    'distributed': 'distributed',
    'rosbags': 'rosbags',
    'tqdm': 'tqdm',
    'yaml': 'pyyaml',
}


def main(args: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code, which is 2 if packages are missing."""
    missing = missing_text('cfrnet-fleet', PACKAGES, 'fleet')
    if missing:
        print(missing, file=sys.stderr)
        return 2
    from cfrnet_ros.fleet.main import main as fleet

    return fleet(args)
