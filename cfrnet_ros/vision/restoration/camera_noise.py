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

"""Measures how much of the difference between two crops is noise, by brightness.

Noise differs between cameras and, within a picture, between dark and bright places; gamma, JPEG and
upscaling change it further. Therefore nothing about the noise is assumed: the difference of two
registered crops of a face is noise in most places, so its median over places of equal brightness
measures the noise, and motion, which fills less than half of the crop, hardly changes it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

#: Number of groups of equal size into which the pixels are divided by brightness.
GROUPS = 4

#: Largest factor by which the noise of a crop may exceed what the crops before showed. Above it the
#: difference is motion that fills more than half of the crop.
GROWTH = 1.6

#: Increase of the remembered noise from frame to frame, and the share of a decrease that is
#: adopted at once: what was measured while the face moved is soon corrected.
RISE, FALL = 0.05, 0.3

#: Factor between the noise that a single crop shows at most and the median square of its second
#: differences, with a reserve of 2: the texture of a face adds to these as well.
SPATIAL_RESERVE = 2.0

#: Variance below which differences are rounding, in squared grey values.
LEAST = 0.02

#: Distance of the samples that are used.
_STEP = 3

_LEVELS = np.arange(256)


class NoiseModel:
    """Noise of one camera by brightness, measured from frame to frame.

    Not thread-safe.
    """

    def __init__(self) -> None:
        """Start without any measurement."""
        self._known: Floats | None = None

    def update(self, squares: Floats, luma: Floats, side: int) -> Floats:
        """Measure the noise in the difference of two registered crops.

        Args:
            squares: (n, n) float32 squared differences, low-passed before they were squared, and
                divided by the number of single-frame variances that they contain.
            luma: (n, n) float32 brightness of the crop, 0..255, low-passed like the differences.
            side: Side of the low pass in pixels. Samples that are this far apart are independent.

        Returns:
            (256,) float32 median square of the noise of one frame by brightness, above 0.

        """
        values = squares[1::_STEP, 1::_STEP].ravel()
        levels = luma[1::_STEP, 1::_STEP].ravel()
        order = np.argsort(levels)
        groups = np.array_split(order, GROUPS)
        centres = [float(levels[group[group.size // 2]]) for group in groups]
        found = [median_of(values[group]) for group in groups]
        measured = np.interp(_LEVELS, centres, found).astype(np.float32) + LEAST
        measured = np.minimum(measured, SPATIAL_RESERVE * spatial_noise(luma, side) + LEAST)
        if self._known is None:
            self._known = measured
            return measured
        bounded = np.minimum(measured, GROWTH * self._known)
        known = self._known
        self._known = np.where(
            measured < known,
            known + FALL * (measured - known),
            np.minimum(known * (1.0 + RISE), measured),
        ).astype(np.float32)
        return np.asarray(bounded, np.float32)


def spatial_noise(crop: Floats, side: int) -> float:
    """Estimate from one crop the median square of its noise after a low pass.

    The estimate is that of Immerkaer ("Fast noise variance estimation", CVIU 1996) at the distance
    at which low-passed noise is independent, with a median instead of a mean. The texture of the
    face raises it, so it is an upper bound.

    Args:
        crop: (n, n) float32 grey crop, low-passed.
        side: Side of the low pass in pixels.

    Returns:
        Median square of the noise in squared grey values.

    """
    down = crop[2 * side :] - 2.0 * crop[side:-side] + crop[: -2 * side]
    response = down[:, 2 * side :] - 2.0 * down[:, side:-side] + down[:, : -2 * side]
    # 36 is the sum of the squares of the kernel: the factor by which it amplifies variances.
    return median_of(np.abs(response[::_STEP, ::_STEP]).ravel()) ** 2 / 36.0


def median_of(values: NDArray[np.floating]) -> float:
    """Return the upper median of a (n,) array, at a fraction of the time of `numpy.median`."""
    middle = values.size // 2
    return float(np.partition(values, middle)[middle])
