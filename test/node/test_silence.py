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

"""Why no image arrives is told in the log and in the diagnostics."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from node_harness import NodeProcess, Peer, wait_until
from rclpy.qos import QoSProfile, ReliabilityPolicy
from ros_domains import next_domain
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String

from cfrnet_ros.node.publisher_check import explain_silence


@pytest.fixture
def peer() -> Iterator[Peer]:
    """A node whose `image` is `/image`, with the cameras as its own publishers."""
    peer = Peer(next_domain())
    yield peer
    peer.close()


@pytest.mark.parametrize(
    ('transport', 'published', 'told'),
    [
        (
            'raw',
            [('/image', CompressedImage)] * 2,
            '2 publishers on /image, of sensor_msgs/CompressedImage:'
            ' set image_transport: compressed',
        ),
        (
            'raw',
            [('/image/compressed', CompressedImage)],
            '1 publisher on /image/compressed, of sensor_msgs/CompressedImage:'
            ' set image_transport: compressed',
        ),
        (
            'compressed',
            [('/image', Image)],
            '1 publisher on /image, of sensor_msgs/Image: set image_transport: raw',
        ),
        (
            'raw',
            [('/image', String)],
            '1 publisher on /image, of std_msgs/String, not of sensor_msgs/Image: remap `image`',
        ),
        (
            'raw',
            [('/image', Image)],
            '1 publisher on /image, of the right type: either it sends nothing, or its images get'
            ' lost; set this',
        ),
        ('raw', [], 'nobody publishes on /image: check the remapping'),
        ('compressed', [], 'nobody publishes on /image/compressed or /image: check'),
    ],
)
def test_publishers_that_do_not_fit_are_explained(
    peer: Peer, transport: str, published: list[tuple[str, Any]], told: str
) -> None:
    publishers = [peer.node.create_publisher(kind, topic, 1) for topic, kind in published]
    try:
        wait_until(lambda: told in explain_silence(peer.node, transport, 'set this'), told, 20.0)
    finally:
        for publisher in publishers:
            peer.node.destroy_publisher(publisher)


def test_quality_of_service_that_does_not_match_is_explained(peer: Peer) -> None:
    best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    reliable = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
    publisher = peer.node.create_publisher(Image, '/image', best_effort)
    own = peer.node.create_subscription(Image, '/image', lambda msg: None, reliable)
    told = 'Best effort publisher and reliable subscription): change qos_overrides'
    try:
        wait_until(lambda: told in explain_silence(peer.node, 'raw', 'set this'), told)
    finally:
        peer.node.destroy_subscription(own)
        peer.node.destroy_publisher(publisher)


def test_the_log_and_the_diagnostics_tell_of_the_wrong_type_within_seconds(
    tmp_path: Path, halving_model: Path
) -> None:
    domain = next_domain()
    topic = '/cam/image_raw/compressed'
    process = NodeProcess(
        tmp_path, domain, ['-r', f'image:={topic}', '-p', f'model:={halving_model}']
    )
    peer = Peer(domain)
    told = (
        f'1 publisher on {topic}, of sensor_msgs/CompressedImage: set image_transport: compressed'
    )
    try:
        peer.publisher(topic, CompressedImage, match=False)
        process.wait_for_log(told)
        status = peer.wait_for_diagnostics(lambda d: told in d['input'].message, told)['input']
        assert status.level == DiagnosticStatus.ERROR
        # Throttled: the diagnostics go on, the log does not.
        for _ in range(3):
            peer.wait_for_diagnostics(lambda d: told in d['input'].message, f'{told} again')
        assert process.log.count(told) == 1
        assert process.end() == 0
    finally:
        peer.close()
        process.kill()


def test_a_second_node_of_the_same_name_is_told_in_the_log_and_in_the_diagnostics(
    tmp_path: Path, halving_model: Path
) -> None:
    domain = next_domain()
    arguments = ['-p', f'model:={halving_model}']
    processes = [NodeProcess(tmp_path / name, domain, arguments) for name in ('first', 'second')]
    peer = Peer(domain)
    told = '2 nodes are called /cfrnet, so parameters, services and topics are mixed up'
    try:
        for process in processes:
            process.wait_for_log(told)
        status = peer.wait_for_diagnostics(lambda d: told in d['input'].message, told)['input']
        assert status.level >= DiagnosticStatus.WARN
        assert [process.end() for process in processes] == [0, 0]
    finally:
        peer.close()
        for process in processes:
            process.kill()
