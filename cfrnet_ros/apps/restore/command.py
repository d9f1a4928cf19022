"""Entry point of `cfrnet-restore`: says what to install if a package is missing."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cfrnet_ros.apps.packages import missing_text

#: pip names of the packages that the command needs, by the modules that it imports.
PACKAGES = {'av': 'av', 'PIL': 'pillow', 'tqdm': 'tqdm'}


def main(args: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code, which is 2 if packages are missing."""
    missing = missing_text('cfrnet-restore', PACKAGES)
    if missing:
        print(missing, file=sys.stderr)
        return 2
    from cfrnet_ros.apps.restore.main import main as restore

    return restore(args)
