"""Run the replay as `python -m cfrnet_ros.replay`."""

from __future__ import annotations

import sys

from cfrnet_ros.replay.command import main

sys.exit(main())
