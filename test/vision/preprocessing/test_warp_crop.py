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

"""A crop shows what is at its place in the image, however much larger the face is than the crop."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from cfrnet_ros.vision.preprocessing.align import similarity_transform, warp_crop
from cfrnet_ros.vision.views.crop_geometry import crop_to_frame

WIDTH, HEIGHT, SIZE = 640, 480, 48


def wave(x: NDArray[np.floating], y: NDArray[np.floating]) -> NDArray[np.floating]:
    """Brightness at a place of the scene, 8 to 248: half a pixel aside it differs by up to 6."""
    return 128 + 60 * np.sin(2 * np.pi * x / 60) + 60 * np.sin(2 * np.pi * y / 75)


SCENE = np.rint(wave(*np.meshgrid(np.arange(float(WIDTH)), np.arange(float(HEIGHT))))).astype(
    np.uint8
)


def matrix(scale: float, turn_deg: float, x: float, y: float) -> NDArray[np.float64]:
    """Return the matrix of a crop whose centre is at x, y of the image."""
    c, s = (scale * f(math.radians(turn_deg)) for f in (math.cos, math.sin))
    turn = np.array([[c, -s], [s, c]])
    return np.hstack([turn, (np.full(2, (SIZE - 1) / 2) - turn @ [x, y])[:, None]])


def places(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the place in the image of each pixel of the crop, (SIZE, SIZE, 2) x, y."""
    across, down = np.meshgrid(np.arange(float(SIZE)), np.arange(float(SIZE)))
    return crop_to_frame(np.stack([across, down], axis=-1), affine)


@pytest.mark.parametrize('scale', [0.2, 0.3, 0.45, 0.8, 2.0])
@pytest.mark.parametrize('turn_deg', [0.0, 20.0, -110.0])
def test_each_pixel_shows_what_is_at_its_place(scale: float, turn_deg: float) -> None:
    affine = matrix(scale, turn_deg, 330.0, 217.0)
    x, y = np.moveaxis(places(affine), -1, 0)
    error = warp_crop(SCENE, affine, SIZE) - wave(x, y)
    # What is left comes from the average over the pixels and from linear interpolation.
    assert abs(error.mean()) < 1.0
    assert np.abs(error).max() < 6.0


@pytest.mark.parametrize('scale', [0.25, 0.8])
@pytest.mark.parametrize(('x', 'y'), [(12, 200), (630, 200), (300, 9), (300, 470), (5, 5)])
def test_beyond_the_border_the_image_is_mirrored(scale: float, x: int, y: int) -> None:
    affine = matrix(scale, 15.0, x, y)
    at = places(affine)
    inside = ((at >= 3) & (at <= np.array([WIDTH, HEIGHT]) - 4)).all(axis=-1)
    assert 0.2 < inside.mean() < 0.9
    crop = warp_crop(SCENE, affine, SIZE).astype(float)
    assert np.abs(crop - wave(at[..., 0], at[..., 1]))[inside].max() < 6.0
    mirrored = (WIDTH - 1) - np.abs((WIDTH - 1) - np.abs(at[..., 0]))
    down = (HEIGHT - 1) - np.abs((HEIGHT - 1) - np.abs(at[..., 1]))
    # The average over several pixels may put the mirror a pixel of the crop aside.
    assert np.abs(crop - wave(mirrored, down))[~inside].mean() < 16.0


def test_a_face_that_is_much_larger_than_its_crop_is_averaged_and_not_sampled() -> None:
    stripes = np.zeros((HEIGHT, WIDTH), np.uint8)
    stripes[:, ::2] = 200
    crop = warp_crop(stripes, matrix(0.2, 0.0, 320.0, 240.0), SIZE)
    assert np.abs(crop.astype(int) - 100).max() <= 21


@pytest.mark.parametrize(('x', 'y'), [(-900, 100), (100, 2000), (1500, -700)])
def test_a_crop_outside_of_the_image_has_its_size(x: int, y: int) -> None:
    colour = np.dstack([SCENE] * 3)
    crop = warp_crop(colour, matrix(0.3, 40.0, x, y), SIZE)
    assert crop.shape == (SIZE, SIZE, 3)
    assert crop.dtype == np.uint8


@pytest.mark.parametrize(
    ('landmarks', 'said'),
    [
        ([[0, 0]] * 5, 'landmarks coincide'),
        ([[0, 0], [1, 0], [0, 1], [float('nan'), 2], [3, 3]], 'landmarks must be finite numbers'),
    ],
)
def test_landmarks_without_a_fit_are_refused(landmarks: list[list[float]], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        similarity_transform(landmarks, 256)
