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

"""Tells where the difference between a crop and the mean of earlier ones is more than noise."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.restoration.camera_noise import NoiseModel, median_of
from cfrnet_ros.vision.restoration.crop_planes import to_bytes

Floats = NDArray[np.float32]

#: Side of the windows in which differences are compared, as a share of the crop: less than the
#: height of an eye, more than the noise's own grain.
WINDOW = 1 / 32

#: Windows over which the comparison is spread, as a share of the crop, so that the edge of a moving
#: part moves with it.
SPREAD = 5 / 128

#: Side of the neighbourhood that supports what a window shows, as a share of the crop: less than
#: the width of an eye. What moves fills several windows, while the noise of one exceeds that of its
#: neighbours by chance: 3 to 6 times a frame on a face in deep noise, which left specks there.
NEIGHBOURHOOD = 14 / 128

#: Largest excess of a window, as a multiple of the mean excess of its neighbourhood. With 4 half of
#: the specks stay; with 2 and a neighbourhood of 14 / 128, lids are seen as before
#: (`benchmarks.blink_detection`).
SUPPORT = 2.0

#: Bounds of the median of the spread ratio, and of that of its neighbourhood. They depend on the
#: grain of the noise: 2 and 1.5 for noise of single pixels in three channels, up to 4.6 and 2.7 for
#: coarse noise in one. Above them most of the face moves.
LEAST_MEDIAN, MOST_MEDIAN, MOST_AROUND = 1.0, 5.0, 3.0

#: Increase of the remembered median from frame to frame; a decrease is adopted at once.
RISE = 1.05

_MEAN = np.full((1, 3), 1 / 3, np.float32)


class _Relative:
    """Divides a ratio by the median that it has under noise alone."""

    def __init__(self, most: float) -> None:
        """Start without any measurement; the median is at most `most`."""
        self._most = self._median = most

    def __call__(self, ratio: Floats) -> Floats:
        """Measure the median of a ratio, (n, n) float32, and return the ratio relative to it."""
        median = median_of(np.asarray(ratio[::3, ::3], np.float32).ravel())
        self._median = min(self._median * RISE, self._most, median)
        return np.asarray(ratio, np.float32) / np.float32(max(self._median, LEAST_MEDIAN))


class LocalMotion:
    """Compares the differences of one track with the noise that it has shown so far.

    Not thread-safe.
    """

    def __init__(self) -> None:
        """Start without any measurement."""
        self._noise = NoiseModel()
        self._windows, self._around = _Relative(MOST_MEDIAN), _Relative(MOST_AROUND)
        #: Noise of one frame in grey values, low-passed over `WINDOW`, as last measured.
        self.noise_level = math.inf

    def excess(self, small: Floats, difference: Floats, variance: Floats) -> Floats:
        """Return by how much each difference exceeds the noise.

        Args:
            small: (n, n, 3) float32 newest crop: brightness and two colour differences.
            difference: (n, n, 3) float32 difference of the crop from the mean.
            variance: (n, n) float32 variance of the mean, in variances of one frame.

        Returns:
            (n, n) float32 ratio of squares: about 1 where nothing moved, more where something did.

        """
        side = _odd(WINDOW * small.shape[0])
        change = cv2.blur(difference, (side, side))
        squares = np.asarray(cv2.transform(cv2.multiply(change, change), _MEAN), np.float32)
        squares /= 1.0 + np.minimum(variance, np.float32(1.0))
        luma = np.asarray(cv2.blur(cv2.extractChannel(small, 0), (side, side)), np.float32)
        noise = self._noise.update(squares, luma, side)
        self.noise_level = math.sqrt(float(noise.mean()))
        ratio = cv2.divide(squares, cv2.LUT(to_bytes(luma), noise))
        spread = _odd(SPREAD * small.shape[0])
        wide = _odd(NEIGHBOURHOOD * small.shape[0])
        kernel = np.ones((spread, spread), np.uint8)
        ratio = cv2.blur(ratio, (spread, spread))
        around = self._around(_float32(cv2.dilate(cv2.blur(ratio, (wide, wide)), kernel)))
        windows = self._windows(_float32(cv2.blur(cv2.dilate(ratio, kernel), (spread, spread))))
        supported = 1.0 + SUPPORT * np.maximum(around - 1.0, 0.0)
        return np.minimum(windows, supported.astype(np.float32))


def _float32(values: NDArray[np.generic]) -> Floats:
    return np.asarray(values, np.float32)


def _odd(side: float) -> int:
    """Return the odd number that is next to a side in pixels."""
    return 2 * round(side / 2) + 1
