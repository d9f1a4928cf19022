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

"""Colour noise of dark faces: what is smoothed, and what is left."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import Frame

from cfrnet_ros.vision.engine.models import MODEL_DIR
from cfrnet_ros.vision.engine.providers import ProviderChoice
from cfrnet_ros.vision.preprocessing.colour_noise import (
    FIRST_GAIN,
    FULL_GAIN,
    prepare_face,
    smooth_colour_noise,
)
from cfrnet_ros.vision.preprocessing.exposure import expose_face, face_exposure_gain


@pytest.fixture(scope='module')
def face(portrait: Frame) -> Frame:
    """Return the portrait's face, (256, 256, 3) BGR."""
    return np.ascontiguousarray(portrait[10:266, 100:356])


def colours(crop: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the colour differences Cr and Cb, (H, W, 2)."""
    return np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2YCrCb), np.float32)[..., 1:]


def at_night(face: Frame, light: float = 0.25, noise: float = 2.0) -> Frame:
    """Return the face in a share of the light, with coarse noise of the colours alone."""
    rng = np.random.default_rng(6)
    planes = np.asarray(cv2.cvtColor(face, cv2.COLOR_BGR2YCrCb), np.float32)
    planes[..., 1:] -= 128.0
    side = face.shape[0]
    blotches = rng.normal(0.0, noise / light, (side // 8, side // 8, 2)).astype(np.float32)
    planes[..., 1:] += np.asarray(
        cv2.resize(blotches, (side, side), interpolation=cv2.INTER_CUBIC), np.float32
    )
    planes[..., 1:] += 128.0
    bright = cv2.cvtColor(np.clip(planes, 0, 255).astype(np.uint8), cv2.COLOR_YCrCb2BGR)
    return np.rint(bright * light).astype(np.uint8)


def error(crop: Frame, truth: Frame) -> float:
    return float(np.abs(colours(crop) - colours(truth)).mean())


def test_blotches_of_a_dark_face_are_smoothed_and_its_brightness_stays(face: Frame) -> None:
    dark = at_night(face)
    assert face_exposure_gain(dark) > FULL_GAIN
    bright, smooth = expose_face(dark), prepare_face(dark)
    truth = expose_face(np.rint(face * 0.25).astype(np.uint8))
    assert error(smooth, truth) < 0.6 * error(bright, truth)
    grey = [cv2.cvtColor(one, cv2.COLOR_BGR2YCrCb)[..., 0] for one in (bright, smooth)]
    # Colours that leave the range of a byte are clipped, which changes the brightness of few.
    assert np.abs(grey[0].astype(int) - grey[1]).mean() < 1.0


def test_colours_of_a_dark_face_without_noise_stay(face: Frame) -> None:
    dark = at_night(face, noise=0.0)
    bright, smooth = expose_face(dark), prepare_face(dark)
    # A dark face has few levels, and so rounding alone makes some noise.
    assert error(smooth, bright) < 1.5
    mouth = (slice(130, 150), slice(105, 145), 0)
    red = [np.percentile(colours(one)[mouth], 95) for one in (bright, smooth)]
    assert red[1] > red[0] - 1.5


def test_restored_faces_of_the_night_are_nearer_to_their_colours(
    face: Frame, cpu: ProviderChoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cfrnet_ros.vision.restoration import restorer as module

    restorer = module.Restorer(MODEL_DIR / 'cfrnet_256_int8.onnx', cpu, threads=1)
    dark, truth = at_night(face), expose_face(np.rint(face * 0.25).astype(np.uint8))
    smoothed = restorer.restore(dark, 3).crop
    monkeypatch.setattr(module, 'prepare_face', expose_face)
    assert error(smoothed, truth) < 0.8 * error(restorer.restore(dark, 3).crop, truth)


def test_faces_that_are_not_very_dark_are_left_to_the_network(face: Frame) -> None:
    assert prepare_face(face) is face
    dim = np.rint(face * 0.55).astype(np.uint8)
    assert 1.0 < face_exposure_gain(dim) < FIRST_GAIN
    assert np.array_equal(prepare_face(dim), expose_face(dim))


def test_smoothing_sets_in_gradually(face: Frame) -> None:
    noisy = expose_face(at_night(face))
    gains = np.linspace(FIRST_GAIN, FULL_GAIN, 11)
    crops = [smooth_colour_noise(noisy, float(gain)).astype(int) for gain in gains]
    steps = [np.abs(b - a).mean() for a, b in itertools.pairwise(crops)]
    assert np.array_equal(crops[0], noisy)
    assert max(steps) < 0.25 * np.abs(crops[-1] - crops[0]).mean()
    beyond = smooth_colour_noise(noisy, 6.0)
    assert np.array_equal(beyond, crops[-1])


def test_infrared_faces_stay_grey(face: Frame) -> None:
    dark = np.asarray(cv2.cvtColor(face, cv2.COLOR_BGR2GRAY), np.uint8) // 4
    grey = np.repeat(dark[..., None], 3, axis=2)
    assert np.array_equal(prepare_face(grey), expose_face(grey))


@pytest.mark.parametrize('side', [8, 96, 250, 512])
def test_crops_of_any_size_are_smoothed(face: Frame, side: int) -> None:
    crop = np.asarray(
        cv2.resize(at_night(face), (side, side), interpolation=cv2.INTER_AREA), np.uint8
    )
    smooth = smooth_colour_noise(expose_face(crop), 4.0)
    assert smooth.shape == crop.shape
    assert smooth.dtype == np.uint8


def test_black_and_uniform_crops_are_no_error() -> None:
    for level in (0, 1, 40):
        crop = np.full((256, 256, 3), level, np.uint8)
        assert np.array_equal(prepare_face(crop), expose_face(crop))
