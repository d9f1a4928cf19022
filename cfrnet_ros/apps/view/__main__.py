"""Runs the command as `python -m cfrnet_ros.apps.view`."""

from __future__ import annotations

import sys

from cfrnet_ros.apps.view.command import main

if __name__ == '__main__':
    sys.exit(main())
