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

"""Frames that the camera of the benchmark sends: people who move a little, seen in daylight."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from demo.scene import WIDTH, Scene

FPS = 20
SEED = 5
#: Standard deviation of the noise in grey values: enough for fusion to have work to do.
NOISE = 6.0


@cache
def frames(width: int, height: int, faces: int, count: int) -> tuple[NDArray[np.uint8], ...]:
    """Draw a short sequence that can be played forwards and backwards.

    Args:
        width: Width of the frames in pixels.
        height: Height of the frames in pixels.
        faces: Number of people side by side, 1 to 3.
        count: Number of frames.

    Returns:
        (height, width, 3) uint8 BGR frames, 1/20 s apart. The faces grow with the height of the
        frame: at 480 pixels they are about 110 pixels high.

    """
    people = [Scene(SEED + number) for number in range(faces)]
    rng = np.random.default_rng(SEED)
    drawn = []
    for index in range(count):
        strips = [person.frame(index / FPS) for person in people]
        wide = WIDTH // faces
        strips = [strip[:, (WIDTH - wide) // 2 :][:, :wide] for strip in strips]
        clean = np.hstack(strips)
        # Enlarged together with the picture, so that the crops are alike in all sizes.
        noisy = clean + NOISE * rng.standard_normal(clean.shape, np.float32)
        drawn.append(_fitted(np.clip(noisy, 0, 255).astype(np.uint8), width, height))
    return tuple(drawn)


def _fitted(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Enlarge a picture to a height; mirror or cut it at the sides."""
    wide = round(picture.shape[1] * height / picture.shape[0])
    tall = np.asarray(cv2.resize(picture, (wide, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    side = (width - wide) // 2
    if side < 0:
        return tall[:, -side : -side + width]
    padded = cv2.copyMakeBorder(tall, 0, 0, side, width - wide - side, cv2.BORDER_REFLECT_101)
    return np.asarray(padded, np.uint8)
