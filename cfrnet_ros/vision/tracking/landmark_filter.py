"""Steady landmarks: a one-euro filter for each tracked face."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.types import Face

#: Cut-off frequency of the speed, in Hz: the value of the paper.
SPEED_CUTOFF_HZ = 1.0

#: A pause longer than this in seconds says nothing about where a face is now.
MAX_GAP_S = 0.5


@dataclass
class _State:
    time_s: float
    points: NDArray[np.float64]
    speed: NDArray[np.float64]


class LandmarkFilter:
    """Filters the landmarks of each track with one cut-off for all five points.

    Casiez, Roussel, Vogel, "1 Euro filter: a simple speed-based low-pass filter for noisy
    input in interactive systems", CHI 2012: the cut-off rises with the speed, so that a
    still face stands still and a moving one is not held back. Two things differ from the
    paper. Speed is measured in face widths a second, so that one setting fits every
    resolution and distance. And the speed that sets the cut-off is one for the face, of
    the points' mean and of their spread, so that the five points keep their shape and the
    detector's noise, which moves them apart, is not taken for motion.

    Not thread-safe.
    """

    def __init__(self) -> None:
        """Start without any face."""
        self._states: dict[int, _State] = {}

    def reset(self) -> None:
        """Forget all faces, for a new scene or another time."""
        self._states.clear()

    def keep(self, track_ids: Iterable[int]) -> None:
        """Forget all faces but these."""
        wanted = set(track_ids)
        self._states = {i: state for i, state in self._states.items() if i in wanted}

    def apply(
        self, face: Face, time_s: float, min_cutoff_hz: float, beta: float
    ) -> NDArray[np.float32]:
        """Filter the landmarks of a face of the next frame.

        Time that stands still, runs back or jumps by more than `MAX_GAP_S` starts the
        filter anew at the landmarks given, as does a track that was not seen before.

        Args:
            face: a tracked face; one without a track id is not filtered.
            time_s: when the frame was taken, in seconds of any clock.
            min_cutoff_hz: cut-off for a face at rest, above 0; lower is steadier.
            beta: Hz that the cut-off rises by per face width a second; higher lags less.

        Returns:
            (5, 2) float32 in pixels of the frame.

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
        # Translation, and growth of the spread: turning in the plane moves the mean, too.
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
    """Smoothing factor of a first-order low-pass: 1 takes the new value as it is."""
    return 1.0 / (1.0 + 1.0 / (2 * math.pi * cutoff_hz * passed_s))
