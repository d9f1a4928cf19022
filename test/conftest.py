"""For every test: the package from this checkout, and ROS as the package wants it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Plain `pytest` does not put the working directory on the path; `python -m pytest` does.
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

# Before any ROS context is made; see the comment there. Nodes inherit it.
os.environ['FASTDDS_DEFAULT_PROFILES_FILE'] = str(ROOT / 'test/fastdds.xml')
# What users are told to set: in force where a test takes the profile away.
os.environ.setdefault('FASTDDS_BUILTIN_TRANSPORTS', 'LARGE_DATA')
for _name in ('ROS_AUTOMATIC_DISCOVERY_RANGE', 'ROS_LOCALHOST_ONLY'):
    os.environ.pop(_name, None)
