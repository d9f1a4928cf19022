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

"""Keeps the camera's own grain where a restored face fades into its frame."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.preprocessing.exposure import noise_level

#: Noise (standard deviation in grey values) from which a frame counts as grainy.
LEAST_NOISE = 1.0

#: Grain is the difference from a blur of this sigma in pixels, up to this many standard
#: deviations: a larger difference is an edge, which the restored face has itself.
SIGMA, REACH = 1.2, 2.0


def grain_of(bgr: NDArray[np.uint8]) -> NDArray[np.int16] | None:
    """Extract the grain of a part of a frame.

    Synthetic grain would have another spectrum than the camera's, which is shaped by demosaicing
    and compression, and it would flicker in a still picture. The frame's own grain is in the
    same pixels as before, and equal for equal frames.

    Args:
        bgr: (H, W, 3) uint8 part of the frame.

    Returns:
        (H, W, 3) int16 grain to add to a smooth picture, or None for a picture without grain.

    """
    gray = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)).astype(np.uint8, copy=False)
    noise = noise_level(gray)
    if noise < LEAST_NOISE:
        return None
    detail = cv2.subtract(bgr, cv2.GaussianBlur(bgr, (0, 0), SIGMA), dtype=cv2.CV_16S)
    most = max(1, round(REACH * noise))
    return np.asarray(np.clip(detail, -most, most), np.int16)


def grain_share(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the share of the grain that must be added where a restored face is blended in.

    With a the mask's share of the restored face, blending leaves (1 - a) of the frame's
    grain. Adding a (1 - a^2) of it results in 1 - a^3: all of the grain around the face, most of
    it where the face fades in, and none in its middle, where it was removed on purpose.

    Args:
        mask: (H, W) uint8 mask, 255 where only the restored face is shown.

    Returns:
        (H, W) uint8 share, 255 for all of the grain.

    """
    return np.asarray(cv2.LUT(mask, _TABLE)).astype(np.uint8, copy=False)


_TABLE = np.rint(255 * (np.arange(256) / 255) * (1 - (np.arange(256) / 255) ** 2)).astype(np.uint8)
