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

"""Turned heads: a face warped as if its surface were turned about the neck.

The surface is a smooth bulge with a nose on it. It is turned by a yaw and a pitch of moderate
size, seen from the front again and aligned by where its five landmarks have gone, as the node
aligns what a detector finds. What was hidden cannot appear: the far cheek shrinks, the near one
stretches.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.preprocessing.align import DEFAULT_TEMPLATE, similarity_transform
from training.data.crops import SIZE

#: Middle of the head in the crop and half its width, pixels.
_CENTRE, _RADIUS = np.array([128.0, 138.0]), 80.0

#: Spread of yaw and pitch, and the most of both, radians.
YAW, PITCH = 0.2, 0.1
MOST_YAW, MOST_PITCH = 0.4, 0.22

#: Steps of the iteration that finds where a visible point was; each leaves at most 0.6 of the
#: error.
_ITERATIONS = 10


def draw_pose(rng: np.random.Generator) -> tuple[float, float]:
    """Draw yaw and pitch in radians."""
    yaw, pitch = rng.normal(0.0, 1.0, 2) * (YAW, PITCH)
    return float(np.clip(yaw, -MOST_YAW, MOST_YAW)), float(np.clip(pitch, -MOST_PITCH, MOST_PITCH))


def _depth(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the height of the surface at places in units of `_RADIUS`, smooth everywhere."""
    head = 0.8 * np.exp(-(x * x + 0.7 * y * y) / 0.9)
    nose = 0.16 * np.exp(-((x / 0.2) ** 2) - ((y - 0.12) / 0.28) ** 2)
    return np.asarray(head + nose)


def _forward(points: NDArray[np.float64], yaw: float, pitch: float) -> NDArray[np.float64]:
    """Return where (n, 2) points of the frontal crop are seen after turning the head."""
    x, y = ((points - _CENTRE) / _RADIUS).T
    z = _depth(x, y) - 0.4
    turned = np.stack([x * np.cos(yaw) + z * np.sin(yaw), y * np.cos(pitch) + z * np.sin(pitch)], 1)
    return np.asarray(turned * _RADIUS + _CENTRE)


def turned_grid(yaw: float, pitch: float, step: int) -> NDArray[np.float64]:
    """Return where each place of the turned and aligned crop was in the frontal crop.

    Args:
        yaw: Angle about the vertical axis, radians.
        pitch: Angle about the horizontal axis, radians.
        step: Distance between the places in pixels, a divisor of 256.

    Returns:
        (n, n, 2) x and y in pixels for the places 0, step, ..., 256 along both axes.

    """
    # The template counts from the pixels' edges.
    landmarks = DEFAULT_TEMPLATE * SIZE - 0.5
    align = similarity_transform(_forward(landmarks, yaw, pitch), SIZE, DEFAULT_TEMPLATE)
    back = np.linalg.inv(np.vstack([align, [0.0, 0.0, 1.0]]))
    ys, xs = np.mgrid[0 : SIZE + 1 : step, 0 : SIZE + 1 : step].astype(np.float64)
    places = np.stack([xs.ravel(), ys.ravel(), np.ones(xs.size)])
    seen = (back @ places)[:2].T
    origin = seen.copy()
    for _ in range(_ITERATIONS):
        origin += seen - _forward(origin, yaw, pitch)
    return np.asarray(origin.reshape(*xs.shape, 2))
