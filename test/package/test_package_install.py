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

"""The package installed as colcon installs an ament_python package."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INGREDIENTS = (
    'setup.py', 'setup.cfg', 'package.xml', 'README.md', 'LICENSE', 'MANIFEST.in',
    'cfrnet_ros', 'config', 'docs', 'launch', 'resource',
)  # fmt: skip

COMMANDS = ('camera', 'cameras', 'fleet', 'param', 'replay', 'restore', 'view')


@pytest.fixture(scope='module')
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp('source')
    for name in INGREDIENTS:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    target = tmp_path_factory.mktemp('install')
    subprocess.run(
        [
            sys.executable, '-W', 'ignore', 'setup.py', '-q', 'install', '--prefix', str(target),
            '--single-version-externally-managed', '--record', str(target / 'record.txt'),
        ],
        cwd=source, check=True, capture_output=True,
    )  # fmt: skip
    return target


def site_packages(prefix: Path) -> Path:
    return next(prefix.glob('lib/python3.*/site-packages'))


def test_ros2_run_finds_the_executables(prefix: Path) -> None:
    names = {'restorer', *(f'cfrnet-{name}' for name in COMMANDS)}
    for name in (*names, 'cfrnet_replay'):
        assert os.access(prefix / 'lib' / 'cfrnet_ros' / name, os.X_OK)


def test_launch_config_and_index_are_installed_under_share(prefix: Path) -> None:
    share = prefix / 'share'
    assert (share / 'ament_index/resource_index/packages/cfrnet_ros').exists()
    assert (share / 'cfrnet_ros/package.xml').exists()
    for folder, pattern in (
        ('launch', '*.launch.py'),
        ('config', '*.yaml'),
        ('config/sros2', '*.policy.xml'),
    ):
        ours = {path.name for path in (ROOT / folder).glob(pattern)}
        installed = (share / 'cfrnet_ros' / folder).iterdir()
        theirs = {path.name for path in installed if path.is_file()}
        assert theirs == ours != set()
    for layout in ('foxglove/cfrnet.json', 'rviz/cfrnet.rviz'):
        assert (share / 'cfrnet_ros' / layout).read_bytes() == (ROOT / 'docs' / layout).read_bytes()


def test_weights_and_templates_are_installed(prefix: Path) -> None:
    installed = site_packages(prefix) / 'cfrnet_ros'
    for pattern in (
        'models/*.onnx',
        'models/*.json',
        'models/eyes/*',
        'replay/templates/*.j2',
        'node/fastdds/*.xml',
        'apps/view/page/*',
    ):
        ours = {path.name for path in (ROOT / 'cfrnet_ros').glob(pattern)}
        assert {path.name for path in installed.glob(pattern)} == ours != set()


def test_the_installed_restorer_starts(prefix: Path, tmp_path: Path) -> None:
    environment = {**os.environ, 'PYTHONPATH': str(site_packages(prefix))}
    result = subprocess.run(
        [prefix / 'lib/cfrnet_ros/restorer', '--help'],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert '--ros-args' in result.stdout
