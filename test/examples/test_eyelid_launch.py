"""The example's launch file, against the real launch system where there is one."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from eyelid_signals import needs_networks
from ros_domains import next_domain

from examples.eyelids.eyelid_node import PARAMETERS

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / 'examples/eyelids.launch.py'

needs_launch = pytest.mark.skipif(
    importlib.util.find_spec('launch_ros') is None,
    reason='launch and launch_ros come with a ROS 2 distribution, not by pip',
)


def load() -> Any:
    spec = importlib.util.spec_from_file_location('eyelids_launch', FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_is_valid_python() -> None:
    compile(FILE.read_text(encoding='utf-8'), str(FILE), 'exec')


def test_the_readme_tells_the_parameters_of_the_node() -> None:
    text = (ROOT / 'examples/README.md').read_text(encoding='utf-8')
    for name, (default, descriptor) in PARAMETERS.items():
        value = yaml.safe_dump(default).split('\n')[0]
        row = next(line for line in text.splitlines() if line.startswith(f'| `{name}` |'))
        assert f'| `{value}` | {descriptor.additional_constraints} |' in row
        assert descriptor.description in row


@needs_launch
def test_every_argument_is_described_and_has_the_default_of_the_node() -> None:
    module = load()
    module.generate_launch_description()
    for argument in module.declare_arguments():
        assert len(argument.description) > 15, argument.name
        if argument.name in PARAMETERS:
            (default,) = argument.default_value
            assert float(default.text) == PARAMETERS[argument.name][0]


@needs_launch
@needs_networks
def test_both_nodes_start_and_the_example_watches_the_restorer(tmp_path: Path) -> None:
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
    paths = [str(prefix), *filter(None, [os.environ.get('AMENT_PREFIX_PATH')])]
    environment = {
        **os.environ, 'AMENT_PREFIX_PATH': os.pathsep.join(paths), 'ROS_DOMAIN_ID': domain
    }  # fmt: skip
    code = (
        'import sys\n'
        'from launch import LaunchDescription, LaunchService\n'
        'from launch.actions import IncludeLaunchDescription as Include\n'
        'from launch.launch_description_sources import PythonLaunchDescriptionSource as Source\n'
        'service = LaunchService()\n'
        'arguments = [a.split(":=") for a in sys.argv[2:]]\n'
        'service.include_launch_description(LaunchDescription(\n'
        '    [Include(Source(sys.argv[1]), launch_arguments=arguments)]))\n'
        'sys.exit(service.run())\n'
    )
    with (tmp_path / 'log').open('wb') as log:
        process = subprocess.Popen(
            [sys.executable, '-c', code, str(FILE), 'namespace:=cabin', 'image:=/dms/image_raw',
             'cycles:=3', 'perclos_warning:=0.3'],
            env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    os.environ['ROS_DOMAIN_ID'] = domain
    try:
        with RosSession('launch_test') as ros:
            watcher = ParameterClient(ros.node, '/cabin/eyelids', timeout_s=90.0)
            found = watcher.get('source', 'perclos_warning', 'window_s')
            restorer_client = ParameterClient(ros.node, '/cabin/cfrnet', timeout_s=90.0)
            cycles = restorer_client.get('cycles')
            topics = dict(ros.node.get_topic_names_and_types())
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(60)
    assert found == {'source': 'cfrnet', 'perclos_warning': 0.3, 'window_s': 60.0}
    assert cycles == {'cycles': 3}
    assert {'/dms/image_raw', '/cabin/cfrnet/face/image', '/cabin/eyelids/status'} <= set(topics)
    assert 'Traceback' not in (tmp_path / 'log').read_text()
