"""The launch files, against the real launch system where there is one."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ros_domains import next_domain

from cfrnet_ros.node.parameters import BY_NAME

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / 'launch').glob('*.launch.py'))


def has_launch() -> bool:
    try:
        import launch_ros.actions  # noqa: F401
    except ImportError:
        return False
    return True


needs_launch = pytest.mark.skipif(
    not has_launch(), reason='launch and launch_ros come with a ROS 2 distribution, not by pip'
)


def load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.name.partition('.')[0] + '_launch', path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.name)
def test_is_valid_python(path: Path) -> None:
    compile(path.read_text(encoding='utf-8'), str(path), 'exec')


@needs_launch
@pytest.mark.parametrize('path', FILES, ids=lambda path: path.name)
def test_every_argument_is_described(path: Path) -> None:
    module = load(path)
    module.generate_launch_description()
    for argument in module.declare_arguments():
        assert len(argument.description) > 10, argument.name


@needs_launch
def test_overrides_are_parameters_of_the_node_with_their_types() -> None:
    module = load(ROOT / 'launch/dms.launch.py')
    for name, kind in module.OVERRIDES.items():
        assert type(BY_NAME[name].default) is kind
    arguments = {argument.name for argument in module.declare_arguments()}
    assert set(module.OVERRIDES) <= arguments


@needs_launch
def test_the_node_is_told_what_was_given(tmp_path: Path) -> None:
    from cfrnet_ros.replay.parameter_client import ParameterClient
    from cfrnet_ros.replay.ros_session import RosSession

    # An installed package is needed for launch to find anything.
    prefix = tmp_path / 'prefix'
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
    domain = str(next_domain())
    environment = {
        **os.environ,
        'AMENT_PREFIX_PATH': os.pathsep.join(
            [str(prefix), *filter(None, [os.environ.get('AMENT_PREFIX_PATH')])]
        ),
        'ROS_DOMAIN_ID': domain,
        'PYTHONPATH': str(ROOT),
    }
    code = (
        'import sys\n'
        'from launch import LaunchService\n'
        'from launch.actions import IncludeLaunchDescription as Include\n'
        'from launch import LaunchDescription\n'
        'from launch.launch_description_sources import PythonLaunchDescriptionSource as Source\n'
        'service = LaunchService()\n'
        'arguments = [a.split(":=") for a in sys.argv[2:]]\n'
        'service.include_launch_description(LaunchDescription(\n'
        '    [Include(Source(sys.argv[1]), launch_arguments=arguments)]))\n'
        'sys.exit(service.run())\n'
    )
    with (tmp_path / 'log').open('wb') as log:
        process = subprocess.Popen(
            [sys.executable, '-c', code, str(ROOT / 'launch/dms.launch.py'),
             'namespace:=cabin', 'image:=/dms/image_raw', 'cycles:=5', 'use_sim_time:=true'],
            env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    os.environ['ROS_DOMAIN_ID'] = domain
    try:
        with RosSession('launch_test') as ros:
            client = ParameterClient(ros.node, '/cabin/cfrnet', timeout_s=60.0)
            found = client.get('cycles', 'use_sim_time', 'max_faces')
            topics = dict(ros.node.get_topic_names_and_types())
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(30)
    assert found['cycles'] == 5
    assert found['use_sim_time'] is True
    assert found['max_faces'] == BY_NAME['max_faces'].default
    assert '/dms/image_raw' in topics
