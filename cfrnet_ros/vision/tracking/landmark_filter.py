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

"""Steadies the landmarks of each tracked face with a one-euro filter."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.types import Face

#: Cut-off frequency of the speed, in Hz: the value of the paper.
SPEED_CUTOFF_HZ = 1.0

#: Longest pause in seconds after which the previous position of a face is still used.
MAX_GAP_S = 0.5


@dataclass
class _State:
    time_s: float
    points: NDArray[np.float64]
    speed: NDArray[np.float64]


class LandmarkFilter:
    """Filters the landmarks of each track with one cut-off for all five points.

    Source: Casiez, Roussel, Vogel, "1 Euro filter: a simple speed-based low-pass filter for
    noisy input in interactive systems", CHI 2012. The cut-off rises with the speed, so that a
    still face stays still and a moving one does not lag. Two things differ from the paper.
    The speed is measured in face widths per second, so that one setting fits every resolution
    and distance. And one speed sets the cut-off of the whole face, that of the points' mean
    and of their spread, so that the five points keep their shape and the detector's noise,
    which moves them apart, is not taken for motion.

    Not thread-safe.
    """

    def __init__(self) -> None:
        """Start without any face."""
        self._states: dict[int, _State] = {}

    def reset(self) -> None:
        """Forget all faces, before a new scene or a jump in time."""
        self._states.clear()

    def keep(self, track_ids: Iterable[int]) -> None:
        """Forget all faces except the given ones."""
        wanted = set(track_ids)
        self._states = {i: state for i, state in self._states.items() if i in wanted}

    def apply(
        self, face: Face, time_s: float, min_cutoff_hz: float, beta: float
    ) -> NDArray[np.float32]:
        """Filter the landmarks of a face in the next frame.

        The filter starts anew at the given landmarks for a track that was not seen before, and
        when the time does not advance or advances by more than `MAX_GAP_S`.

        Args:
            face: Tracked face; a face without a track id is not filtered.
            time_s: Time at which the frame was taken, in seconds of any clock.
            min_cutoff_hz: Cut-off frequency for a face at rest, above 0; lower values are steadier.
            beta: Increase of the cut-off in Hz per face width per second; higher values lag less.

        Returns:
            (5, 2) float32 landmarks in pixels of the frame.

        """
        points = np.asarray(face.landmarks, np.float64)
        if face.track_id < 0:
            return np.asarray(face.landmarks, np.float32)
        state = self._states.get(face.track_id)
        passed = 0.0 if state is None else time_s - state.time_s
        if state is None or not 0 < passed <= MAX_GAP_S:
            self._states[face.track_id] = _State(time_s, points, np.zeros(3))
            return np.asarray(face.landmarks, np.float32)
        unit = max(face.width, 1.0)
        change = points - state.points
        # Translation, and growth of the spread: an in-plane rotation moves the mean, too.
        spreads = [float(np.linalg.norm(p - p.mean(axis=0))) for p in (points, state.points)]
        motion = np.append(change.mean(axis=0), (spreads[0] - spreads[1]) / math.sqrt(5))
        speed = state.speed + _share(SPEED_CUTOFF_HZ, passed) * (
            motion / unit / passed - state.speed
        )
        cutoff = min_cutoff_hz + beta * float(np.linalg.norm(speed))
        filtered = state.points + _share(cutoff, passed) * change
        self._states[face.track_id] = _State(time_s, filtered, speed)
        return filtered.astype(np.float32)


def _share(cutoff_hz: float, passed_s: float) -> float:
    """Return the smoothing factor of a first-order low-pass: 1 takes the new value unchanged."""
    return 1.0 / (1.0 + 1.0 / (2 * math.pi * cutoff_hz * passed_s))
