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

"""Moving portraits: a sharp face moves as the face of a clip does, and its truth stays in place."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.data import astronaut

from benchmarks.fusion_clips import CAMERAS, Filmed
from benchmarks.moving_portraits import FRAME, Portrait, film_portrait, motion_of
from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.preprocessing.align import align_face

Picture = NDArray[np.uint8]

#: Shift of the face from frame to frame in the clip, in pixels.
SHIFT = (1.5, -1.0)


@dataclass(frozen=True)
class Scene:
    """A portrait that was moved.

    Attributes:
        motion: (F, 2, 3) matrices.
        shots: Frames of a perfect camera.
        grey: Frames of an infrared camera.

    """

    motion: NDArray[np.float64]
    shots: list[Filmed]
    grey: list[Filmed]


def landmarks_in(picture: Picture) -> NDArray[np.float64]:
    detector = YuNetDetector(None, choose_providers('cpu'), 640, 1)
    return np.asarray(max(detector.detect(picture, 0.6), key=lambda f: f.score).landmarks)


@pytest.fixture(scope='module')
def scene() -> Scene:
    picture = np.ascontiguousarray(astronaut()[:300, 60:400, ::-1])
    size = (320, 280)
    clip = [
        np.asarray(
            cv2.warpAffine(
                picture, np.array([[0.6, 0, 40 + n * SHIFT[0]], [0, 0.6, 60 + n * SHIFT[1]]]), size
            ),
            np.uint8,
        )
        for n in range(6)
    ]
    motion = motion_of(clip)
    portrait = Portrait('astronaut', picture, landmarks_in(picture))
    cameras = {camera.name: camera for camera in CAMERAS}
    shots = [list(film_portrait(cameras[n], portrait, motion)) for n in ('clean', 'infrared')]
    return Scene(motion, *shots)


def test_a_portrait_moves_as_the_face_of_the_clip(scene: Scene) -> None:
    seen = np.array([landmarks_in(shot.seen).mean(axis=0) for shot in scene.shots])
    # Smoothing over time takes a part of the first and last steps.
    steps = np.diff(seen, axis=0)[1:-1].mean(axis=0)
    assert steps == pytest.approx(SHIFT, abs=0.35)
    assert np.linalg.norm(seen.mean(axis=0) - np.array(FRAME) / 2) < 15


def test_the_truth_is_sharper_than_what_the_camera_sees_and_in_the_same_place(
    scene: Scene,
) -> None:
    shot = scene.shots[3]
    crop, affine = align_face(shot.seen, landmarks_in(shot.seen))
    truth = shot.truth_crop(affine, 256)
    grey = [cv2.cvtColor(one, cv2.COLOR_BGR2GRAY).astype(np.float32) for one in (crop, truth)]
    # The truth is as soft as the crop after this blur; other methods are misled by the difference.
    found = cv2.findTransformECC(
        grey[0],
        cv2.GaussianBlur(grey[1], (0, 0), 1.5),
        np.eye(2, 3, dtype=np.float32),
        cv2.MOTION_TRANSLATION,
    )
    assert np.abs(found[1][:, 2]).max() < 0.1
    detail = [float(cv2.Laplacian(one, cv2.CV_32F).std()) for one in grey]
    assert detail[1] > 1.5 * detail[0]


def test_the_truth_of_an_infrared_camera_is_grey(scene: Scene) -> None:
    truth = scene.grey[0].truth
    assert np.ptp(truth.astype(np.int16), axis=2).max() == 0


def test_a_clip_without_a_face_is_refused() -> None:
    with pytest.raises(ValueError, match='no frame of the clip shows a face'):
        motion_of([np.zeros((240, 320, 3), np.uint8)])
