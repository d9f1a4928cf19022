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

"""The tone of the skin in studio photographs, by its individual typology angle."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

#: Points of the face mesh in the middle of the cheeks, image-left and image-right.
CHEEKS = (50, 280)

#: Half the side of the square that is read on each cheek, in pixels of a crop of 256 px.
_HALF = 8

#: Grey value that backdrops are brought to: that of the London set.
_BACKDROP = 215.0

#: A backdrop: an upper corner, or two alike, even, neither dark nor burnt out, nearly without
#: colour. Standard deviation and difference in grey values, chroma in CIELAB units.
_CORNER, _EVEN, _ALIKE, _LIGHT, _CHROMA = 20, 8.0, 25.0, (90.0, 254.0), 22.0


def ita_deg(crop: NDArray[np.uint8], mesh: NDArray[np.float32]) -> float:
    """Measure the individual typology angle of the cheeks before a grey backdrop.

    The backdrop tells colour and strength of the light, which are divided out.

    The individual typology angle is atan((L* - 50) / b*) in CIELAB. Source: Chardon, Cretois and
    Hourseau, "Skin colour typology and suntanning pathways", International Journal of Cosmetic
    Science 13 (1991).

    Args:
        crop: (256, 256, 3) uint8 BGR undegraded crop.
        mesh: (468, 2) points of the face mesh in pixels of the crop.

    Returns:
        Angle in degrees, above 41 for light skin, 10 and below for brown and dark skin; NaN
        without a grey backdrop.

    """
    backdrop = _backdrop(crop)
    if backdrop is None:
        return math.nan
    picture = np.clip(crop.astype(np.float32) / 255.0 * (_BACKDROP / backdrop), 0.0, 1.0)
    lab = cv2.cvtColor(picture, cv2.COLOR_BGR2Lab)
    cheeks = []
    for index in CHEEKS:
        x, y = (int(v) for v in np.clip(np.round(mesh[index]), _HALF, crop.shape[0] - _HALF - 1))
        cheeks.append(lab[y - _HALF : y + _HALF + 1, x - _HALF : x + _HALF + 1].reshape(-1, 3))
    lightness, _, yellow = np.median(np.concatenate(cheeks), axis=0)
    return math.degrees(math.atan2(float(lightness) - 50.0, max(float(yellow), 1e-3)))


def _backdrop(crop: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    """Return the (3,) BGR colour of a grey backdrop, 0..255, or None if there is none."""
    corners = [
        part.reshape(-1, 3).astype(np.float32)
        for part in (crop[:_CORNER, :_CORNER], crop[:_CORNER, -_CORNER:])
    ]
    # Hair may reach into one of the corners.
    colours = [corner.mean(axis=0) for corner in corners if corner.std(axis=0).max() < _EVEN]
    if not colours or np.ptp(np.array(colours), axis=0).max() > _ALIKE:
        return None
    mean = np.asarray(np.mean(colours, axis=0), np.float32)
    lab = cv2.cvtColor((mean / 255.0).reshape(1, 1, 3), cv2.COLOR_BGR2Lab).reshape(3)
    light = _LIGHT[0] < mean.min() and mean.max() < _LIGHT[1]
    return mean if light and float(np.hypot(lab[1], lab[2])) < _CHROMA else None
