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

"""Each command says what to install where a package is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ('command', 'hidden', 'remedy'),
    [
        ('restore', 'av', "'cfrnet_ros[apps]'"),
        ('restore', 'PIL', 'pip install pillow'),
        ('camera', 'yaml', 'pip install pyyaml'),
        ('camera', 'rclpy', "'cfrnet_ros[ros]'"),
        ('param', 'rclpy', 'source /opt/ros'),
        ('view', 'aiohttp', 'pip install aiohttp'),
        ('view', 'rclpy', 'source /opt/ros'),
    ],
)
def test_a_missing_package_is_named_with_its_remedy(command: str, hidden: str, remedy: str) -> None:
    if command in ('camera', 'view') and hidden != 'rclpy':
        pytest.importorskip('rclpy', reason='without ROS 2, that is what is named first')
    code = (
        'import importlib.util as u, sys; found = u.find_spec\n'
        f'u.find_spec = lambda n, *a: None if n in {hidden.split(", ")} else found(n, *a)\n'
        f'from cfrnet_ros.apps.{command}.command import main\n'
        "sys.exit(main(['list']))"
    )
    result = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, timeout=120, cwd=ROOT
    )
    assert result.returncode == 2
    assert result.stderr.startswith(f'cfrnet-{command}: ')
    assert remedy in result.stderr
