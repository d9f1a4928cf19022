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

"""The launch files, tested with the real launch system where it is installed."""

from __future__ import annotations

from pathlib import Path

import pytest
from launched import ROOT, command_lines, launched, load, needs_launch
from node_harness import wait_until

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


DMS, REPLAY, TWO = (ROOT / f'launch/{name}.launch.py' for name in ('dms', 'replay', 'two_cameras'))


@needs_launch
@pytest.mark.parametrize('path', [DMS, TWO], ids=['one camera', 'two cameras'])
def test_simulated_time_is_passed_only_where_it_is_given(path: Path, tmp_path: Path) -> None:
    code, shown = command_lines(path, tmp_path / 'without')
    assert code == 0, shown
    assert 'config/dms.yaml' in shown
    assert 'use_sim_time' not in shown
    code, shown = command_lines(path, tmp_path / 'with', 'use_sim_time:=true', 'cycles:=4')
    assert code == 0, shown
    assert 'use_sim_time: true' in shown
    assert 'cycles: 4' in shown


@needs_launch
def test_an_outer_parameter_reaches_the_node(tmp_path: Path) -> None:
    outer = tmp_path / 'outer.launch.py'
    outer.write_text(
        'from launch import LaunchDescription\n'
        'from launch.actions import IncludeLaunchDescription as Include\n'
        'from launch.launch_description_sources import PythonLaunchDescriptionSource as Source\n'
        'from launch_ros.actions import SetParameter\n'
        'def generate_launch_description():\n'
        "    return LaunchDescription([SetParameter('use_sim_time', True),"
        f' Include(Source({str(DMS)!r}))])\n'
    )
    code, shown = command_lines(outer, tmp_path)
    assert code == 0, shown
    assert 'use_sim_time:=True' in shown
    assert 'use_sim_time: false' not in shown


@needs_launch
@pytest.mark.parametrize(
    ('arguments', 'level'),
    [
        ((), 'cfrnet:=info'),
        (('log_level:=debug', 'name:=eyes'), 'eyes:=debug'),
        (('log_level:=debug', 'namespace:=/car/cabin'), 'car.cabin.cfrnet:=debug'),
    ],
    ids=str,
)
def test_the_log_level_is_that_of_the_node_alone(
    tmp_path: Path, arguments: tuple[str, ...], level: str
) -> None:
    code, shown = command_lines(DMS, tmp_path, *arguments)
    assert code == 0, shown
    assert f'--log-level {level}' in shown


@needs_launch
def test_debug_lines_are_of_the_node_alone(tmp_path: Path) -> None:
    arguments = ('namespace:=cabin', 'log_level:=debug', 'model:=/no/such')
    with launched(DMS, tmp_path, *arguments) as log:
        wait_until(lambda: 'autostart failed' in log.read_text(), 'the end of the node')
        assert '[cabin.cfrnet]' in log.read_text()
        assert '[rcl' not in log.read_text()


@needs_launch
def test_a_missing_params_file_ends_the_launch_with_an_error(tmp_path: Path) -> None:
    code, shown = command_lines(DMS, tmp_path, 'params_file:=/no/such.yaml')
    assert code == 1
    assert "params_file: there is no file '/no/such.yaml'" in shown


@needs_launch
def test_an_unknown_argument_is_told_with_the_remedy(tmp_path: Path) -> None:
    code, shown = command_lines(DMS, tmp_path, 'max_faces:=1', 'images:=/cam', 'mine:=3')
    assert code == 0, shown
    assert 'there is no argument max_faces, it is ignored: write the parameter into' in shown
    assert 'there is no argument images, it is ignored: did you mean image:=?' in shown
    assert 'no argument mine' not in shown


@needs_launch
def test_two_cameras_need_namespaces_of_their_own_and_say_nothing_of_their_arguments(
    tmp_path: Path,
) -> None:
    code, shown = command_lines(TWO, tmp_path / 'two', 'left_namespace:=a', 'right_image:=/cam')
    assert code == 0, shown
    assert '__ns:=/a' in shown
    assert 'image:=/cam' in shown
    assert 'there is no argument' not in shown
    code, shown = command_lines(TWO, tmp_path, 'left_namespace:=a', 'right_namespace:=/a')
    assert code == 1
    assert 'the same names' in shown


@needs_launch
def test_two_cameras_show_only_arguments_that_do_something() -> None:
    shown = {
        argument.name for argument in load(TWO).generate_launch_description().get_launch_arguments()
    }
    assert {'left_image', 'right_namespace', 'cycles', 'use_sim_time'} <= shown
    assert not shown & {'image', 'namespace', 'params_file'}


@needs_launch
def test_the_exit_code_tells_that_the_player_failed_or_the_bag_is_missing(tmp_path: Path) -> None:
    bag = tmp_path / 'drive'
    bag.mkdir()
    arguments = (f'bag:={bag}', 'start_delay:=0')
    code, shown = command_lines(REPLAY, tmp_path / 'played', *arguments)
    assert code == 0, shown
    assert f'bag play {bag}' in shown
    code, shown = command_lines(REPLAY, tmp_path / 'failed', *arguments, player_ends_with=3)
    assert code == 1
    assert 'ros2 bag play failed with exit code 3' in shown
    code, shown = command_lines(REPLAY, tmp_path / 'missing', 'bag:=/no/such')
    assert code == 1
    assert "bag: there is no folder or file '/no/such'" in shown
