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

"""Captions on pictures."""

from __future__ import annotations

import cv2
import numpy as np

from cfrnet_ros.replay.pictures import Picture

BAR_PX = 18
_FONT, _SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.42


def caption(picture: Picture, text: str) -> Picture:
    """Return a (H, W, 3) BGR picture with a line of text in a bar above it."""
    bar = np.full((BAR_PX, picture.shape[1], 3), 32, np.uint8)
    cv2.putText(bar, text, (4, BAR_PX - 5), _FONT, _SCALE, (235, 235, 235), 1, cv2.LINE_AA)
    return np.vstack([bar, picture])


def blank(height: int, width: int, text: str) -> Picture:
    """Return a grey (height, width, 3) picture with a text in the middle."""
    picture = np.full((height, width, 3), 60, np.uint8)
    (across, down), _ = cv2.getTextSize(text, _FONT, _SCALE, 1)
    where = ((width - across) // 2, (height + down) // 2)
    cv2.putText(picture, text, where, _FONT, _SCALE, (190, 190, 190), 1, cv2.LINE_AA)
    return picture


def fit(picture: Picture, height: int) -> Picture:
    """Scale a picture to a height in pixels; the width is even, as video codecs require."""
    width = max(2, round(picture.shape[1] * height / picture.shape[0] / 2) * 2)
    if picture.shape[:2] == (height, width):
        return picture
    how = cv2.INTER_AREA if picture.shape[0] > height else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (width, height), interpolation=how), np.uint8)
