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

"""Several cameras in one process: one engine, nodes of their own, and faults that stay with one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import node_models
import numpy as np
import pytest
from node_harness import NodeProcess, Peer, bgr8_message, send_until, values_of, wait_until
from numpy.typing import NDArray
from ros_domains import next_domain

from cfrnet_ros.node.cameras import Camera, parse
from cfrnet_ros.node.parameters import Settings
from cfrnet_ros.node.shared import Shared
from cfrnet_ros.node.turns import Turns

Begin = Callable[..., tuple[NodeProcess, Peer, Peer]]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Return a function that starts two cameras with arguments, and a peer for each."""
    processes: list[NodeProcess] = []
    peers: list[Peer] = []

    def start(*ros: str, words: tuple[str, ...] = ()) -> tuple[NodeProcess, Peer, Peer]:
        domain = next_domain()
        program = ('cfrnet_ros.node.cameras', 'front', 'rear=/back/image_raw', *words)
        processes.append(NodeProcess(tmp_path / 'process', domain, ros, program=program))
        peers.extend(Peer(domain, f'/{name}/cfrnet') for name in ('front', 'rear'))
        return processes[0], peers[0], peers[1]

    try:
        yield start
    finally:
        for peer in peers:
            peer.close()
        for process in processes:
            process.kill()


def is_active(peer: Peer) -> bool:
    return bool(peer.diagnostics) and peer.state() == 'active'


def restored(peer: Peer) -> bool:
    return values_of(peer.diagnostics[-1]['restoration']).get('faces/restored', '0') != '0'


def processed(peer: Peer) -> int:
    return int(values_of(peer.diagnostics[-1]['input']).get('frames/processed', '0'))


def params(folder: Path, **models: Path) -> str:
    """Write a params file with a model for each camera, and return its path."""
    path = folder / 'cameras.yaml'
    path.write_text(
        ''.join(
            f'/{name}/cfrnet:\n  ros__parameters:\n    model: {model}\n'
            for name, model in models.items()
        )
    )
    return str(path)


@pytest.mark.parametrize('lanes', [1, 2])
def test_two_cameras_in_one_process_restore_and_keep_parameters_and_state_of_their_own(
    begin: Begin, halving_model: Path, portrait: NDArray[np.uint8], lanes: int
) -> None:
    arguments = ['-p', f'model:={halving_model}', '-p', 'detection_interval:=1']
    process, front, rear = begin(*arguments, '-p', f'parallel_frames:={lanes}')
    for peer in (front, rear):
        wait_until(partial(is_active, peer), 'both to be active')
    assert front.set_parameter('cycles', 1).successful
    assert rear.set_parameter('cycles', 4).successful
    for peer, topic in ((front, '/front/image'), (rear, '/back/image_raw')):
        images = peer.publisher(topic)
        send_until(images, bgr8_message(portrait), partial(restored, peer), 'a restored face')
    last = [values_of(peer.diagnostics[-1]['restoration']) for peer in (front, rear)]
    assert [values['cycles/used'] for values in last] == ['1', '4']
    assert front.transition('deactivate')
    assert (front.state(), rear.state()) == ('inactive', 'active')
    assert process.end() == 0
    assert 'Traceback' not in process.log


def test_a_camera_that_cannot_be_configured_leaves_the_other_running_and_can_be_repaired(
    begin: Begin, tmp_path: Path, halving_model: Path, portrait: NDArray[np.uint8]
) -> None:
    late = tmp_path / 'late.onnx'
    file = params(tmp_path, front=late, rear=halving_model)
    process, front, rear = begin('--params-file', file)
    wait_until(lambda: is_active(rear), 'the rear camera to be active')
    process.wait_for_log('this camera did not start')
    assert 'has no effect' not in process.log
    assert front.state() == 'unconfigured'
    found = front.wait_for_diagnostics(lambda d: d['engine'].level == b'\x02', 'the reason')
    assert 'there is no model' in found['engine'].message
    image = bgr8_message(portrait)
    send_until(rear.publisher('/back/image_raw'), image, lambda: restored(rear), 'a restored face')
    node_models.halving_model(late)
    assert front.transition('configure')
    assert front.transition('activate')
    send_until(front.publisher('/front/image'), image, lambda: restored(front), 'a restored face')
    assert process.end() == 0


def test_a_camera_whose_engine_hangs_does_not_stop_the_other(
    begin: Begin, tmp_path: Path, halving_model: Path, portrait: NDArray[np.uint8]
) -> None:
    hanging = node_models.hanging_model(tmp_path / 'hanging.onnx')
    file = params(tmp_path, front=hanging, rear=halving_model)
    # One turn only: the camera that hangs has it.
    process, front, rear = begin(
        '--params-file', file, '-p', 'detection_interval:=1', words=('--at-once', '1')
    )
    for peer in (front, rear):
        wait_until(partial(is_active, peer), 'both to be active')
    # The model hangs on bright crops.
    bright = portrait.copy()
    bright[::2, ::2] = 255
    front_images, rear_images = front.publisher('/front/image'), rear.publisher('/back/image_raw')
    send_until(
        front_images,
        bgr8_message(bright),
        lambda: 'the engine seems to hang' in front.diagnostics[-1]['engine'].message,
        'a report of the frame that never ends',
    )
    before = processed(rear)
    send_until(
        rear_images,
        bgr8_message(portrait),
        lambda: processed(rear) > before + 2,
        'frames of the other camera',
    )
    process.kill()


def test_the_process_ends_with_code_1_if_no_camera_can_start(begin: Begin) -> None:
    process, _, _ = begin('-p', 'model:=/no/such.onnx')
    assert process.wait(60) == 1
    assert process.log.count('this camera did not start') == 2
    assert 'Traceback' not in process.log


def test_names_and_topics_of_cameras_are_read_from_the_command_line() -> None:
    words = ['front', 'robot/rear=/cam', '--at-once', '3', '--ros-args', '-p', 'cycles:=2']
    cameras, at_once, ros = parse(words)
    assert cameras == [Camera('/front'), Camera('/robot/rear', '/cam')]
    assert (at_once, ros) == (3, ['--ros-args', '-p', 'cycles:=2'])


@pytest.mark.parametrize(
    ('words', 'reason'),
    [
        (['front', '/front/'], 'two cameras have the name /front'),
        (['2nd'], 'a camera is a name of letters'),
        (['front', '--at-once', '-1'], '--at-once must be 0 or above'),
        ([], 'required: NAME'),
    ],
    ids=str,
)
def test_a_wrong_command_line_is_refused_with_the_reason(
    words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(words)
    assert ended.value.code == 2
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize(
    ('cores', 'cameras', 'at_once', 'lanes', 'expected'),
    [
        (2, 2, 2, 1, 1),
        (8, 2, 8, 1, 4),
        (8, 2, 8, 2, 2),
        (8, 1, 8, 4, 2),
        (8, 2, 3, 4, 2),
        (2, 2, 8, 8, 1),
    ],
)
def test_frames_that_are_worked_on_at_once_share_the_cores(
    cores: int, cameras: int, at_once: int, lanes: int, expected: int
) -> None:
    shared = Shared(Turns(at_once), cameras, cores)
    settings = Settings(parallel_frames=lanes)
    assert shared.applied_to(settings).threads == expected
    named = Settings(parallel_frames=lanes, threads=5)
    assert shared.applied_to(named) is named
