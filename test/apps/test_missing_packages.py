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
