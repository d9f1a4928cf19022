"""For every test: the package from this checkout, and ROS as the package wants it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Plain `pytest` does not put the working directory on the path; `python -m pytest` does.
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from cfrnet_ros.replay.dds_environment import prepare_environment  # noqa: E402

# Before any ROS context is made; the file says why. Nodes inherit it.
os.environ['FASTDDS_DEFAULT_PROFILES_FILE'] = str(ROOT / 'test/fastdds.xml')
# LARGE_DATA, as users are told to set: in force where a test takes the profile away.
prepare_environment()
