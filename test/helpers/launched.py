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

needs_launch = pytest.mark.skipif(
    importlib.util.find_spec('launch_ros') is None,
    reason='launch and launch_ros come with a ROS 2 distribution, not by pip',
)

_SERVICE = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription as Include
from launch.launch_description_sources import PythonLaunchDescriptionSource as Source
service = LaunchService()
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
    restorer = prefix / 'lib/cfrnet_ros/restorer'
    restorer.write_text(
        f'#!/bin/sh\nexport PYTHONPATH={ROOT}:$PYTHONPATH\n'
        f'exec {sys.executable} -m cfrnet_ros.node.main "$@"\n'
    )
    restorer.chmod(0o755)
    index = prefix / 'share/ament_index/resource_index/packages'
    index.mkdir(parents=True)
    (index / 'cfrnet_ros').touch()
    (prefix / 'share/cfrnet_ros').mkdir()
    for folder in ('launch', 'config'):
        (prefix / 'share/cfrnet_ros' / folder).symlink_to(ROOT / folder)


def _joined(first: Path, variable: str) -> str:
    return os.pathsep.join([str(first), *filter(None, [os.environ.get(variable)])])


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
    environment = {
        **os.environ,
        'AMENT_PREFIX_PATH': _joined(prefix, 'AMENT_PREFIX_PATH'),
        'PYTHONPATH': _joined(ROOT, 'PYTHONPATH'),
        'ROS_DOMAIN_ID': domain,
    }
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
