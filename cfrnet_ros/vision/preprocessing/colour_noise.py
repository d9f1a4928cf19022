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

"""Smooths the colour noise that brightening an underexposed face makes visible."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.preprocessing.exposure import brighten, face_exposure_gain

#: Gains at which the smoothing begins, and from which on it is whole. With a smaller gain there is
#: less noise to lose than colour: on 24 validation faces of the general set, smoothing all the same
#: turned the restored faces (k=3) by 2 degrees from the person.
FIRST_GAIN, FULL_GAIN = 2.0, 2.5

#: Sides in pixels to which a crop of any size is shrunk: for its colours, which the eye and video
#: resolve half as finely as brightness, and for their local means.
_COLOUR_SIDE, _MEAN_SIDE = 128, 64

#: Radius of the local means: a tenth of the crop to either side. The blotches that sensors and
#: coders leave are smaller; colours of skin, hair and lips extend further or follow the brightness.
_RADIUS = 6

#: Variance of the brightness (grey values squared) below which colours do not follow it.
_FLAT = 65.0

#: Levels by which the colours of a face without noise differ from that function, and factor of the
#: estimated noise variance. The factor is more than 1, since the noise of neighbours is alike and
#: local variances scatter.
_TEXTURE, _NOISE = 1.0, 6.0

#: Standard deviation of the Gaussian window of those local variances, in pixels of `_MEAN_SIDE`.
_WINDOW = 1.5


def smooth_colour_noise(crop: NDArray[np.uint8], gain: float) -> NDArray[np.uint8]:
    """Smooth the colours of a crop that was brightened, as far as they are noise.

    Brightness stays as it is. Each of the two colour differences (Cr, Cb) is compared with a
    linear function of the brightness in its surroundings (guided filter: He et al., TPAMI 2013; on
    a shrunk image: He and Sun, "Fast guided filter", arXiv 1505.00996). What it differs by is kept
    by the share of its local variance that the crop's noise does not account for (Wiener filter).
    The noise is estimated by the median of the differences, so that lips and eyes, which fill less
    than half of a face, do not count as noise.

    Args:
        crop: (N, N, 3) uint8 BGR face crop after brightening.
        gain: Gain by which it was brightened, 1 or more.

    Returns:
        The crop itself up to a gain of `FIRST_GAIN`, otherwise a new (N, N, 3) uint8 BGR crop.

    """
    share = min(1.0, (gain - FIRST_GAIN) / (FULL_GAIN - FIRST_GAIN))
    if share <= 0.0:
        return crop
    luma, *colours = cv2.split(cv2.cvtColor(crop, cv2.COLOR_BGR2YCrCb))
    bright = _shrunk(luma, _COLOUR_SIDE)
    guide = _shrunk(bright, _MEAN_SIDE)
    mean = _local(guide)
    variance = _local(guide * guide) - mean * mean + _FLAT
    smooth = [luma]
    for colour in colours:
        plane = _shrunk(colour, _COLOUR_SIDE)
        small = _shrunk(plane, _MEAN_SIDE)
        level = _local(small)
        slope = (_local(guide * small) - mean * level) / variance
        offset = _local(level - slope * mean)
        differs = plane - _grown(_local(slope), plane.shape) * bright - _grown(offset, plane.shape)
        # 0.6745 is the median of |x| of a standard normal variable.
        spread = float(np.median(np.abs(differs[::2, ::2]))) / 0.6745
        noise = _NOISE * max(0.0, spread - _TEXTURE) ** 2
        local = cv2.GaussianBlur(_shrunk(differs * differs, _MEAN_SIDE), (0, 0), _WINDOW)
        taken = share * np.minimum(1.0, noise / np.maximum(local, 1e-6))
        change = _grown(_grown(taken, plane.shape) * differs, colour.shape)
        smooth.append(cv2.subtract(colour, change, dtype=cv2.CV_8U))
    merged = cv2.cvtColor(cv2.merge(smooth), cv2.COLOR_YCrCb2BGR)
    return np.asarray(merged).astype(np.uint8, copy=False)


def _shrunk(plane: NDArray[Any], side: int) -> NDArray[np.float32]:
    shrunk = cv2.resize(plane, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, np.float32)


def _grown(small: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(small, shape[::-1]), np.float32)


def _local(small: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(cv2.blur(small, (2 * _RADIUS + 1, 2 * _RADIUS + 1)), np.float32)


def prepare_face(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Brighten an underexposed face crop and smooth its colour noise, as the network gets it.

    Args:
        crop: (N, N, 3) uint8 BGR aligned face crop.

    Returns:
        The crop itself if it is well exposed, otherwise a new (N, N, 3) uint8 BGR crop.

    """
    gain = face_exposure_gain(crop)
    return smooth_colour_noise(brighten(crop, gain), gain)
