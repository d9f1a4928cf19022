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

"""What a user does without a network: denoisers of OpenCV, and an adaptive Wiener filter."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


def as_it_is(crop: Picture) -> Picture:
    """Return the (256, 256, 3) crop: the face as alignment has enlarged it."""
    return crop


def non_local_means(crop: Picture) -> Picture:
    """Average like patches (Buades et al., CVPR 2005), with OpenCV's default windows.

    Args:
        crop: (256, 256, 3) uint8 BGR.

    """
    # Strength 6 instead of OpenCV's 3, which leaves the noise of cheap cameras.
    return np.asarray(cv2.fastNlMeansDenoisingColored(crop, None, 6, 6, 7, 21), np.uint8)


def bilateral(crop: Picture) -> Picture:
    """Average neighbours of like colour (Tomasi and Manduchi, ICCV 1998).

    Args:
        crop: (256, 256, 3) uint8 BGR.

    """
    return np.asarray(cv2.bilateralFilter(crop, 7, 30.0, 3.0), np.uint8)


def wiener(crop: Picture, window: int = 5) -> Picture:
    """Draw each pixel to its neighbours' mean, the more the less they vary.

    The adaptive Wiener filter (Lee, TPAMI 1980; Lim, Two-Dimensional Signal and Image Processing,
    1990, p. 536); the noise's variance is the mean of the local ones.

    Args:
        crop: (256, 256, 3) uint8 BGR.
        window: Side of the neighbourhood in pixels, odd.

    """
    x = crop.astype(np.float32)
    mean = cv2.blur(x, (window, window))
    variance = np.maximum(cv2.blur(x * x, (window, window)) - mean * mean, 1e-3)
    noise = variance.mean(axis=(0, 1))
    share = np.maximum(variance - noise, 0.0) / np.maximum(variance, noise)
    return np.asarray((mean + share * (x - mean)).round().clip(0, 255), np.uint8)


#: Filters by the names of their rows.
FILTERS: dict[str, Callable[[Picture], Picture]] = {
    'as_it_is': as_it_is,
    'non_local_means': non_local_means,
    'bilateral': bilateral,
    'wiener': wiener,
}

#: Names for people.
TITLES = {
    'as_it_is': 'no restoration (bicubic alignment, brightened)',
    'non_local_means': 'OpenCV non-local means',
    'bilateral': 'bilateral filter',
    'wiener': 'Wiener filter',
}
