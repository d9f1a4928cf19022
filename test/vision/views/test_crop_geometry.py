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

"""Points of a crop map to the frame and back, and the crop's camera agrees with the mapping."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import Frame, rotation, warped

from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.preprocessing.align import align_face
from cfrnet_ros.vision.quality.face_quality import yaw_of
from cfrnet_ros.vision.views.crop_camera import crop_camera
from cfrnet_ros.vision.views.crop_geometry import (
    affine_from_corners,
    corners_in_frame,
    crop_to_frame,
    frame_to_crop,
)

AFFINE = rotation(300, 200, 25, 1.7) - np.array([[0, 0, 150], [0, 0, 60]])


def test_points_map_to_the_frame_and_back() -> None:
    points = np.random.default_rng(0).uniform(-50, 700, (3, 5, 2))
    there = frame_to_crop(points, AFFINE)
    assert there.shape == points.shape
    assert np.allclose(crop_to_frame(there, AFFINE), points)
    assert np.allclose(crop_to_frame(frame_to_crop([10, 20], AFFINE), AFFINE), [10, 20])


def test_a_pixel_of_the_crop_shows_what_is_at_its_place_in_the_frame() -> None:
    # The value of each pixel is its position.
    ramp = np.stack(np.meshgrid(np.arange(640.0), np.arange(480.0)), axis=-1).astype(np.float32)
    affine = rotation(320, 240, 25, 1.7) - np.array([[0, 0, 190], [0, 0, 110]])
    crop = np.asarray(cv2.warpAffine(ramp, affine, (256, 256)))
    for x, y in ((0, 0), (255, 0), (128, 77), (255, 255)):
        # OpenCV's sampling positions are multiples of 1/32 of a pixel.
        assert np.allclose(crop_to_frame((x, y), affine), crop[y, x], atol=1 / 32)


def test_landmarks_found_in_a_crop_are_those_of_the_frame(
    detector: YuNetDetector, portrait: Frame
) -> None:
    frame = warped(portrait, rotation(222, 122, 12, 1.1), 512, 512)
    face = detector.detect(frame)[0]
    crop, affine = align_face(frame, face.landmarks, 256, margin=1.6)
    inside = detector.detect(crop)[0]
    back = crop_to_frame(inside.landmarks, affine)
    # The accuracy is that of the detector, because the face is detected twice.
    assert np.linalg.norm(back - face.landmarks, axis=1).mean() < 0.05 * face.width
    assert abs(yaw_of(back.astype(np.float32)) - yaw_of(inside.landmarks)) < 1e-3


def test_corners_are_the_centres_of_the_corner_pixels_clockwise_from_the_first() -> None:
    half = np.array([[2.0, 0.0, -20.0], [0.0, 2.0, -40.0]])
    assert corners_in_frame(half, 5, 3).tolist() == [[10, 20], [12, 20], [12, 21], [10, 21]]


@pytest.mark.parametrize('size', [256, 512])
def test_corners_in_single_precision_recover_the_matrix(size: int) -> None:
    corners = corners_in_frame(AFFINE, size, size).astype(np.float32)
    affine = affine_from_corners(corners, size, size)
    points = np.random.default_rng(1).uniform(0, size, (100, 2))
    error = crop_to_frame(points, affine) - crop_to_frame(points, AFFINE)
    assert np.abs(error).max() < 1e-3


def test_invalid_points_and_matrices_are_refused() -> None:
    with pytest.raises(ValueError, match=r'\(\.\.\., 2\)'):
        frame_to_crop([1, 2, 3], AFFINE)
    with pytest.raises(ValueError, match=r'\(2, 3\)'):
        crop_to_frame([1, 2], np.eye(3))
    with pytest.raises(ValueError, match='no inverse'):
        crop_to_frame([1, 2], np.zeros((2, 3)))
    with pytest.raises(ValueError, match='no area'):
        affine_from_corners([[0, 0], [1, 1], [2, 2], [3, 3]], 256, 256)
    with pytest.raises(ValueError, match='corners must be'):
        affine_from_corners([[0, 0]], 256, 256)


def project(
    points: NDArray[np.float64], k: NDArray[np.float64], d: NDArray[np.float64], model: str
) -> NDArray[np.float64]:
    """Return (N, 2) raw pixels; k is applied separately because OpenCV ignores its skew."""
    unit = np.eye(3)
    if model == 'equidistant':
        flat, _ = cv2.fisheye.projectPoints(points[:, None], np.zeros(3), np.zeros(3), unit, d)
    else:
        flat, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), unit, d)
    return np.asarray(flat).reshape(-1, 2) @ k[:2, :2].T + k[:2, 2]


@pytest.mark.parametrize(
    ('model', 'coefficients'),
    [
        ('plumb_bob', [-0.3, 0.1, 0.004, -0.006, 0.02]),
        ('rational_polynomial', [-0.3, 0.1, 0.004, -0.006, 0.02, 0.1, -0.05, 0.01]),
        (
            'rational_polynomial',
            [-0.3, 0.1, 0.004, -0.006, 0.02, 0.1, -0.05, 0.01, 0.002, 0.001, -0.003, 0.002],
        ),
        ('equidistant', [-0.02, 0.01, -0.004, 0.001]),
        ('plumb_bob', []),
    ],
)
@pytest.mark.parametrize('fy', [600.0, 612.0])
def test_crop_camera_projects_to_the_pixels_of_the_crop(
    model: str, coefficients: list[float], fy: float
) -> None:
    k = np.array([[600.0, 0, 322], [0, fy, 241], [0, 0, 1]])
    p = np.array([[580.0, 0, 318, -60], [0, 580, 244, 0], [0, 0, 1, 0]])
    r = np.asarray(cv2.Rodrigues(np.array([0.01, -0.02, 0.005]))[0])
    d = np.array(coefficients)
    camera = crop_camera(k, d, r, p, model, AFFINE)
    points = np.random.default_rng(2).uniform([-0.3, -0.3, 0.8], [0.3, 0.3, 1.5], (50, 3))
    turn = camera.r @ r.T
    expected = frame_to_crop(project(points, k, d, model), AFFINE)
    assert np.allclose(project(points @ turn.T, camera.k, camera.d, model), expected, atol=1e-6)
    rectified = [
        (q @ np.hstack([points @ s.T, np.ones((50, 1))]).T).T
        for q, s in ((p, r), (camera.p, camera.r))
    ]
    pixels = [m[:, :2] / m[:, 2:] for m in rectified]
    assert np.allclose(pixels[1], frame_to_crop(pixels[0], AFFINE), atol=1e-6)
    if fy == 600.0:
        # Without skew, tools that use only fx, fy, cx and cy are right too.
        assert np.allclose([camera.k[0, 1], camera.k[1, 0], camera.p[0, 1], camera.p[1, 0]], 0)
