"""The launch files, tested with the real launch system where it is installed."""

from __future__ import annotations

from pathlib import Path

import pytest
from launched import ROOT, launched, load, needs_launch

from cfrnet_ros.node.parameters import PARAMETERS

FILES = sorted((ROOT / 'launch').glob('*.launch.py'))


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.name)
def test_launch_file_is_valid_python(path: Path) -> None:
    compile(path.read_text(encoding='utf-8'), str(path), 'exec')


@needs_launch
@pytest.mark.parametrize('path', FILES, ids=lambda path: path.name)
def test_every_argument_is_described(path: Path) -> None:
    module = load(path)
    module.generate_launch_description()
    for argument in module.declare_arguments():
        assert len(argument.description) > 10, argument.name


@needs_launch
def test_override_arguments_match_the_declared_parameters() -> None:
    module = load(ROOT / 'launch/dms.launch.py')
    arguments = {argument.name: argument for argument in module.declare_arguments()}
    for name in module.OVERRIDES:
        assert arguments[name].description.startswith(PARAMETERS[name].description)
    assert arguments['cycles'].choices == ['', *'12345678']
    assert arguments['image_transport'].choices == ['', 'raw', 'compressed']
    assert arguments['autostart'].choices == ['', 'true', 'false']
    assert arguments['model'].choices is None


@needs_launch
def test_the_node_gets_the_given_launch_arguments(tmp_path: Path) -> None:
    from cfrnet_ros.replay.parameter_client import ParameterClient
    from cfrnet_ros.replay.ros_session import RosSession

    arguments = ('namespace:=cabin', 'image:=/dms/image_raw', 'cycles:=5', 'use_sim_time:=true')
    with (
        launched(ROOT / 'launch/dms.launch.py', tmp_path, *arguments),
        RosSession('launch_test') as ros,
    ):
        client = ParameterClient(ros.node, '/cabin/cfrnet', timeout_s=60.0)
        found = client.get('cycles', 'use_sim_time', 'max_faces')
        topics = dict(ros.node.get_topic_names_and_types())
    assert found['cycles'] == 5
    assert found['use_sim_time'] is True
    assert found['max_faces'] == PARAMETERS['max_faces'].default
    assert '/dms/image_raw' in topics
