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

"""Makes dark and noisy frames readable for a detector that was trained on good ones."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

#: Mean grey value below which the contrast of a frame is stretched. YuNet was trained on WIDER
#: FACE, which shows daylight and lamp light.
DARK_MEAN = 70.0

#: Grey-value range that the stretch aims at, and its largest gain: beyond that an 8-bit image
#: contains quantisation steps instead of faces.
TARGET_SPAN, MAX_GAIN = 200.0, 16.0

#: Noise (standard deviation in grey values, scaled to a mean of 110) from which a frame is
#: smoothed, and from which it is smoothed more. Chosen on webcam and in-car frames with
#: synthetic noise: smoothing finds faces again in most of the noisy frames in which nothing was
#: found without it, and none is lost in the clean frames.
NOISY, VERY_NOISY = 2.0, 8.0

#: Second difference; along both axes it is the difference of two Laplacians.
_SECOND_DIFFERENCE = np.array([1, -2, 1], dtype=np.float32)


def noise_level(gray: NDArray[np.uint8]) -> float:
    """Estimate the standard deviation of white noise.

    The difference of two Laplacians does not respond to edges and slopes (Immerkaer, "Fast
    noise variance estimation", CVIU 1996); unlike its mean, its median also ignores texture
    that covers less than half of the image.

    Args:
        gray: (H, W) uint8 image.

    Returns:
        Standard deviation in grey values, 0..255.

    """
    response = cv2.sepFilter2D(gray, cv2.CV_16S, _SECOND_DIFFERENCE, _SECOND_DIFFERENCE)
    # 6 is the kernel's norm, 0.6745 the median of |x| of a standard normal variable.
    return _median(np.abs(response[::2, ::2])) / 6.0 / 0.6745


def _median(values: NDArray[np.int16]) -> float:
    """Return the median of integers of 0 or above, in a tenth of `numpy.median`'s time."""
    below = np.cumsum(np.bincount(values.reshape(-1)))
    low, high = np.searchsorted(below, ((values.size - 1) // 2, values.size // 2), side='right')
    return float(low + high) / 2.0


def normalise_exposure(bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Smooth a noisy image and stretch a dark one.

    The stretch is linear, because a gamma curve would amplify the noise of the darkest
    pixels most. It comes after the smoothing, because the noise of clipped values is no
    longer free of bias.

    Args:
        bgr: (H, W, 3) uint8 image.

    Returns:
        The image itself if it is neither noisy nor dark, otherwise a new one.

    """
    gray = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)).astype(np.uint8, copy=False)
    mean = float(gray.mean())
    noise = noise_level(gray) * 110.0 / min(110.0, max(4.0, mean))
    result = bgr
    if noise >= NOISY:
        sigma = 1.0 if noise < VERY_NOISY else 1.5
        result = np.asarray(cv2.GaussianBlur(bgr, (0, 0), sigma)).astype(np.uint8, copy=False)
        gray = np.asarray(cv2.cvtColor(result, cv2.COLOR_BGR2GRAY)).astype(np.uint8, copy=False)
    if mean < DARK_MEAN:
        low, high = (float(value) for value in np.percentile(gray[::2, ::2], (1, 99)))
        gain = min(MAX_GAIN, TARGET_SPAN / max(4.0, high - low))
        if gain > 1.0:
            table = np.clip((np.arange(256) - low) * gain, 0, 255).astype(np.uint8)
            result = np.asarray(cv2.LUT(result, table)).astype(np.uint8, copy=False)
    return result


#: Brightness of a face crop's highlights (98th percentile of grey, 0..255) below which the crop
#: counts as underexposed, above which it counts as well exposed, and to which it is brought.
#: Highlights and not the mean, because dark skin in good light has bright highlights too and must
#: not be brightened.
UNDEREXPOSED, WELL_EXPOSED, FACE_HIGHLIGHT = 120.0, 155.0, 200.0

#: Largest gain of a face crop.
MAX_FACE_GAIN = 6.0


def face_exposure_gain(crop: NDArray[np.uint8]) -> float:
    """Return the factor by which an underexposed face crop is to be multiplied.

    Multiplying gamma-encoded values corresponds to a longer exposure: (g L)^(1/2.2) is
    g^(1/2.2) L^(1/2.2). Between the two thresholds the gain fades to 1, so that a face at the
    border between light and dark does not flicker.

    Args:
        crop: (N, N, 3) uint8 BGR aligned face crop.

    Returns:
        Gain, from 1.0 for a well exposed face up to `MAX_FACE_GAIN`.

    """
    # Averaging keeps noise out of the highlights.
    small = cv2.resize(crop, (32, 32), interpolation=cv2.INTER_AREA)
    gray = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)[4:28, 6:26]
    highlight = max(1.0, _percentile(np.asarray(gray, np.uint8), 98))
    gain = min(MAX_FACE_GAIN, FACE_HIGHLIGHT / highlight)
    share = (WELL_EXPOSED - highlight) / (WELL_EXPOSED - UNDEREXPOSED)
    return 1.0 + (gain - 1.0) * min(1.0, max(0.0, share)) if gain > 1.0 else 1.0


def expose_face(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Brighten an underexposed face crop by `face_exposure_gain`.

    Args:
        crop: (N, N, 3) uint8 BGR aligned face crop.

    Returns:
        The crop itself if it is well exposed, otherwise a new (N, N, 3) uint8 BGR crop.

    """
    return brighten(crop, face_exposure_gain(crop))


def brighten(crop: NDArray[np.uint8], gain: float) -> NDArray[np.uint8]:
    """Multiply a face crop by a gain, as `expose_face` does.

    Args:
        crop: (N, N, 3) uint8 BGR aligned face crop.
        gain: Gain, 1 or more.

    Returns:
        The crop itself for a gain of 1, otherwise a new (N, N, 3) uint8 BGR crop, clipped at 255.

    """
    if gain <= 1.0:
        return crop
    # One vectorised call takes 20 us; the same table through cv2.LUT takes 57 us.
    return np.asarray(cv2.convertScaleAbs(crop, alpha=gain)).astype(np.uint8, copy=False)


def _percentile(gray: NDArray[np.uint8], percent: float) -> float:
    """Return a percentile, interpolated linearly, in a fraction of `numpy.percentile`'s time."""
    values = np.sort(gray, axis=None)
    place = (values.size - 1) * percent / 100.0
    below = int(place)
    low, high = float(values[below]), float(values[min(below + 1, values.size - 1)])
    return low + (high - low) * (place - below)
