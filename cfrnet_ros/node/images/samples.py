"""Samples of any depth to eight bits, and eight bits to BGR."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.node.images.encodings import Matrix
from cfrnet_ros.node.images.errors import NOT_FINITE, ImageError


class SampleScaler:
    """Brings samples of any depth to 8 bits, those of 16 bits steadily over time.

    Infrared cameras fill 10 to 14 of the 16 bits, so dropping the low byte
    would leave a black picture, and stretching every frame by its own extremes
    would make the picture flicker with a reflection. So the 1st and 99.8th
    percentile are followed by an exponential moving average (a tenth of the way
    each frame), starting from the first frame's own.
    """

    #: Share of the way to the new frame's percentiles.
    SMOOTHING = 0.1
    #: Least span in counts, so that a covered lens stays dark instead of
    #: showing its noise at full contrast.
    MIN_SPAN = 64.0

    def __init__(self) -> None:
        """Start without a history."""
        self._low: float | None = None
        self._high = 0.0

    def reset(self) -> None:
        """Forget the frames seen so far."""
        self._low = None

    def to_bytes(self, samples: NDArray[Any]) -> NDArray[np.uint8]:
        """Bring the samples of one frame to eight bits.

        Args:
            samples: (H, W) or (H, W, C) uint8, uint16 or float array of any byte order, not
                empty. Floats are clipped to 0..1.

        Returns:
            uint8 array of the same shape; eight-bit samples are returned as they are.

        Raises:
            ImageError: Floats are NaN or infinite.

        """
        if samples.dtype.kind == 'f':
            return _floats_to_bytes(samples)
        return self._scale(samples) if samples.dtype.itemsize == 2 else samples

    def _scale(self, samples: NDArray[np.uint16]) -> NDArray[np.uint8]:
        # Every sixteenth row and column is plenty for a percentile.
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
    # Finite samples have a finite sum unless it overflows, and then a
    # second look decides; one pass over the data is the common case.
    with np.errstate(invalid='ignore', over='ignore'):
        suspicious = not np.isfinite(samples.sum(dtype=np.float64))
    if suspicious and not np.isfinite(samples).all():
        count = int(np.size(samples) - np.count_nonzero(np.isfinite(samples)))
        raise ImageError(NOT_FINITE, f'{count} samples are NaN or infinite')
    scaled = np.clip(samples.astype(np.float32), 0.0, 1.0) * np.float32(255.0)
    return (scaled + np.float32(0.5)).astype(np.uint8)


def to_bgr(pixels: NDArray[np.uint8], code: int | Matrix | None) -> NDArray[np.uint8]:
    """Convert pixels to BGR.

    Args:
        pixels: (H, W) or (H, W, C) uint8 array, as the conversion takes it.
        code: OpenCV conversion or matrix as in `encodings.Encoding`, None for pixels that are
            BGR already.

    Returns:
        (H, W, 3) uint8 BGR, C-contiguous.

    """
    if code is None:
        return np.ascontiguousarray(pixels)
    if isinstance(code, tuple):
        return np.asarray(cv2.transform(pixels, np.array(code))).astype(np.uint8, copy=False)
    return np.asarray(cv2.cvtColor(pixels, code)).astype(np.uint8, copy=False)
