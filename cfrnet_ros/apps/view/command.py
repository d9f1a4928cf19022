"""Entry point of `cfrnet-view`: says what to install if a package is missing."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cfrnet_ros.apps.packages import missing_text, ros_missing_text

#: pip names of the packages that the command needs, by the modules that it imports.
PACKAGES = {'aiohttp': 'aiohttp', 'yaml': 'pyyaml'}


def main(args: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code, which is 2 if packages are missing."""
    missing = ros_missing_text('cfrnet-view') or missing_text('cfrnet-view', PACKAGES)
    if missing:
        print(missing, file=sys.stderr)
        return 2
    from cfrnet_ros.apps.view.main import main as view

    return view(args)
