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

"""Faces are found with five landmarks, in good frames and in frames of a bad camera."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from onnx_models import scale_model
from pictures import Frame, resized, rotation, warped

from cfrnet_ros.vision.detection import detector as detector_module
from cfrnet_ros.vision.detection.detector import MAX_SESSIONS, YuNetDetector, default_model
from cfrnet_ros.vision.detection.yunet_graph import YuNetGraph
from cfrnet_ros.vision.engine.providers import ProviderChoice
from cfrnet_ros.vision.errors import ModelError

#: Landmarks of the astronaut, placed by eye, in pixels of the 512x512 photograph.
LANDMARKS = np.array([[204, 101], [247, 102], [223, 127], [204, 141], [243, 142]], np.float32)


#: Accuracy of the 8-bit YuNet, as a fraction of the distance of the eyes.
TOLERANCE = 0.16


def landmark_error(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Return the mean distance as a fraction of the distance between the eyes."""
    eyes = float(np.linalg.norm(expected[0] - expected[1]))
    return float(np.linalg.norm(found - expected, axis=1).mean()) / eyes


def test_one_face_with_landmarks_in_order(detector: YuNetDetector, portrait: Frame) -> None:
    faces = detector.detect(portrait)
    assert len(faces) == 1
    face = faces[0]
    assert landmark_error(face.landmarks, LANDMARKS) < TOLERANCE
    assert face.box[0] < 195 < 250 < face.box[2]
    assert face.box[1] < 100 < 150 < face.box[3]
    assert 0.8 < face.score <= 1
    assert face.track_id == -1
    assert face.box.dtype == face.landmarks.dtype == np.dtype(np.float32)


def test_a_mirrored_face_keeps_the_image_order(detector: YuNetDetector, portrait: Frame) -> None:
    face = detector.detect(np.ascontiguousarray(portrait[:, ::-1]))[0]
    mirrored = LANDMARKS[[1, 0, 2, 4, 3]] * [-1, 1] + [511, 0]
    assert landmark_error(face.landmarks, mirrored.astype(np.float32)) < TOLERANCE


@pytest.mark.parametrize('angle', [-30, -15, 15, 30])
@pytest.mark.parametrize('scale', [0.6, 1.0, 2.5])
def test_rotated_and_scaled_faces_are_found(
    detector: YuNetDetector, portrait: Frame, angle: float, scale: float
) -> None:
    side = round(512 * scale)
    matrix = rotation(222, 122, angle, scale)
    matrix[:, 2] += np.array([side / 2 - 222, side / 2 - 122])
    frame = warped(portrait, matrix, side, side)
    expected = (LANDMARKS @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    faces = detector.detect(frame)
    assert len(faces) == 1
    assert landmark_error(faces[0].landmarks, expected) < TOLERANCE


def test_two_faces_largest_first(detector: YuNetDetector, two_faces: Frame) -> None:
    faces = detector.detect(two_faces)
    assert len(faces) == 2
    assert faces[0].area > faces[1].area
    assert faces[0].box[2] < 330 < faces[1].box[0]


def night(frame: Frame, light: float, noise: float, gray: bool) -> Frame:
    values = frame.astype(np.float64)
    if gray:
        values = np.repeat(values.mean(axis=2, keepdims=True), 3, axis=2)
    grain = np.random.default_rng(3).normal(0, noise, (*frame.shape[:2], 1 if gray else 3))
    return np.clip(values * light + grain, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ('light', 'noise', 'gray'),
    [(0.12, 0, False), (0.15, 5, False), (0.3, 10, True), (1, 40, False), (0.06, 2, True)],
)
def test_dark_noisy_and_infrared_frames(
    detector: YuNetDetector, portrait: Frame, light: float, noise: float, gray: bool
) -> None:
    faces = detector.detect(night(portrait, light, noise, gray))
    assert len(faces) == 1
    assert landmark_error(faces[0].landmarks, LANDMARKS) < 0.25


def test_no_face_is_found_in_frames_without_one(detector: YuNetDetector) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    for frame in (np.zeros_like(noise), np.full_like(noise, 255), noise, noise // 16):
        assert detector.detect(frame) == []


@pytest.mark.parametrize(
    'shape', [(1, 1), (7, 31), (31, 7), (1, 2000), (2000, 1), (3, 4000), (33, 33), (1080, 1920)]
)
def test_frames_of_any_shape_are_accepted(
    detector: YuNetDetector, portrait: Frame, shape: tuple[int, int]
) -> None:
    frame = resized(portrait, shape[1], shape[0])
    for face in detector.detect(frame, 0.3):
        assert np.isfinite(face.box).all()


def test_the_threshold_removes_low_scores(detector: YuNetDetector, portrait: Frame) -> None:
    assert detector.detect(portrait, 0.99) == []
    assert len(detector.detect(portrait, 0.5)) == 1


def test_sessions_are_kept_and_bounded(cpu: ProviderChoice, portrait: Frame) -> None:
    detector = YuNetDetector(None, cpu, 320, threads=1)
    detector.detect(portrait)
    sessions = dict(detector._sessions)
    detector.detect(portrait)
    assert dict(detector._sessions) == sessions
    for width in range(32, 320, 32):
        detector.detect(portrait[:, :width])
    assert len(detector._sessions) <= MAX_SESSIONS
    assert len(detector.detect(portrait)) == 1


@pytest.mark.parametrize(
    'frame',
    [
        np.zeros((0, 10, 3), np.uint8),
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3), np.float32),
    ],
)
def test_invalid_frames_are_refused(detector: YuNetDetector, frame: Frame) -> None:
    with pytest.raises(ValueError, match=r'\(H, W, 3\) uint8'):
        detector.detect(frame)


