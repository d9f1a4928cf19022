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

"""launch/cameras.launch.py: several cameras in one process, with the real launch system."""

from __future__ import annotations

from pathlib import Path

import pytest
from launched import ROOT, command_lines, launched, needs_launch
from node_harness import wait_until

CAMERAS = ROOT / 'launch/cameras.launch.py'


@needs_launch
def test_names_topics_and_parameters_reach_one_process(tmp_path: Path) -> None:
    code, shown = command_lines(CAMERAS, tmp_path / 'names', 'cameras:=[front, robot/rear]')
    assert code == 0, shown
    assert 'front robot/rear --at-once 0 --ros-args' in shown
    assert 'config/dms.yaml' in shown
    code, shown = command_lines(
        CAMERAS,
        tmp_path / 'topics',
        'cameras:={front: /dms/front/image_raw, rear: }',
        'cycles:=4',
        'at_once:=3',
    )
    assert code == 0, shown
    assert 'front=/dms/front/image_raw rear --at-once 3' in shown
    assert 'cycles: 4' in shown


@needs_launch
@pytest.mark.parametrize('text', ['3', '[]', '[front, 2]', '{'])
def test_cameras_that_are_no_names_end_the_launch_with_the_remedy(
    tmp_path: Path, text: str
) -> None:
    code, shown = command_lines(CAMERAS, tmp_path, f'cameras:={text}')
    assert code == 1
    assert 'write the names as "[front, rear]"' in shown


@needs_launch
def test_both_nodes_of_the_process_can_be_asked(tmp_path: Path) -> None:
    from cfrnet_ros.replay.parameter_client import ParameterClient
    from cfrnet_ros.replay.ros_session import RosSession

    arguments = ('cameras:={front: /dms/front/image_raw, rear: }', 'cycles:=5', 'threads:=1')
    with launched(CAMERAS, tmp_path, *arguments) as log, RosSession('launch_test') as ros:
        wait_until(lambda: log.read_text().count('active (was inactive)') == 2, 'both cameras')
        for node, topic in (('/front/cfrnet', '/dms/front/image_raw'), ('/rear/cfrnet', '')):
            found = ParameterClient(ros.node, node, timeout_s=60.0).get('cycles', 'threads')
            assert (found['cycles'], found['threads']) == (5, 1)
            topics = dict(ros.node.get_topic_names_and_types())
            assert (topic or '/rear/image') in topics
