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

"""Splits a crop into brightness and colour, so that colour needs half the resolution only.

Cameras and codecs record colour at half the resolution of brightness as well (4:2:0).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass
class CropPlanes:
    """Brightness and colour of a crop.

    Attributes:
        luma: (N, N) float32 brightness, 0..255.
        small: (N/2, N/2, 3) float32 brightness and the two colour differences of ITU-R BT.601, at
            half the size.

    """

    luma: Floats
    small: Floats

    @classmethod
    def of(cls, crop: NDArray[np.uint8]) -> CropPlanes:
        """Split a (N, N, 3) uint8 BGR crop."""
        wide = cv2.cvtColor(crop, cv2.COLOR_BGR2YCrCb)
        small = half(np.asarray(wide, np.uint8))
        luma = np.asarray(cv2.extractChannel(wide, 0), np.float32)
        # Of the brightness, not of its bytes: the statistics of the noise need fractions.
        cv2.insertChannel(half(luma), small, 0)
        return cls(luma, small)

    @property
    def small_luma(self) -> Floats:
        """(N/2, N/2) float32 brightness at half the size."""
        return np.asarray(cv2.extractChannel(self.small, 0), np.float32)

    def crop(self) -> NDArray[np.uint8]:
        """Return the (N, N, 3) uint8 BGR crop, rounded and saturated."""
        wide = enlarged(self.small, self.luma.shape[0])
        cv2.insertChannel(self.luma, wide, 0)
        return np.asarray(cv2.cvtColor(to_bytes(wide), cv2.COLOR_YCrCb2BGR), np.uint8)


def to_bytes(image: Floats, scale: float = 1.0, offset: float = 0.0) -> NDArray[np.uint8]:
    """Return a float32 image times a scale plus an offset, rounded and saturated to uint8."""
    # This takes a fraction of the time of NumPy's rint, clip and astype.
    return np.asarray(cv2.addWeighted(image, scale, image, 0.0, offset, dtype=cv2.CV_8U), np.uint8)


def half(image: Floats | NDArray[np.uint8]) -> Floats:
    """Return a float32 or uint8 image at half its size, as (H/2, W/2) or (H/2, W/2, C) float32."""
    size = (image.shape[1] // 2, image.shape[0] // 2)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)


def enlarged(image: Floats, side: int) -> Floats:
    """Return a square image at another size, interpolated linearly.

    Args:
        image: (n, n) or (n, n, C) float32 image.
        side: New side in pixels.

    Returns:
        (side, side) or (side, side, C) float32 image, a new array.

    """
    return np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR), np.float32)
