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

"""requirements/install.sh, with which `make` creates its environment."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pip
import pytest

SCRIPT = Path(__file__).resolve().parents[2] / 'requirements' / 'install.sh'


def install(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    # The interpreter outside any virtual environment, like a user's `python3`.
    environment = {k: v for k, v in os.environ.items() if not k.startswith('_ROS')}
    environment |= variables
    return subprocess.run(
        [str(SCRIPT), *map(str, arguments)], capture_output=True, text=True, env=environment
    )


#: The script refuses a Python that ROS 2 has no wheels for, and Debian's needs python3-venv.
needs_environments = pytest.mark.skipif(
    sys.version_info >= (3, 14) or importlib.util.find_spec('ensurepip') is None,
    reason='needs Python 3.10 to 3.13 that can make virtual environments',
)


@pytest.fixture
def nothing(tmp_path: Path) -> Path:
    path = tmp_path / 'requirements.txt'
    path.write_text('# nothing but Python\n')
    return path


def test_a_missing_python_is_named_with_the_remedy(tmp_path: Path, nothing: Path) -> None:
    result = install('no-such-python', tmp_path / 'venv', 'pass', nothing)
    assert result.returncode == 1
    assert "no 'no-such-python'" in result.stderr
    assert 'apt-get install python3' in result.stderr


@needs_environments
def test_venv_is_created_once_and_recreated_when_broken(tmp_path: Path, nothing: Path) -> None:
    venv = tmp_path / 'venv'
    venv.mkdir()
    (venv / '.unfinished').touch()
    (venv / 'rubbish').touch()
    base = Path(sys.base_prefix) / 'bin' / 'python3'

    first = install(base, venv, 'import pip', nothing)
    assert first.returncode == 0, first.stderr
    assert 'starting afresh' in first.stdout
    assert not (venv / 'rubbish').exists()
    assert 'installing' in first.stdout
    assert re.search(r' \d+ s, +\d+ MB in', first.stdout)

    second = install(base, venv, 'import pip', nothing)
    assert (second.returncode, second.stdout) == (0, '')

    # The second venv borrows the pip of this interpreter, because installing pip takes seconds.
    quick = tmp_path / 'python3'
    quick.write_text(
        '#!/bin/sh\n'
        'if [ "$1 $2" = "-m venv" ]; then set -- -m venv --without-pip "$3"; fi\n'
        f'exec "{base}" "$@"\n'
    )
    quick.chmod(0o755)
    (tmp_path / 'lent').mkdir()
    (tmp_path / 'lent' / 'pip').symlink_to(Path(pip.__file__).parent)
    lent = {'PYTHONPATH': str(tmp_path / 'lent')}
    (venv / 'bin' / 'python').unlink()
    third = install(quick, venv, 'import pip', nothing, **lent)
    assert third.returncode == 0, third.stderr
    assert 'starting afresh' in third.stdout
    assert (venv / 'bin' / 'python').exists()

    nothing.write_text('# something else\n')
    failing = install(quick, venv, 'raise SystemExit(1)', nothing, **lent)
    assert failing.returncode == 1
    assert 'does not work' in failing.stderr
