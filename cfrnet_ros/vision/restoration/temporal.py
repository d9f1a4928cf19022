"""Restored crops that change from frame to frame no more than the camera's picture does.

A restorer sharpens what it is given, also what is different by chance in each frame: without a
filter, restored videos of a clean camera flicker more than the camera's own.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

#: Side of the windows that changes are measured in, as a share of the crop: an eyelid fills one.
WINDOW = 0.06

#: At least this share of a new frame is shown at once. Without a floor, a slow steady turn of
#: the head, small in each frame, would be followed ever later.
FLOOR = 0.5

#: Changes of the blurred picture, in grey values (RMS within a window), from which on nothing
#: is held back, and up to which it may be: a blink is above, sensor noise below.
MOTION_FROM, MOTION_FULL = 6.0, 14.0

#: A change this small is nothing to compare with, in grey values.
_LEAST = 0.25

#: Frames further apart than this belong to different moments, in seconds.
MAX_GAP_S = 0.5

_MEAN = np.full((1, 3), 1 / 3, np.float32)


@dataclass(frozen=True)
class _Memory:
    key: Hashable
    time_s: float
    seen: NDArray[np.float32]
    shown: NDArray[np.float32]


class TemporalSmoother:
    """Holds back what changes in the restored crops of a track but not in its input.

    In each place the change that is shown is at most a share of the camera's own change there,
    at least half of the restorer's, and all of it where something moved. Not thread-safe.
    """

    def __init__(self) -> None:
        """Start without a memory."""
        self._memory: dict[int, _Memory] = {}

    def reset(self) -> None:
        """Forget everything."""
        self._memory.clear()

    def keep(self, track_ids: Iterable[int]) -> None:
        """Forget all tracks but these."""
        wanted = set(track_ids)
        self._memory = {i: entry for i, entry in self._memory.items() if i in wanted}

    def apply(
        self,
        track_id: int,
        seen: NDArray[np.uint8],
        restored: NDArray[np.uint8],
        smoothing: float,
        key: Hashable,
        time_s: float,
    ) -> NDArray[np.uint8]:
        """Return what is to be shown of a restored crop, and remember it.

        Args:
            track_id: whose crop it is; below 0 for an untracked face, which has no past.
            seen: (N, N, 3) uint8 crop before restoration.
            restored: (N, N, 3) uint8 crop after it.
            smoothing: 0 for none, up to 1: the change that is shown is to be at most
                1 - smoothing of the camera's.
            key: everything else that the crop depends on; another key has no past.
            time_s: of the frame, in seconds of any clock.

        Returns:
            (N, N, 3) uint8.

        """
        if smoothing <= 0 or track_id < 0:
            self._memory.pop(track_id, None)
            return restored
        now_seen, now = seen.astype(np.float32), restored.astype(np.float32)
        past = self._memory.get(track_id)
        if past is not None and past.key == key and 0 < time_s - past.time_s <= MAX_GAP_S:
            change = now - past.shown
            share = _share(now_seen - past.seen, change, 1.0 - smoothing)
            now = past.shown + cv2.merge([share] * 3) * change
        self._memory[track_id] = _Memory(key, time_s, now_seen, now)
        return np.rint(now).astype(np.uint8)


def _share(
    seen: NDArray[np.float32], restored: NDArray[np.float32], limit: float
) -> NDArray[np.float32]:
    """Return (N, N) float32, 0..1: how much of the restored crop's change is to be shown.

    Args:
        seen: (N, N, 3) change of the crop before restoration, grey values.
        restored: the same of the restored crop.
        limit: of the change that is shown, as a share of the one that was seen.

    """
    side = 2 * round(WINDOW * seen.shape[0] / 2) + 1

    def rms(change: NDArray[np.float32]) -> NDArray[np.float32]:
        energy = change * change
        if energy.ndim == 3:
            energy = np.asarray(cv2.transform(energy, _MEAN), np.float32)
        # The running sums of a box filter can end a little below zero.
        return np.sqrt(np.maximum(cv2.blur(energy, (side, side)), 0.0))

    share = limit * (rms(seen) + _LEAST) / (rms(restored) + 1e-3)
    # What is left of the change after a blur moved; noise averages out.
    moved = rms(np.asarray(cv2.blur(cv2.transform(seen, _MEAN), (5, 5)), np.float32))
    free = np.clip((moved - MOTION_FROM) / (MOTION_FULL - MOTION_FROM), 0.0, 1.0)
    share = np.clip(share, FLOOR, 1.0)
    return np.asarray(share + (1.0 - share) * free, np.float32)
