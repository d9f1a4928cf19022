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

"""`~/enable` and `max_fps`: less work without the lifecycle."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from node_harness import NodeProcess, Peer, bgr8_message, send_until, values_of, wait_until
from numpy.typing import NDArray
from ros_domains import next_domain
from std_srvs.srv import SetBool

TOPIC = '/cfrnet/face/image'


@pytest.fixture
def peer(tmp_path: Path, halving_model: Path) -> Iterator[Peer]:
    domain = next_domain()
    process = NodeProcess(tmp_path / 'node', domain, ['-p', f'model:={halving_model}'])
    peer = Peer(domain)
    yield peer
    peer.close()
    process.kill()


def enable(peer: Peer, wanted: bool) -> SetBool.Response:
    return peer.call(SetBool, 'enable', SetBool.Request(data=wanted))


def test_a_disabled_node_receives_and_publishes_nothing(
    peer: Peer, portrait: NDArray[np.uint8]
) -> None:
    camera, msg = peer.publisher(), bgr8_message(portrait)
    with peer.collect(TOPIC) as crops:
        send_until(camera, msg, lambda: crops.messages, 'a crop')
        answer = enable(peer, False)
        assert answer.success
        assert answer.message.startswith('disabled')
        assert peer.state() == 'active'
        wait_until(lambda: camera.get_subscription_count() == 0, 'no subscription')
        crops.messages.clear()
        for _ in range(10):
            camera.publish(msg)
            time.sleep(0.05)
        # Longer than the time after which an enabled node without images is at ERROR.
        peer.set_parameter('diagnostics.no_image_error_s', 0.5)
        time.sleep(1.0)
        idle = peer.wait_for_diagnostics(
            lambda d: values_of(d['input'])['enabled'] == 'false', 'a disabled node'
        )
        assert {status.level for status in idle.values()} == {b'\0'}
        assert idle['input'].message == 'active, disabled by ~/enable'
        assert crops.messages == []
        assert enable(peer, True).success
        send_until(camera, msg, lambda: crops.messages, 'a crop again')


def test_a_disabled_node_stays_disabled_through_the_lifecycle(
    peer: Peer, portrait: NDArray[np.uint8]
) -> None:
    wait_until(lambda: peer.state() == 'active', 'an active node')
    assert enable(peer, False).success
    assert peer.transition('deactivate')
    assert peer.transition('activate')
    assert peer.state() == 'active'
    assert peer.node.count_subscribers('/image') == 0
    assert peer.transition('deactivate')
    assert 'inactive' in enable(peer, True).message
    assert peer.transition('activate')
    camera, msg = peer.publisher(), bgr8_message(portrait)
    with peer.collect(TOPIC) as crops:
        send_until(camera, msg, lambda: crops.messages, 'a crop')


def test_frames_above_the_rate_are_skipped_and_counted(
    peer: Peer, portrait: NDArray[np.uint8]
) -> None:
    camera, msg = peer.publisher(), bgr8_message(portrait)
    assert peer.set_parameter('max_fps', 2.0).successful
    start = time.monotonic()
    while time.monotonic() - start < 4.0:
        camera.publish(msg)
        time.sleep(0.02)
    settled = peer.wait_for_diagnostics(
        lambda d: values_of(d['input'])['frames/in_flight'] == '0', 'none in flight'
    )
    counts = {
        key.removeprefix('frames/'): int(value)
        for key, value in values_of(settled['input']).items()
        if key.startswith('frames/')
    }
    assert counts['skipped'] > 20
    # Frames of less than a second before the parameter was set may be among them.
    assert counts['processed'] + counts['dropped'] <= 2 * (time.monotonic() - start) + 2
    known = ('processed', 'dropped', 'skipped', 'rejected')
    assert counts['received'] == sum(counts[name] for name in known)
    assert 'dropped' not in settled['input'].message
