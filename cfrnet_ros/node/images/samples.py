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

"""Converts samples of any depth to 8 bits, and 8-bit samples to BGR."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.node.images.encodings import Matrix
from cfrnet_ros.node.images.errors import NOT_FINITE, ImageError


class SampleScaler:
    """Converts samples of any depth to 8 bits; the scale of 16-bit samples is steady over time.

    Infrared cameras use 10 to 14 of the 16 bits, so dropping the low byte would give a black
    picture. Scaling every frame by its own extremes would make the picture flicker with each
    reflection. Therefore the scale follows the 1st and the 99.8th percentile by an exponential
    moving average, which starts at the percentiles of the first frame.
    """

    #: Weight of the new frame's percentiles in the moving average.
    SMOOTHING = 0.1
    #: Smallest distance of the two percentiles in counts, so that a covered lens gives a dark
    #: picture instead of its noise at full contrast.
    MIN_SPAN = 64.0

    def __init__(self) -> None:
        """Start without earlier frames."""
        self._low: float | None = None
        self._high = 0.0

    def reset(self) -> None:
        """Forget the earlier frames."""
        self._low = None

    def to_bytes(self, samples: NDArray[Any]) -> NDArray[np.uint8]:
        """Convert the samples of one frame to 8 bits.

        Args:
            samples: (H, W) or (H, W, C) uint8, uint16 or float array of any byte order, not
                empty. Floats are clipped to 0..1.

        Returns:
            uint8 array of the same shape. 8-bit samples are returned unchanged.

        Raises:
            ImageError: Samples are NaN or infinite.

        """
        if samples.dtype.kind == 'f':
            return _floats_to_bytes(samples)
        return self._scale(samples) if samples.dtype.itemsize == 2 else samples

    def _scale(self, samples: NDArray[np.uint16]) -> NDArray[np.uint8]:
        # Some 128 to 255 rows and columns, evenly spaced, suffice for the percentiles.
        stride = tuple(slice(None, None, max(1, side // 128)) for side in samples.shape[:2])
        low, high = (float(v) for v in np.percentile(samples[stride], (1.0, 99.8)))
        if self._low is None:
            self._low, self._high = low, high
        else:
            self._low += self.SMOOTHING * (low - self._low)
            self._high += self.SMOOTHING * (high - self._high)
        gain = 255.0 / max(self._high - self._low, self.MIN_SPAN)
        native = np.ascontiguousarray(samples, dtype=np.uint16)
        scaled = (native.astype(np.float32) - np.float32(self._low)) * np.float32(gain)
        return np.clip(scaled + 0.5, 0, 255).astype(np.uint8)


def _floats_to_bytes(samples: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    # Finite samples have a finite sum unless it overflows; in that case the samples are checked one
    # by one. Usually a single pass over the data is enough.
    with np.errstate(invalid='ignore', over='ignore'):
        suspicious = not np.isfinite(samples.sum(dtype=np.float64))
    if suspicious and not np.isfinite(samples).all():
        count = int(np.size(samples) - np.count_nonzero(np.isfinite(samples)))
        raise ImageError(NOT_FINITE, f'{count} samples are NaN or infinite')
    with np.errstate(over='ignore'):
        # A double beyond the range of a float becomes infinite, and is clipped.
        single = samples.astype(np.float32)
    scaled = np.clip(single, 0.0, 1.0) * np.float32(255.0)
    return (scaled + np.float32(0.5)).astype(np.uint8)


def to_bgr(pixels: NDArray[np.uint8], code: int | Matrix | None) -> NDArray[np.uint8]:
    """Convert pixels to BGR.

    Args:
        pixels: (H, W) or (H, W, C) uint8 array, with the channels that the conversion expects.
        code: OpenCV code or matrix of the conversion, as in `encodings.Encoding`; None if the
            pixels are BGR already.

    Returns:
        (H, W, 3) uint8 BGR array, C-contiguous.

    """
    if code is None:
        return np.ascontiguousarray(pixels)
    if isinstance(code, tuple):
        return np.asarray(cv2.transform(pixels, np.array(code))).astype(np.uint8, copy=False)
    return np.asarray(cv2.cvtColor(pixels, code)).astype(np.uint8, copy=False)
