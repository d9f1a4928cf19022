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

"""`make fuzz` asks for a file with the numbers of inputs."""

from __future__ import annotations

import datetime
import json
import os
import platform
from pathlib import Path

import pytest


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Add the numbers of inputs that were tried to the file that `FUZZ_RESULT` names.

    Inputs are drawn anew in each run, so that those of several runs add up.
    """
    if 'FUZZ_RESULT' not in os.environ:
        return
    from fuzzing import seconds, tried

    file = Path(os.environ['FUZZ_RESULT'])
    runs = json.loads(file.read_text())['runs'] if file.exists() else []
    runs.append(
        {
            'made': datetime.date.today().isoformat(),
            'python': platform.python_version(),
            'inputs': sum(tried.values()),
            'failed_targets': session.testsfailed,
            'targets': {
                name: {'inputs': number, 'seconds': round(seconds[name], 1)}
                for name, number in sorted(tried.items())
            },
        }
    )
    result = {'inputs': sum(run['inputs'] for run in runs), 'runs': runs}
    file.write_text(json.dumps(result, indent=1) + '\n')
