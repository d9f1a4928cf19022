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

"""Renders what a perfect camera would see: a person who moves a little, like a driver.

The person is the portrait of the astronaut Eileen Collins (NASA, public domain) that scikit-image
ships as `skimage.data.astronaut()`.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

WIDTH, HEIGHT = 640, 480
#: Width of the surroundings in pixels of the portrait, so that the camera never sees their edge.
BORDER = 320
#: Centre of the camera's view at rest, in pixels of the portrait, and the scale of the portrait in
#: the picture, at which its face is 113 px high.
_LOOK_AT = (236.0, 205.0)
_SCALE = 0.9


class Scene:
    """The portrait with its surroundings, seen by a camera that moves smoothly."""

    def __init__(self, seed: int) -> None:
        """Choose the movement of the camera.

        Args:
            seed: Seed of the movement; the same seed gives the same pictures.

        """
        rng = np.random.default_rng(seed)
        portrait = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)
        self._plate = _surround(np.asarray(portrait, np.uint8))
        # Slow sines with unrelated periods, like a person who sits and looks around.
        self._periods = rng.uniform(2.0, 6.0, (4, 2))
        self._phases = rng.uniform(0.0, 2 * np.pi, (4, 2))

    def frame(self, time_s: float) -> NDArray[np.uint8]:
        """Return the (480, 640, 3) uint8 BGR picture at a time in seconds."""
        sway = np.sin(2 * np.pi * time_s / self._periods + self._phases).mean(axis=1)
        x, y = _LOOK_AT[0] + 30 * sway[0], _LOOK_AT[1] + 14 * sway[1]
        scale = _SCALE * 1.14 ** sway[2]
        centre = (float(x + BORDER), float(y + BORDER))
        turn = cv2.getRotationMatrix2D(centre, 6 * float(sway[3]), float(scale))
        matrix = np.asarray(turn, np.float64)
        matrix[:, 2] += (WIDTH / 2 - centre[0], HEIGHT / 2 - centre[1])
        picture = cv2.warpAffine(
            self._plate_at(time_s),
            matrix,
            (WIDTH, HEIGHT),
            flags=cv2.INTER_AREA,
            borderMode=cv2.BORDER_REFLECT,
        )
        return np.asarray(picture, np.uint8)

    def _plate_at(self, time_s: float) -> NDArray[np.uint8]:
        """Return the surface that the camera sees at a time, (1152, 1152, 3) uint8 BGR."""
        del time_s
        return self._plate


def _surround(portrait: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Continue the portrait on all sides by its own mirror image, out of focus."""
    border = (BORDER,) * 4
    mirrored = cv2.copyMakeBorder(portrait, *border, cv2.BORDER_REFLECT_101)
    plate: NDArray[np.float32] = np.asarray(mirrored, np.float32)
    inside = np.zeros(plate.shape[:2], np.uint8)
    inside[BORDER + 8 : -BORDER - 8, BORDER + 8 : -BORDER - 8] = 1
    distance = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)[..., None]
    for sigma, start in ((3.0, 0.0), (8.0, 16.0), (16.0, 48.0)):
        weight = np.clip((distance - start) / 24.0, 0.0, 1.0)
        blurred = np.asarray(cv2.GaussianBlur(plate, (0, 0), sigma), np.float32)
        plate = plate + weight * (blurred - plate)
    return np.clip(plate + 0.5, 0, 255).astype(np.uint8)
