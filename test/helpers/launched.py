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

"""Launch files run by the real launch system, for tests."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ros_domains import next_domain

ROOT = Path(__file__).resolve().parents[2]
#: Modules of the executables that launch files start.
EXECUTABLES = {'restorer': 'cfrnet_ros.node.main', 'cfrnet-cameras': 'cfrnet_ros.node.cameras'}

needs_launch = pytest.mark.skipif(
    importlib.util.find_spec('launch_ros') is None,
    reason='launch and launch_ros come with a ROS 2 distribution, not by pip',
)

_SERVICE = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription as Include
from launch.launch_description_sources import PythonLaunchDescriptionSource as Source
service = LaunchService(argv=sys.argv[2:])
arguments = [a.split(":=") for a in sys.argv[2:]]
service.include_launch_description(LaunchDescription(
    [Include(Source(sys.argv[1]), launch_arguments=arguments)]))
sys.exit(service.run())
"""


def load(path: Path) -> Any:
    """Import a launch file."""
    spec = importlib.util.spec_from_file_location(path.name.partition('.')[0] + '_launch', path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _install(prefix: Path) -> None:
    """Make what launch needs to find the package: an executable, the index, its shared files."""
    (prefix / 'lib/cfrnet_ros').mkdir(parents=True)
    for name, module in EXECUTABLES.items():
        program = prefix / 'lib/cfrnet_ros' / name
        program.write_text(
            f'#!/bin/sh\nexport PYTHONPATH={ROOT}:$PYTHONPATH\n'
            f'exec {sys.executable} -m {module} "$@"\n'
        )
        program.chmod(0o755)
    index = prefix / 'share/ament_index/resource_index/packages'
    index.mkdir(parents=True)
    (index / 'cfrnet_ros').touch()
    (prefix / 'share/cfrnet_ros').mkdir()
    for folder in ('launch', 'config'):
        (prefix / 'share/cfrnet_ros' / folder).symlink_to(ROOT / folder)


def _joined(first: Path, variable: str) -> str:
    return os.pathsep.join([str(first), *filter(None, [os.environ.get(variable)])])


def _environment(prefix: Path, domain: str) -> dict[str, str]:
    return {
        **os.environ,
        'AMENT_PREFIX_PATH': _joined(prefix, 'AMENT_PREFIX_PATH'),
        'PYTHONPATH': _joined(ROOT, 'PYTHONPATH'),
        'PATH': _joined(prefix / 'bin', 'PATH'),
        'ROS_DOMAIN_ID': domain,
    }


def command_lines(
    file: Path, folder: Path, *arguments: str, player_ends_with: int = 0
) -> tuple[int, str]:
    """Run a launch file whose processes print their arguments and parameters, and end.

    Args:
        file: Launch file.
        folder: Folder for an installation of the package.
        arguments: Arguments as 'name:=value'.
        player_ends_with: Exit code of `ros2`.

    Returns:
        Exit code of the launch, and all that was printed.

    """
    prefix = folder / 'prefix'
    _install(prefix)
    (prefix / 'bin').mkdir()
    show = '#!/bin/sh\necho "$@"\nfor a; do case $a in /*) cat "$a";; esac; done\n'
    for name in EXECUTABLES:
        (prefix / 'lib/cfrnet_ros' / name).write_text(show)
    player = prefix / 'bin/ros2'
    player.write_text(f'{show}exit {player_ends_with}\n')
    player.chmod(0o755)
    done = subprocess.run(
        [sys.executable, '-c', _SERVICE, str(file), *arguments],
        env=_environment(prefix, str(next_domain())),
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.returncode, done.stdout + done.stderr


@contextlib.contextmanager
def launched(file: Path, folder: Path, *arguments: str) -> Iterator[Path]:
    """Run a launch file in a domain of its own, which is this process's too from then on.

    Args:
        file: the launch file.
        folder: takes an installation of the package, and the log.
        arguments: as 'name:=value'.

    Yields:
        The file with what was printed.

    """
    prefix, log = folder / 'prefix', folder / 'log'
    _install(prefix)
    domain = str(next_domain())
    environment = _environment(prefix, domain)
    with log.open('wb') as stream:
        process = subprocess.Popen(
            [sys.executable, '-c', _SERVICE, str(file), *arguments],
            env=environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    os.environ['ROS_DOMAIN_ID'] = domain
    try:
        yield log
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(60)