def test_same_faces_without_onnx(
    cpu: ProviderChoice, portrait: Frame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without the package onnx a file is used at its own size.
    path = tmp_path / 'yunet.onnx'
    path.write_bytes(YuNetGraph(default_model()).fitted(640, 640))
    monkeypatch.setattr(detector_module, 'CAN_FIT', False)
    detector = YuNetDetector(path, cpu, threads=1)
    for frame in (portrait, resized(portrait, 1600, 900)):
        factor = np.array([frame.shape[1], frame.shape[0]], np.float32) / 512
        face = detector.detect(frame)[0]
        assert landmark_error(face.landmarks, (LANDMARKS * factor).astype(np.float32)) < TOLERANCE


def test_a_file_by_path_gives_the_same(
    cpu: ProviderChoice, detector: YuNetDetector, portrait: Frame, tmp_path: Path
) -> None:
    copy = tmp_path / 'yunet.onnx'
    copy.write_bytes(default_model().read_bytes())
    face = YuNetDetector(copy, cpu, 384, threads=1).detect(portrait)[0]
    assert np.allclose(face.landmarks, detector.detect(portrait)[0].landmarks, atol=0.01)


def test_detections_agree_with_opencv(cpu: ProviderChoice, portrait: Frame, tmp_path: Path) -> None:
    # OpenCV's own YuNet code, with the same weights, expanded because it cannot read blocks.
    path = tmp_path / 'yunet.onnx'
    path.write_bytes(YuNetGraph(default_model()).fitted(512, 512))
    try:
        reference = cv2.FaceDetectorYN.create(str(path), '', (512, 512), 0.6)
        row = np.asarray(reference.detect(portrait)[1], np.float32)[0]
    except cv2.error as error:
        # OpenCV 4.6 supports only the YuNet of 2022.
        pytest.skip(f'this OpenCV cannot run the file: {error}')
    face = YuNetDetector(None, cpu, 512, threads=1, refinements=0).detect(portrait)[0]
    assert np.allclose(face.landmarks.ravel(), row[4:14], atol=0.6)
    assert np.allclose(face.box[:2], row[:2], atol=0.6)
    assert face.score == pytest.approx(float(row[14]), abs=0.01)


def test_wrong_files_are_refused(cpu: ProviderChoice, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match='there is no model file'):
        YuNetDetector(tmp_path / 'absent.onnx', cpu)
    with pytest.raises(ModelError, match=r'not a YuNet.*face_detection_yunet'):
        YuNetDetector(scale_model(tmp_path / 'm.onnx', 1.0), cpu)
    sface = default_model().with_name('face_recognition_sface_2021dec_int8bq.onnx')
    with pytest.raises(ModelError):
        YuNetDetector(sface, cpu)
    text = tmp_path / 'text.onnx'
    text.write_text('hello')
    with pytest.raises(ModelError, match='cannot load'):
        YuNetDetector(text, cpu)
    with pytest.raises(ValueError, match='refinements'):
        YuNetDetector(None, cpu, refinements=-1)
    with pytest.raises(ValueError, match='input_size'):
        YuNetDetector(None, cpu, input_size=8)
