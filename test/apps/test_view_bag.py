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

"""`cfrnet-view --bag`: page, node and player in one command."""

from __future__ import annotations

import importlib.util
import os
import signal
import time
from pathlib import Path

import pytest
from moving_camera import decode
from node_harness import wait_until
from ros_domains import next_domain
from viewer import Viewer, visiting

if importlib.util.find_spec('rosbags') is None:
    pytest.skip('rosbags comes with the extra `replay`', allow_module_level=True)

from demo.cases import FPS, FRAMES, make_case


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    """Return a bag that is shorter than the test: it must start again."""
    return make_case('still', tmp_path / 'bag')


def processes_of(pid: int) -> list[int]:
    """Return the children of a process."""
    children = Path(f'/proc/{pid}/task/{pid}/children')
    return [int(child) for child in children.read_text().split()]


def test_a_bag_is_shown_restored_in_a_loop_until_ctrl_c(tmp_path: Path, bag: Path) -> None:
    viewer = Viewer(tmp_path / 'viewer', next_domain(), '--bag', str(bag))
    try:
        with visiting(viewer.origin) as visitor:
            visitor.connect()
            for _ in range(2):
                _, files = visitor.wait_for_picture(
                    lambda a: a['kind'] == 'whole' and len(a['files']) == 2, 'both pictures'
                )
                assert decode(files[0]).shape == decode(files[1]).shape == (360, 480, 3)
                # Longer than the bag.
                time.sleep(FRAMES / FPS + 1)
            about, _ = visitor.wait_for_picture(
                lambda a: a['kind'] == 'faces' and bool(a['faces']), 'a face'
            )
            assert about['faces'][0]['values']['restored'] == 'true'
            assert visitor.set('cycles', '1') == ''
            (node,) = processes_of(viewer.process.pid)
            assert viewer.end() == 0
        assert not Path(f'/proc/{node}').exists()
        assert 'Traceback' not in viewer.log
        assert viewer.kept_files() == []
    finally:
        viewer.kill()


def test_ctrl_c_while_the_node_still_loads_ends_cleanly(tmp_path: Path, bag: Path) -> None:
    viewer = Viewer(tmp_path / 'viewer', next_domain(), '--bag', str(bag))
    try:
        wait_until(lambda: 'loads its models' in viewer.log, 'the start of the node')
        assert viewer.end() == 0
        assert 'Traceback' not in viewer.log
        assert viewer.kept_files() == []
    finally:
        viewer.kill()


def test_a_node_that_ends_ends_the_command_with_the_reason(tmp_path: Path, bag: Path) -> None:
    viewer = Viewer(tmp_path / 'viewer', next_domain(), '--bag', str(bag))
    try:
        with visiting(viewer.origin) as visitor:
            visitor.connect()
            visitor.wait_for_state(lambda state: bool(state['node']), 'the node')
            (node,) = processes_of(viewer.process.pid)
            os.kill(node, signal.SIGKILL)
            assert viewer.process.wait(60) == 1
        assert 'the node ended with exit code -9' in viewer.log
        assert 'Traceback' not in viewer.log
        assert viewer.kept_files() == []
    finally:
        viewer.kill()
