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

"""OpenCV's picture operations with the types that the tests need."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]


def resized(frame: Frame, width: int, height: int) -> Frame:
    """Scale a picture, with averaging if it becomes smaller."""
    return np.asarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def warped(frame: Frame, matrix: NDArray[Any], width: int, height: int) -> Frame:
    """Warp a picture; pixels beyond its border repeat its edge."""
    return np.asarray(
        cv2.warpAffine(frame, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def rotation(x: float, y: float, angle: float, scale: float) -> NDArray[np.float64]:
    """Return the (2, 3) matrix that rotates by degrees and scales about a point."""
    return np.asarray(cv2.getRotationMatrix2D((x, y), angle, scale), np.float64)


def gray_of(frame: Frame) -> Frame:
    """Return the (H, W) grey values of a BGR picture."""
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), np.uint8)


def gray_bgr(frame: Frame) -> Frame:
    """Return a (H, W, 3) grey picture with three equal channels."""
    return np.repeat(gray_of(frame)[..., None], 3, axis=2)


def dimmed(frame: Frame, factor: float) -> Frame:
    """Multiply the brightness by a factor."""
    return np.clip(np.rint(frame * factor), 0, 255).astype(np.uint8)


def blurred(frame: Frame, sigma: float) -> Frame:
    """Blur with a Gaussian of sigma in pixels."""
    return np.asarray(cv2.GaussianBlur(frame, (0, 0), sigma), np.uint8)
