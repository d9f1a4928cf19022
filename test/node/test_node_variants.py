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

"""Tests of node processes that differ from the default: models, transport, clock and signals."""

from __future__ import annotations

import signal
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import node_models
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from node_harness import (
    NodeProcess,
    Peer,
    bgr8_message,
    pixels_of,
    send_until,
    values_of,
    wait_until,
)
from numpy.typing import NDArray
from rclpy.qos import ReliabilityPolicy
from ros_domains import next_domain
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage

Start = Callable[..., 'tuple[NodeProcess, Peer]']


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts a node and a peer in a domain of their own."""
    processes: list[NodeProcess] = []
    peers: list[Peer] = []

    def begin(*arguments: str, node_name: str = '/cfrnet') -> tuple[NodeProcess, Peer]:
        domain = next_domain()
        processes.append(NodeProcess(tmp_path / str(len(processes)), domain, arguments))
        peers.append(Peer(domain, node_name))
        return processes[-1], peers[-1]

    yield begin
    for peer in peers:
        peer.close()
    for process in processes:
        process.kill()


def frame_count(peer: Peer, name: str) -> int:
    return int(values_of(peer.diagnostics[-1]['input'])[f'frames/{name}'])


def test_slow_inference_does_not_block_services_and_diagnostics(
    start: Start, slow_model: Path, portrait: NDArray[np.uint8]
) -> None:
    # With one thread the model is as slow on many cores as on one.
    process, peer = start('-p', f'model:={slow_model}', '-p', 'cycles:=8', '-p', 'threads:=1')
    process.wait_for_log('waiting for Image')
    publisher = peer.publisher()
    wait_until(lambda: peer.diagnostics, 'diagnostics')
    assert peer.set_parameter('diagnostics.drop_warn_share', 0.1).successful

    def send_until_in_flight() -> None:
        send_until(
            publisher,
            bgr8_message(portrait),
            lambda: frame_count(peer, 'in_flight') > 0,
            'a frame in flight',
        )

    with peer.collect('/cfrnet/face/image') as received:
        # The node answers parameter services and sends diagnostics while the engine processes a
        # frame, which holds if no crop arrives in between. There are several attempts, since the
        # diagnostics may report a frame shortly before it is finished.
        def answered_during_inference() -> bool:
            before = len(received.messages)
            answered = peer.set_parameter('cycles', 8).successful
            return answered and len(received.messages) == before

        for _ in range(10):
            send_until_in_flight()
            if answered_during_inference():
                break
        else:
            pytest.fail('parameters are only answered between two frames')

        # Of the frames that arrive meanwhile only the newest is processed.
        send_until(
            publisher,
            bgr8_message(portrait),
            lambda: frame_count(peer, 'dropped') > 3 and received.messages,
            'dropped frames and a crop',
        )
        warning = peer.wait_for_diagnostics(
            lambda d: 'dropped' in d['input'].message, 'a warning of drops'
        )
        assert warning['input'].level >= DiagnosticStatus.WARN

        # Deactivation neither waits for the frame in the engine nor publishes it. So there are as
        # many crops as processed frames, since each frame shows one face.
        send_until_in_flight()
        assert peer.transition('deactivate')
        peer.wait_for_diagnostics(
            lambda d: values_of(d['input'])['frames/in_flight'] == '0', 'none in flight'
        )
        wait_until(
            lambda: len(received.messages) >= frame_count(peer, 'processed'), 'the last crop'
        )
        assert len(received.messages) == frame_count(peer, 'processed')
    received_, processed, dropped, rejected = (
        frame_count(peer, name) for name in ('received', 'processed', 'dropped', 'rejected')
    )
    assert received_ == processed + dropped + rejected
    assert rejected == 0

    assert peer.transition('activate')
    wait_until(lambda: publisher.get_subscription_count() > 0, 'the node to subscribe again')
    send_until_in_flight()
    assert process.end(signal.SIGTERM) == 0
    assert 'Traceback' not in process.log


# The case of SIGINT is marked as slow, since most other tests end their node by SIGINT as well.
@pytest.mark.parametrize(
    'number', [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM]
)
def test_signals_end_the_process_with_exit_code_zero(
    start: Start, halving_model: Path, number: signal.Signals
) -> None:
    process, _ = start('-p', f'model:={halving_model}')
    process.wait_for_log('waiting for Image')
    assert process.end(number) == 0
    assert 'Traceback' not in process.log


def test_signal_while_the_model_is_loading_ends_the_process(
    start: Start, halving_model: Path
) -> None:
    process, _ = start('-p', f'model:={halving_model}')
    process.wait_for_log('loading model')
    assert process.end(signal.SIGINT) == 0
    assert 'Traceback' not in process.log


def jpeg(frame: NDArray[np.uint8]) -> bytes:
    done, data = cv2.imencode('.jpg', frame)
    assert done
    return data.tobytes()


def test_compressed_images_on_a_topic_of_any_name(
    start: Start, halving_model: Path, portrait: NDArray[np.uint8]
) -> None:
    topic = '/cam/front/jpeg'
    process, peer = start(
        *('-r', f'image:={topic}', '-p', f'model:={halving_model}'),
        *('-p', 'image_transport:=compressed'),
    )
    # A camera that starts later than the node.
    process.wait_for_log(f'waiting for CompressedImage on {topic}/compressed')
    msg = CompressedImage(format='jpeg', data=array('B', jpeg(portrait)))
    publisher = peer.publisher(topic, CompressedImage)
    with peer.collect('/cfrnet/face/image') as faces:
        send_until(publisher, msg, lambda: faces.messages, 'a crop')
    found = peer.wait_for_diagnostics(lambda d: True, 'any')['input']
    assert values_of(found)['topic'] == topic
    # The usual topic comes first as soon as it is the one with images.
    peer.node.destroy_publisher(publisher)
    usual = peer.publisher(f'{topic}/compressed', CompressedImage)
    with peer.collect('/cfrnet/face/image') as faces:
        send_until(usual, msg, lambda: faces.messages, 'a crop of the usual topic')
    assert process.end() == 0


def test_compressed_images_with_remapping_and_simulated_time(
    start: Start, halving_model: Path, portrait: NDArray[np.uint8], tmp_path: Path
) -> None:
    topic = '/cam/image_raw/compressed'
    params = tmp_path / 'params.yaml'
    params.write_text(
        '/**:\n'
        '  ros__parameters:\n'
        f'    model: {halving_model}\n'
        '    image_transport: compressed\n'
        '    use_sim_time: true\n'
        '    diagnostics: {window_s: 3, no_image_error_s: 60}\n'
        '    qos_overrides:\n'
        f'      {topic}:\n'
        '        subscription: {reliability: reliable, depth: 3}\n'
    )
    remaps = ['__ns:=/cabin', '__node:=left', 'image:=/cam/image_raw']
    arguments = [part for remap in remaps for part in ('-r', remap)]
    process, peer = start(*arguments, '--params-file', str(params), node_name='/cabin/left')
    process.wait_for_log(f'waiting for CompressedImage on {topic}')
    clock = peer.node.create_publisher(Clock, '/clock', 10)
    wait_until(lambda: clock.get_subscription_count() > 0, 'a subscriber on /clock')
    publisher = peer.node.create_publisher(CompressedImage, topic, 1)
    wait_until(lambda: publisher.get_subscription_count() > 0, f'a subscriber on {topic}')
    # The override has an effect: without it the subscription is best effort.
    info = wait_until(lambda: peer.node.get_subscriptions_info_by_topic(topic), 'its QoS')[0]
    assert info.qos_profile.reliability == ReliabilityPolicy.RELIABLE

    good = CompressedImage(format='bgr8; jpeg compressed bgr8', data=array('B', jpeg(portrait)))

    def age_at(now_s: int) -> float:
        """Send an image with a stamp of a quarter of a second ago; return the reported age."""
        tick = Clock()
        tick.clock.sec = now_s
        good.header.stamp.sec, good.header.stamp.nanosec = now_s - 1, 750_000_000
        start_count = frame_count(peer, 'processed')

        def reported() -> bool:
            clock.publish(tick)
            values = values_of(peer.diagnostics[-1]['restoration'])
            return frame_count(peer, 'processed') > start_count and (
                'latency/age/max_ms' in values and float(values['latency/age/max_ms']) == 250
            )

        send_until(publisher, good, reported, f'the age at {now_s} s')
        return float(values_of(peer.diagnostics[-1]['restoration'])['latency/age/p50_ms'])

    with peer.collect('/cabin/left/face/image') as received:
        wait_until(lambda: peer.diagnostics, 'diagnostics named after the node')
        assert age_at(5000) == 250
        # Diagnostics continue while simulated time stands still.
        for _ in range(2):
            peer.wait_for_diagnostics(lambda d: True, 'any, while time stands still')
        # When the bag starts again, no age of minus 4900 s is reported.
        assert age_at(100) == 250
        assert received.messages
        assert received.messages[-1].header.frame_id == good.header.frame_id
        assert pixels_of(received.messages[-1]).shape == (256, 256, 3)

        broken = {
            'corrupt': CompressedImage(
                format='jpeg', data=array('B', b'\xff\xd8\xff' + b'x' * 500)
            ),
            'truncated': CompressedImage(format='jpeg', data=array('B', jpeg(portrait)[:9000])),
            'unknown_encoding': CompressedImage(format='h264', data=array('B', b'\0' * 99)),
            'empty': CompressedImage(format='jpeg'),
        }

        def all_counted() -> bool:
            for msg in broken.values():
                publisher.publish(msg)
            return all(frame_count(peer, f'rejected/{cause}') > 0 for cause in broken)

        wait_until(all_counted, f'{", ".join(broken)} counted', period_s=0.1)
        received.messages.clear()
        send_until(publisher, good, lambda: received.messages, 'a crop after the broken images')
    assert process.end() == 0
    assert 'Traceback' not in process.log


def test_failing_engine_is_an_error_and_the_node_continues(
    start: Start, tmp_path: Path, portrait: NDArray[np.uint8]
) -> None:
    model = node_models.fragile_model(tmp_path / 'fragile.onnx')
    process, peer = start('-p', f'model:={model}')
    process.wait_for_log('waiting for Image')
    wait_until(lambda: peer.diagnostics, 'diagnostics')
    publisher = peer.publisher()
    send_until(
        publisher,
        bgr8_message(portrait),
        lambda: peer.diagnostics[-1]['engine'].level == DiagnosticStatus.ERROR,
        'an error of the engine',
    )
    assert 'processing fails' in peer.diagnostics[-1]['engine'].message
    assert frame_count(peer, 'rejected/internal') > 0
    # Without a face the network is not run, so the status is OK again.
    blank = bgr8_message(np.full((120, 160, 3), 128, np.uint8))
    send_until(
        publisher,
        blank,
        lambda: peer.diagnostics[-1]['engine'].level == DiagnosticStatus.OK,
        'recovery',
    )
    assert process.end() == 0
    assert 'Traceback' not in process.log


def test_shipped_model_restores_a_face_with_the_defaults(
    start: Start, portrait: NDArray[np.uint8]
) -> None:
    process, peer = start()
    process.wait_for_log('waiting for Image')
    publisher = peer.publisher()
    with peer.collect('/cfrnet/face/image') as received:
        send_until(publisher, bgr8_message(portrait), lambda: received.messages, 'a crop')
    crop = pixels_of(received.messages[0])
    assert crop.shape == (256, 256, 3)
    # The crop is a face and not noise: neighbouring pixels are similar, and the crop has contrast.
    assert crop.std() > 20
    assert np.abs(np.diff(crop.astype(int), axis=1)).mean() < 10
    assert process.end() == 0


def test_a_foreign_restorer_of_512_px_runs_by_its_yaml_file(
    start: Start, tmp_path: Path, portrait: NDArray[np.uint8]
) -> None:
    process, peer = start()
    process.wait_for_log('waiting for Image')
    publisher = peer.publisher()
    with peer.collect('/cfrnet/face/image') as received:
        send_until(publisher, bgr8_message(portrait), lambda: received.messages, 'a crop')
    ours = pixels_of(received.messages[0])
    assert process.end() == 0

    model = node_models.foreign_model(tmp_path / 'foreign.onnx')
    process, peer = start('-p', f'model:={model}', '-p', 'cycles:=3')
    process.wait_for_log('waiting for Image')
    publisher = peer.publisher()
    with peer.collect('/cfrnet/face/image') as received:
        send_until(publisher, bgr8_message(portrait), lambda: received.messages, 'a crop')
    crop = pixels_of(received.messages[0])
    assert crop.shape == (512, 512, 3)
    values = values_of(peer.wait_for_diagnostics(lambda d: True, 'any')['engine'])
    assert (values['model/size'], values['model/iterative']) == ('512', 'false')
    # One pass, whatever `cycles` is: a second one would undo the inversion.
    small = [np.asarray(cv2.resize(face, (64, 64)), np.float64) for face in (crop, ours)]
    likeness = np.corrcoef(small[0].ravel(), small[1].ravel())
    assert likeness[0, 1] < -0.5
    assert process.end() == 0
