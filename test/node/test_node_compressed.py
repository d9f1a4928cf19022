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

"""Images of the node as JPEG, made only while somebody subscribes to them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from node_harness import NodeProcess, Peer, bgr8_message, pixels_of, send_until, wait_until
from numpy.typing import NDArray
from ros_domains import next_domain
from sensor_msgs.msg import CompressedImage

TOPICS = ('/cfrnet/face/image', '/cfrnet/image_restored', '/cfrnet/image_debug')


@pytest.fixture(scope='module')
def peer(tmp_path_factory: pytest.TempPathFactory, halving_model: Path) -> Iterator[Peer]:
    domain = next_domain()
    folder = tmp_path_factory.mktemp('node')
    process = NodeProcess(folder, domain, ['-p', f'model:={halving_model}'])
    peer = Peer(domain)
    yield peer
    peer.close()
    process.kill()


def decoded(msg: CompressedImage) -> NDArray[np.uint8]:
    picture = cv2.imdecode(np.frombuffer(msg.data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(picture, np.uint8)


@pytest.mark.parametrize('topic', TOPICS)
def test_compressed_images_show_what_the_raw_ones_do(
    peer: Peer, portrait: NDArray[np.uint8], topic: str
) -> None:
    camera, msg = peer.publisher(), bgr8_message(portrait)
    msg.header.frame_id = 'cabin'
    with (
        peer.collect(topic) as raw,
        peer.collect(f'{topic}/compressed', msg_type=CompressedImage) as compressed,
    ):
        send_until(camera, msg, lambda: raw.messages and compressed.messages, 'both')
    small, picture = compressed.messages[-1], pixels_of(raw.messages[-1])
    assert small.header.frame_id == 'cabin'
    assert 'jpeg' in small.format
    assert len(small.data) < len(raw.messages[-1].data) / 4
    # The debug view has times in it, which differ from frame to frame.
    if 'debug' not in topic:
        assert np.abs(decoded(small).astype(int) - picture).mean() < 4
    else:
        assert decoded(small).shape == picture.shape
    peer.node.destroy_publisher(camera)


def test_compressed_images_need_no_subscriber_of_the_raw_ones(
    peer: Peer, portrait: NDArray[np.uint8]
) -> None:
    camera, msg = peer.publisher(), bgr8_message(portrait)
    topic = '/cfrnet/image_restored/compressed'
    with peer.collect(topic, msg_type=CompressedImage) as compressed:
        assert peer.node.count_subscribers('/cfrnet/image_restored') == 0
        send_until(camera, msg, lambda: compressed.messages, 'a compressed image')
        at_90 = len(compressed.messages[-1].data)
        assert peer.set_parameter('jpeg_quality', 30).successful
        compressed.messages.clear()
        send_until(
            camera,
            msg,
            lambda: compressed.messages and len(compressed.messages[-1].data) < at_90 / 1.5,
            'a smaller image',
        )
    wait_until(lambda: peer.node.count_subscribers(topic) == 0, 'no subscriber')
    stages = peer.wait_for_diagnostics(lambda d: True, 'any')['restoration'].values
    assert any(pair.key == 'latency/blend/p50_ms' for pair in stages)
    peer.node.destroy_publisher(camera)
