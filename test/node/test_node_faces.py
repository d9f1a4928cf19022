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

"""Tests of one node process: budget, reuse, choice and quality of faces, and their messages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PolygonStamped
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
from ros_domains import next_domain
from sensor_msgs.msg import CameraInfo, Image

from cfrnet_ros.vision.preprocessing.align import warp_crop
from cfrnet_ros.vision.views.crop_geometry import affine_from_corners, crop_to_frame, frame_to_crop

FACE, OUTLINE, STATUS = '/cfrnet/face/image', '/cfrnet/face/outline', '/cfrnet/face/status'
CROP_CAMERA = '/cfrnet/face/camera_info'


@dataclass
class Live:
    process: NodeProcess
    peer: Peer

    def set(self, **values: Any) -> None:
        for name, value in values.items():
            result = self.peer.set_parameter(name, value)
            assert result.successful, result.reason

    @property
    def restoration(self) -> dict[str, str]:
        return values_of(self.peer.diagnostics[-1]['restoration'])


@pytest.fixture(scope='module')
def node(tmp_path_factory: pytest.TempPathFactory, halving_model: Path) -> Iterator[Live]:
    domain = next_domain()
    arguments = ['-p', f'model:={halving_model}', '-p', 'detection_interval:=1']
    process = NodeProcess(tmp_path_factory.mktemp('faces'), domain, arguments)
    peer = Peer(domain)
    try:
        process.wait_for_log('waiting for Image')
        wait_until(lambda: peer.diagnostics, 'the first diagnostics')
        yield Live(process, peer)
        assert process.exit_code is None, process.log
        assert process.end() == 0
        assert 'Traceback' not in process.log
    finally:
        peer.close()
        process.kill()


@pytest.fixture
def camera(node: Live) -> Iterator[Any]:
    publisher = node.peer.publisher('image')
    yield publisher
    node.peer.node.destroy_publisher(publisher)


@pytest.fixture
def exchange(node: Live, camera: Any, portrait: NDArray[np.uint8]) -> Callable[..., list[Any]]:
    """Send the portrait until all topics have a message about the same frame; return these."""

    def run(*topics: tuple[str, Any], meanwhile: Callable[[], None] | None = None) -> list[Any]:
        # Frames of the previous test may still arrive.
        msg = bgr8_message(portrait, f'camera_{time.monotonic_ns()}')
        received = [node.peer.collect(topic, msg_type=kind) for topic, kind in topics]

        def complete() -> list[Any] | None:
            msg.header.stamp.sec += 1
            if meanwhile is not None:
                meanwhile()
            mine = [
                {m.header.stamp.sec: m for m in list(r.messages)
                 if m.header.frame_id == msg.header.frame_id}
                for r in received
            ]  # fmt: skip
            common = set.intersection(*(set(m) for m in mine))
            return [m[max(common)] for m in mine] if common else None

        result: list[Any] = send_until(camera, msg, complete, f'messages on {topics}')
        for subscription in received:
            subscription.__exit__()
        return result

    return run


def until(node: Live, camera: Any, frame: NDArray[np.uint8], key: str, wanted: str) -> None:
    """Send a frame until the diagnostics contain the wanted value of `key`."""
    send_until(
        camera,
        bgr8_message(frame),
        lambda: node.restoration.get(key) == wanted,
        f'{key} {wanted}',
    )


def test_latency_budget_limits_the_cycles(
    node: Live, camera: Any, portrait: NDArray[np.uint8]
) -> None:
    node.set(cycles=8)
    until(node, camera, portrait, 'cycles/used', '8')
    node.set(latency_budget_ms=0.5)
    until(node, camera, portrait, 'cycles/used', '1')
    assert (node.restoration['cycles/asked'], node.restoration['cycles/allowed']) == ('8', '1')
    # A budget that suffices for all cycles allows all of them again.
    node.set(latency_budget_ms=60000)
    until(node, camera, portrait, 'cycles/used', '8')
    node.set(latency_budget_ms=0, cycles=2)
    until(node, camera, portrait, 'cycles/allowed', '2')


def test_convergence_tolerance_ends_the_cycles(
    node: Live, camera: Any, portrait: NDArray[np.uint8]
) -> None:
    # The model halves the contrast, so each residual is half of the one before.
    node.set(cycles=8, convergence_tolerance=0.0)
    until(node, camera, portrait, 'cycles/used', '8')
    residuals = [float(node.restoration[f'residual/cycle_{k}']) for k in (3, 4)]
    node.set(convergence_tolerance=sum(residuals) / 2)
    until(node, camera, portrait, 'cycles/used', '4')
    assert node.restoration['cycles/allowed'] == '8'
    node.set(convergence_tolerance=0.0, cycles=2)


def test_reuse_tolerance_reuses_a_still_face(
    node: Live, camera: Any, portrait: NDArray[np.uint8]
) -> None:
    until(node, camera, portrait, 'face_1/reused', 'false')
    before = int(node.restoration['faces/reused'])
    node.set(reuse_tolerance=4)
    until(node, camera, portrait, 'face_1/reused', 'true')
    assert int(node.restoration['faces/reused']) > before
    node.set(reuse_tolerance=0)
    until(node, camera, portrait, 'face_1/reused', 'false')


def test_faces_outside_roi_are_not_passed_on(
    node: Live, camera: Any, portrait: NDArray[np.uint8]
) -> None:
    # Integers are accepted as well.
    node.set(roi=[0, 0, 1, 1])
    assert list(node.peer.get_parameter('roi')) == [0.0, 0.0, 1.0, 1.0]
    node.set(roi=[0.7, 0.0, 1.0, 1.0], face_choice='driver')
    send_until(
        camera,
        bgr8_message(portrait),
        lambda: 'face_1/track_id' not in node.restoration,
        'frames without a face passed on',
    )
    node.set(roi=[0.0, 0.0, 0.7, 1.0])
    until(node, camera, portrait, 'face_1/restored', 'true')
    node.set(roi=[0.0, 0.0, 1.0, 1.0], face_choice='largest')


@pytest.mark.parametrize(
    ('name', 'value', 'reason'),
    [
        ('roi', [0.0, 0.0, 640.0, 480.0], 'fractions of the frame, not pixels'),
        ('roi', [0.5, 0.0, 0.2, 1.0], 'left must be below right'),
        ('roi', [0.0, 1.0], 'four numbers'),
        ('roi', ['a', 'b', 'c', 'd'], 'must be list of doubles'),
        ('face_choice', 'prettiest', "'largest' or 'driver'"),
        ('max_yaw_deg', 181.0, 'range'),
        ('crop_size', 512, 'read-only'),
    ],
)
def test_invalid_values_of_face_parameters_are_refused_with_the_reason(
    node: Live, name: str, value: Any, reason: str
) -> None:
    result = node.peer.set_parameter(name, value)
    assert not result.successful
    assert reason in result.reason


@pytest.mark.parametrize(
    ('change', 'off', 'reason'),
    [
        ({'min_brightness': 250.0}, {'min_brightness': 5.0}, 'too_dark'),
        ({'min_face_px': 400}, {'min_face_px': 24}, 'too_small'),
        ({'max_yaw_deg': 0.0}, {'max_yaw_deg': 60.0}, 'turned'),
        ({'min_score_restore': 1.0}, {'min_score_restore': 0.0}, 'low_score'),
        ({'min_symmetry': 1.0}, {'min_symmetry': -1.0}, 'covered'),
        ({'min_upright': 1.0}, {'min_upright': -0.03}, 'not_upright'),
        ({'max_identity_drift': 0.01}, {'max_identity_drift': 0.0}, 'identity_drift'),
    ],
)
def test_face_beyond_a_quality_limit_is_passed_on_unrestored(
    node: Live,
    exchange: Callable[..., list[Any]],
    portrait: NDArray[np.uint8],
    change: dict[str, Any],
    off: dict[str, Any],
    reason: str,
) -> None:
    key = f'faces/unrestored/{reason}'
    before = int(node.restoration[key])
    node.set(**change)
    crop, status, outline = exchange(
        (FACE, Image), (STATUS, DiagnosticArray), (OUTLINE, PolygonStamped)
    )
    assert crop.header == status.header == outline.header
    face = status.status[0]
    values = values_of(face)
    assert (face.level, face.message) == (DiagnosticStatus.WARN, reason)
    assert (values['restored'], values['reason'], values['cycles']) == ('false', reason, '0')
    # The crop contains the camera's pixels, cut out at the position that the messages report.
    affine = np.array(values['affine'].split(), float).reshape(2, 3)
    assert np.array_equal(pixels_of(crop), warp_crop(portrait, affine, 256))
    wait_until(lambda: int(node.restoration[key]) > before, f'{key} counted')
    node.set(**off)
    crop, status = exchange((FACE, Image), (STATUS, DiagnosticArray))
    assert (status.status[0].level, status.status[0].message) == (DiagnosticStatus.OK, 'restored')


def test_face_status_contains_the_measurements(
    node: Live, exchange: Callable[..., list[Any]]
) -> None:
    node.set(max_identity_drift=180.0)
    (status,) = exchange((STATUS, DiagnosticArray))
    values = values_of(status.status[0])
    assert status.status[0].name == f'cfrnet: face {values["track_id"]}'
    assert 0.6 < float(values['score']) <= 1
    assert 60 < float(values['size_px']) < 200
    assert 30 < float(values['brightness']) < 230
    assert abs(float(values['yaw_deg'])) < 45
    # Sharpness is relative to contrast, so halving the contrast changes it only by rounding.
    before, after = (float(values[f'sharpness_{when}']) for when in ('before', 'after'))
    assert after == pytest.approx(before, rel=0.3)
    assert 0 <= float(values['identity_drift_deg']) < 60
    node.set(max_identity_drift=0.0)
    wait_until(lambda: 'face_1/sharpness_before' in node.restoration, 'the same in the diagnostics')


def test_crop_points_map_back_to_the_frame_within_a_tenth_of_a_pixel(
    node: Live, exchange: Callable[..., list[Any]], portrait: NDArray[np.uint8]
) -> None:
    node.set(min_brightness=250.0)
    crop, outline = exchange((FACE, Image), (OUTLINE, PolygonStamped))
    corners = [(p.x, p.y) for p in outline.polygon.points]
    affine = affine_from_corners(corners, crop.width, crop.height)
    pixels = pixels_of(crop)
    # The crop, warped back to the position that the outline reports, must coincide with the frame.
    # The remaining shift is estimated from their difference and the gradient of the frame.
    back = cv2.warpAffine(pixels, affine, (640, 480), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    x0, y0 = np.ceil(np.min(corners, axis=0)).astype(int) + 8
    x1, y1 = np.floor(np.max(corners, axis=0)).astype(int) - 8
    seen, sent = (
        cv2.cvtColor(part[y0:y1, x0:x1], cv2.COLOR_BGR2GRAY).astype(np.float32)
        for part in (np.asarray(back), portrait)
    )
    slopes = [cv2.Sobel(sent, cv2.CV_32F, *axes, scale=1 / 8).ravel() for axes in ((1, 0), (0, 1))]
    columns = np.asarray(np.stack(slopes, axis=1), np.float64)
    left = np.asarray(seen, np.float64) - np.asarray(sent, np.float64)
    shift = np.linalg.lstsq(columns, left.ravel(), rcond=None)[0]
    assert float(np.linalg.norm(shift)) < 0.1
    points = np.array([[10.0, 20.0], [128.0, 128.0], [255.0, 0.0]])
    assert np.allclose(frame_to_crop(crop_to_frame(points, affine), affine), points, atol=1e-6)
    node.set(min_brightness=5.0)


def test_crop_camera_info_projects_points_to_their_crop_pixels(
    node: Live, exchange: Callable[..., list[Any]]
) -> None:
    source = CameraInfo(width=640, height=480, distortion_model='plumb_bob')
    source.k = [600.0, 0.0, 320.0, 0.0, 600.0, 240.0, 0.0, 0.0, 1.0]
    source.r = np.eye(3).ravel().tolist()
    source.p = [600.0, 0.0, 320.0, 0.0, 0.0, 600.0, 240.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    source.d = [-0.2, 0.05, 0.001, -0.002, 0.0]
    # The intrinsics are on the topic beside the image; no parameter or remapping is needed.
    publisher = node.peer.publisher('camera_info', CameraInfo)
    crop, info, outline = exchange(
        (FACE, Image),
        (CROP_CAMERA, CameraInfo),
        (OUTLINE, PolygonStamped),
        meanwhile=lambda: publisher.publish(source),
    )
    assert crop.header == info.header
    assert (info.width, info.height) == (crop.width, crop.height)
    assert info.distortion_model == 'plumb_bob'
    corners = [(p.x, p.y) for p in outline.polygon.points]
    affine = affine_from_corners(corners, crop.width, crop.height)
    points = np.array([[-0.2, -0.1, 1.0], [-0.15, -0.12, 0.9], [-0.1, 0.05, 1.1]])
    rotation = np.array(info.r).reshape(3, 3)
    seen = [
        cv2.projectPoints(p, np.zeros(3), np.zeros(3), np.array(k).reshape(3, 3), np.array(d))[0]
        for p, k, d in ((points, source.k, source.d), (points @ rotation.T, info.k, info.d))
    ]
    expected = frame_to_crop(np.asarray(seen[0]).reshape(-1, 2), affine)
    assert np.abs(np.asarray(seen[1]).reshape(-1, 2) - expected).max() < 0.1
    # Intrinsics for another image size are not used.
    source.width = 1280
    with node.peer.collect(CROP_CAMERA, msg_type=CameraInfo):

        def warned() -> bool:
            publisher.publish(source)
            exchange((FACE, Image))
            return 'camera_info describes 1280x480 images' in node.process.log

        wait_until(warned, 'a warning')
    node.peer.node.destroy_publisher(publisher)
