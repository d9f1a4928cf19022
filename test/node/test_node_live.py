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

"""Tests of one node process that receives images over DDS.

The tests share the process, and each leaves the node active.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
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
from sensor_msgs.msg import Image

from cfrnet_ros.node.parameters import PARAMETERS

FACE, RESTORED, DEBUG = '/cfrnet/face/image', '/cfrnet/image_restored', '/cfrnet/image_debug'


@dataclass
class Live:
    process: NodeProcess
    peer: Peer

    def totals(self) -> dict[str, int]:
        """Frame counts by name, from the next diagnostics."""
        status = self.peer.wait_for_diagnostics(lambda d: 'input' in d, 'input')['input']
        return counts(status)

    def camera(self) -> Any:
        return self.peer.publisher('image')


def counts(status: DiagnosticStatus) -> dict[str, int]:
    prefix = 'frames/'
    return {
        key.removeprefix(prefix): int(value)
        for key, value in values_of(status).items()
        if key.startswith(prefix)
    }


@pytest.fixture(scope='module')
def live(tmp_path_factory: pytest.TempPathFactory, halving_model: Path) -> Iterator[Live]:
    domain = next_domain()
    arguments = ['-p', f'model:={halving_model}', '-p', 'hardware_id:=test_camera']
    arguments += ['-p', 'detection_interval:=1', '-p', 'diagnostics.window_s:=5']
    process = NodeProcess(tmp_path_factory.mktemp('live'), domain, arguments)
    peer = Peer(domain)
    try:
        process.wait_for_log('waiting for Image')
        wait_until(lambda: peer.diagnostics, 'the first diagnostics')
        yield Live(process, peer)
        # After all tests the node still runs, has logged no exception, and ends cleanly.
        assert process.exit_code is None, process.log
        assert process.end() == 0
        assert 'Traceback' not in process.log
    finally:
        peer.close()
        process.kill()


@pytest.fixture
def sent(live: Live, portrait: NDArray[np.uint8]) -> Callable[..., Image]:
    """Send a frame until an image that was made from it arrives; return this image."""

    def send(msg: Image | None = None, topic: str = FACE) -> Image:
        publisher = live.camera()
        msg = msg or bgr8_message(portrait)
        # Frames of the previous test may still arrive.
        msg.header.frame_id += f'_{time.monotonic_ns()}'
        with live.peer.collect(topic) as received:

            def arrived() -> Image | None:
                mine = (m for m in received.messages if m.header.frame_id == msg.header.frame_id)
                return next(mine, None)

            result: Image = send_until(publisher, msg, arrived, f'an image on {topic}')
        live.peer.node.destroy_publisher(publisher)
        return result

    return send


def test_restored_face_carries_the_source_header(
    live: Live, sent: Callable[..., Image], portrait: NDArray[np.uint8]
) -> None:
    msg = bgr8_message(portrait, frame_id='driver_camera_optical')
    msg.header.stamp.sec, msg.header.stamp.nanosec = 1234, 567
    crop = sent(msg)
    assert crop.header == msg.header
    assert (crop.width, crop.height, crop.encoding) == (256, 256, 'bgr8')


def test_qos_is_best_effort_for_input_and_reliable_for_output(live: Live) -> None:
    node = live.peer.node
    inputs = wait_until(lambda: node.get_subscriptions_info_by_topic('/image'), 'its QoS')
    assert [info.qos_profile.reliability for info in inputs] == [ReliabilityPolicy.BEST_EFFORT]
    for topic in (FACE, RESTORED, DEBUG):
        outputs = wait_until(partial(node.get_publishers_info_by_topic, topic), 'its QoS')
        assert [info.qos_profile.reliability for info in outputs] == [ReliabilityPolicy.RELIABLE]
    assert live.peer.get_parameter('qos_overrides./image.subscription.depth') == 1


def test_cycles_parameter_takes_effect_on_the_next_frame(
    live: Live, sent: Callable[..., Image]
) -> None:
    contrast = {}
    for cycles in (1, 2, 3):
        assert live.peer.set_parameter('cycles', cycles).successful
        contrast[cycles] = float(pixels_of(sent()).std())
    assert live.peer.set_parameter('cycles', 2).successful
    # The model halves the contrast in each cycle.
    assert contrast[2] == pytest.approx(contrast[1] / 2, rel=0.05)
    assert contrast[3] == pytest.approx(contrast[1] / 4, rel=0.05)


def test_every_parameter_is_described_by_the_service(live: Live) -> None:
    descriptors = live.peer.describe(list(PARAMETERS))
    for declared, descriptor in zip(PARAMETERS.values(), descriptors, strict=True):
        assert descriptor.description == declared.description
        assert descriptor.read_only is not declared.dynamic
    by_name = {descriptor.name: descriptor for descriptor in descriptors}
    cycles = by_name['cycles'].integer_range[0]
    assert (cycles.from_value, cycles.to_value) == (1, 8)


@pytest.mark.parametrize(
    ('name', 'value', 'reason'),
    [
        ('cycles', 0, 'out of range'),
        ('cycles', 9, 'out of range'),
        ('cycles', 'many', "cycles must be integer, 1 to 8; got 'many' (string)"),
        ('landmark_smoothing', 'yes please', 'landmark_smoothing must be bool'),
        ('detection_threshold', 1.5, 'out of range'),
        ('crop_margin', float('nan'), 'range'),
        ('provider', 'cuda', 'read-only'),
        ('image_transport', 'compressed', 'read-only'),
        ('no_such_parameter', 1, 'declared'),
    ],
)
def test_invalid_parameters_are_refused_with_a_reason(
    live: Live, name: str, value: object, reason: str
) -> None:
    result = live.peer.set_parameter(name, value)
    assert not result.successful
    assert reason in result.reason
    assert live.peer.get_parameter('cycles') == 2


def test_integers_are_accepted_for_double_parameters(live: Live) -> None:
    assert live.peer.set_parameter('crop_margin', 2).successful
    assert live.peer.get_parameter('crop_margin') == 2.0
    assert live.peer.set_parameter('crop_margin', 1).successful


def test_max_faces_and_min_face_px_limit_the_restored_faces(
    live: Live, portrait: NDArray[np.uint8]
) -> None:
    two = portrait.copy()
    small = cv2.resize(portrait[20:260, 120:360], (140, 140), interpolation=cv2.INTER_AREA)
    two[300:440, 495:635] = small
    publisher = live.camera()

    def crops_a_frame(expected: int) -> list[Image]:
        """Send the frame until it gives the expected number of crops; return the crops."""
        msg = bgr8_message(two)
        with live.peer.collect(FACE) as received:

            def of_one_frame() -> list[Image]:
                msg.header.stamp.nanosec += 1
                newest = list(received.messages)
                stamps = {m.header.stamp.nanosec for m in newest}
                groups = [[m for m in newest if m.header.stamp.nanosec == s] for s in stamps]
                return next((group for group in groups if len(group) == expected), [])

            found: list[Image] = send_until(publisher, msg, of_one_frame, f'{expected} crops')
        return found

    # The larger face shows more detail than the small copy of it.
    large, little = (cv2.Laplacian(pixels_of(crop), cv2.CV_64F).var() for crop in crops_a_frame(2))
    assert large > little
    assert live.peer.set_parameter('max_faces', 1).successful
    msg = bgr8_message(two)
    msg.header.stamp.sec = 5
    with live.peer.collect(FACE) as received:

        def stamps() -> list[int]:
            msg.header.stamp.nanosec += 1
            return [m.header.stamp.nanosec for m in received.messages if m.header.stamp.sec == 5]

        send_until(publisher, msg, lambda: len(stamps()) >= 5, 'crops of one face')
        assert len(set(stamps())) == len(stamps())
    assert live.peer.set_parameter('max_faces', 4).successful
    # No face in the frame is 400 px large.
    assert live.peer.set_parameter('min_face_px', 400).successful
    send_until(
        publisher,
        bgr8_message(two),
        lambda: values_of(live.peer.diagnostics[-1]['restoration'])['cycles/used'] == '0',
        'frames without a face',
    )
    assert live.peer.set_parameter('min_face_px', 24).successful
    live.peer.node.destroy_publisher(publisher)


def test_restored_frame_differs_only_at_the_face(
    live: Live, sent: Callable[..., Image], portrait: NDArray[np.uint8]
) -> None:
    msg = bgr8_message(portrait, frame_id='camera_7')
    restored = sent(msg, RESTORED)
    assert restored.header == msg.header
    change = np.abs(pixels_of(restored).astype(int) - portrait).max(axis=2)
    assert change[:, 480:].max() == 0
    assert change.max() > 10
    assert (change > 0).mean() < 0.5


def test_debug_view_is_an_annotated_frame(
    live: Live, sent: Callable[..., Image], portrait: NDArray[np.uint8]
) -> None:
    msg = bgr8_message(portrait)
    debug = sent(msg, DEBUG)
    assert debug.header == msg.header
    assert debug.encoding == 'bgr8'
    assert debug.height >= portrait.shape[0]


def test_pictures_without_subscribers_are_not_made(live: Live, sent: Callable[..., Image]) -> None:
    assert live.peer.set_parameter('diagnostics.window_s', 1).successful
    # Frames that the previous tests subscribed to must have left the window.
    live.peer.wait_for_diagnostics(
        lambda d: not any('blend' in v.key or 'debug' in v.key for v in d['restoration'].values),
        'neither blend nor debug',
    )
    publisher = live.camera()
    send_until(
        publisher,
        bgr8_message(np.zeros((120, 160, 3), np.uint8)),
        lambda: any(
            v.key == 'latency/decode/p50_ms'
            for v in live.peer.diagnostics[-1]['restoration'].values
        ),
        'frames processed',
    )
    assert not any(
        'blend' in v.key or 'debug' in v.key
        for v in live.peer.diagnostics[-1]['restoration'].values
    )
    assert live.peer.set_parameter('diagnostics.window_s', 5).successful
    live.peer.node.destroy_publisher(publisher)


BAD = {
    'empty': Image(),
    'truncated': Image(encoding='bgr8', width=64, height=64, step=192, data=array('B', b'\1' * 99)),
    'bad_layout': Image(
        encoding='bgr8', width=64, height=64, step=10, data=array('B', b'\1' * 640)
    ),
    'too_large': Image(
        encoding='bgr8', width=200_000, height=200_000, step=600_000, data=array('B', b'\1' * 9)
    ),
    'unknown_encoding': Image(
        encoding='klingon8', width=4, height=4, step=4, data=array('B', b'\1' * 16)
    ),
    'not_finite': Image(
        encoding='32FC1',
        width=8,
        height=8,
        step=32,
        data=array('B', np.full(64, np.nan, '<f4').tobytes()),
    ),
}


@pytest.mark.parametrize('cause', list(BAD))
def test_invalid_image_is_counted_by_cause_and_the_next_valid_one_processed(
    live: Live, sent: Callable[..., Image], cause: str
) -> None:
    publisher = live.camera()
    key = f'frames/rejected/{cause}'

    def rejected() -> int:
        return int(values_of(live.peer.diagnostics[-1]['input'])[key])

    before = rejected()
    send_until(publisher, BAD[cause], lambda: rejected() > before, f'{cause} counted')
    status = live.peer.diagnostics[-1]['input']
    live.peer.node.destroy_publisher(publisher)
    assert f'frame rejected ({cause})' in live.process.log
    assert cause in status.message
    assert status.level == DiagnosticStatus.WARN
    assert sent().width == 256


def test_log_of_rejected_frames_is_throttled(live: Live) -> None:
    publisher = live.camera()
    lines = live.process.log.count('frame rejected (empty)')
    rejected = live.totals()['rejected/empty']
    send_until(
        publisher,
        BAD['empty'],
        lambda: (
            publisher.publish(BAD['empty'])
            or counts(live.peer.diagnostics[-1]['input'])['rejected/empty'] > rejected + 30
        ),
        'thirty empty images rejected',
    )
    live.peer.node.destroy_publisher(publisher)
    more = live.totals()['rejected/empty'] - rejected
    assert live.process.log.count('frame rejected (empty)') - lines < more / 3


def test_every_frame_is_processed_rejected_or_dropped(
    live: Live, portrait: NDArray[np.uint8]
) -> None:
    publisher = live.camera()
    before = live.totals()
    good, bad = bgr8_message(portrait), BAD['truncated']
    for number in range(120):
        # Some of the time images are sent faster than they can be processed.
        publisher.publish(bad if number % 10 == 9 else good)
        time.sleep(0.002 if number % 40 < 20 else 0.03)
    settled = live.peer.wait_for_diagnostics(
        lambda d: (
            counts(d['input'])['received'] > before['received'] + 20
            and counts(d['input'])['in_flight'] == 0
        ),
        'frames received and none in flight',
    )
    after = counts(settled['input'])
    assert after['processed'] > before['processed']
    assert after['received'] == after['processed'] + after['dropped'] + after['rejected']
    causes = sum(n for key, n in after.items() if key.startswith('rejected/'))
    assert causes == after['rejected']
    live.peer.node.destroy_publisher(publisher)


def test_diagnostics_are_complete_and_ok_while_faces_are_restored(
    live: Live, portrait: NDArray[np.uint8]
) -> None:
    publisher = live.camera()
    with live.peer.collect(RESTORED):
        statuses = live.peer.wait_for_diagnostics(lambda d: True, 'any')
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            msg = bgr8_message(portrait)
            msg.header.stamp = live.peer.now()
            publisher.publish(msg)
            time.sleep(0.05)
            statuses = live.peer.diagnostics[-1]
            levels = {part: status.level for part, status in statuses.items()}
            if 'latency/blend/p50_ms' in values_of(statuses['restoration']) and all(
                level == DiagnosticStatus.OK for level in levels.values()
            ):
                break
        else:
            pytest.fail(f'never all OK: {[s.message for s in statuses.values()]}')
    assert set(statuses) == {'restoration', 'input', 'engine'}
    assert {status.hardware_id for status in statuses.values()} == {'test_camera'}
    values = values_of(statuses['restoration'])
    stages = ['wait', 'decode', 'detect', 'align', 'restore_cycle_1', 'restore_cycle_2']
    for stage in [*stages, 'blend', 'publish', 'total', 'age']:
        p50, p95, p99, top = (
            float(values[f'latency/{stage}/{name}_ms']) for name in ('p50', 'p95', 'p99', 'max')
        )
        assert 0 <= p50 <= p95 <= p99 <= top
    # The age must be plausible: neither in another unit than ms nor by another clock.
    assert 0 < float(values['latency/age/p50_ms']) < 60_000
    assert values['cycles/asked'] == values['cycles/used'] == '2'
    assert float(values['faces_per_frame']) > 0
    assert float(values['rate/output_hz']) > 0
    assert float(values_of(statuses['input'])['rate/input_hz']) > 0
    engine = values_of(statuses['engine'])
    assert (engine['provider/requested'], engine['provider/used']) == ('auto', 'cpu')
    assert len(engine['model/sha256']) == 64
    live.peer.node.destroy_publisher(publisher)


def test_diagnostics_warn_when_no_face_is_seen(live: Live) -> None:
    publisher = live.camera()
    assert live.peer.set_parameter('diagnostics.no_face_warn_s', 1).successful
    send_until(
        publisher,
        bgr8_message(np.full((120, 160, 3), 128, np.uint8)),
        lambda: 'no face for' in live.peer.diagnostics[-1]['restoration'].message,
        'a warning of no face',
    )
    assert live.peer.diagnostics[-1]['restoration'].level == DiagnosticStatus.WARN
    assert live.peer.set_parameter('diagnostics.no_face_warn_s', 5).successful
    live.peer.node.destroy_publisher(publisher)


def test_diagnostics_warn_of_old_images(live: Live, portrait: NDArray[np.uint8]) -> None:
    publisher = live.camera()
    msg = bgr8_message(portrait)
    msg.header.stamp = live.peer.now()
    msg.header.stamp.sec -= 100
    send_until(
        publisher,
        msg,
        lambda: (
            'age p95' in live.peer.diagnostics[-1]['restoration'].message
            and live.peer.diagnostics[-1]['restoration'].level == DiagnosticStatus.WARN
        ),
        'a warning of the age',
    )
    # A zero stamp is not usable and must not count as an age of fifty years.
    unusable = 'frames_without_usable_stamp'
    before = int(values_of(live.peer.diagnostics[-1]['restoration'])[unusable])
    send_until(
        publisher,
        bgr8_message(portrait),
        lambda: int(values_of(live.peer.diagnostics[-1]['restoration'])[unusable]) > before,
        'a stamp that says nothing',
    )
    live.peer.node.destroy_publisher(publisher)


def test_diagnostics_report_missing_images_as_an_error(live: Live) -> None:
    status = live.peer.wait_for_diagnostics(
        lambda d: d['input'].level == DiagnosticStatus.ERROR, 'no images'
    )['input']
    assert 'no image on /image' in status.message


def test_lifecycle_transitions_by_services(live: Live, sent: Callable[..., Image]) -> None:
    peer = live.peer
    assert peer.state() == 'active'
    publisher = live.camera()
    assert peer.transition('deactivate')
    assert peer.state() == 'inactive'
    # An inactive node neither subscribes nor publishes, but its diagnostics continue without error.
    wait_until(lambda: publisher.get_subscription_count() == 0, 'the node to unsubscribe')
    statuses = peer.wait_for_diagnostics(
        lambda d: d['input'].message == 'inactive', 'inactive in diagnostics'
    )
    assert {status.level for status in statuses.values()} == {DiagnosticStatus.OK}
    assert peer.set_parameter('cycles', 3).successful
    assert not peer.transition('configure')
    assert peer.state() == 'inactive'

    assert peer.transition('activate')
    assert sent().width == 256

    assert peer.transition('deactivate')
    assert peer.transition('cleanup')
    assert peer.state() == 'unconfigured'
    wait_until(lambda: peer.node.count_publishers(FACE) == 0, 'the topics to go')
    peer.wait_for_diagnostics(
        lambda d: d['engine'].message == 'unconfigured', 'unconfigured in diagnostics'
    )
    assert peer.transition('configure')
    assert peer.transition('activate')
    assert sent().width == 256
    assert peer.get_parameter('cycles') == 3
    assert peer.set_parameter('cycles', 2).successful
    totals = peer.wait_for_diagnostics(
        lambda d: counts(d['input'])['in_flight'] == 0, 'none in flight'
    )
    after = counts(totals['input'])
    assert after['received'] == after['processed'] + after['dropped'] + after['rejected']
    peer.node.destroy_publisher(publisher)
