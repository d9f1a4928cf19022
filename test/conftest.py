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

"""For every test: the package from this checkout, ROS as the package wants it, and Ctrl-C."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Plain `pytest` does not put the working directory on the path; `python -m pytest` does.
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

# These hooks skip what cannot run here.
from optional_packages import (  # noqa: E402, F401
    pytest_make_collect_report,
    pytest_pycollect_makemodule,
    pytest_runtest_makereport,
)

from cfrnet_ros.replay.dds_environment import prepare_environment  # noqa: E402

# Before any ROS context is made, and whatever the terminal sets: as in a replay. Nodes inherit it.
for variable in [name for name in os.environ if name.startswith(('FASTDDS_', 'FASTRTPS_'))]:
    del os.environ[variable]
prepare_environment()

# A shell that starts the tests in the background has Ctrl-C ignored in them and, unless somebody
# handles it here, in every process that they start and end by it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
