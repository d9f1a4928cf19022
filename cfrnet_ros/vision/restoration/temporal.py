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

"""Limits the change of restored crops from frame to frame to that of the camera's picture.

A restorer also sharpens what differs by chance in each frame: without a filter, restored videos of
a clean camera flicker more than the camera's own.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.restoration.crop_planes import to_bytes

Floats = NDArray[np.float32]

#: Side of the windows in which changes are measured, as a share of the crop: an eyelid fills one.
WINDOW = 0.06

#: Least share of a new frame that is shown at once. Without this floor, the picture would lag
#: more and more behind a slow steady turn of the head, which is small in each frame.
FLOOR = 0.5

#: Changes of the blurred picture, in grey values (RMS within a window): below the first the filter
#: acts fully, above the second it does not act. A blink is above, sensor noise below.
MOTION_FROM, MOTION_FULL = 6.0, 14.0

#: Weights of the newest frame in a fused crop: above the first the filter acts less, above the
#: second it does not act. At rest the weight is 1 / 16, and 0.5 in the frame after a motion.
GAIN_FROM, GAIN_FULL = 0.3, 0.6

#: Grey values that are added to the camera's change; smaller changes cannot be compared.
_LEAST = 0.25

#: Longest time in seconds between two frames that are compared.
MAX_GAP_S = 0.5

_MEAN = np.full((1, 3), 1 / 3, np.float32)


@dataclass(frozen=True)
class _Memory:
    key: Hashable
    time_s: float
    seen: NDArray[np.uint8]
    shown: Floats


class TemporalSmoother:
    """Suppresses changes of a track's restored crops that its input does not have.

    In each place, the change that is shown is at most a share of the camera's own change there,
    but at least half of the restorer's, and all of it where something moved. Not thread-safe.
    """

    def __init__(self) -> None:
        """Start without any tracks."""
        self._memory: dict[int, _Memory] = {}

    def reset(self) -> None:
        """Forget everything."""
        self._memory.clear()

    def keep(self, track_ids: Iterable[int]) -> None:
        """Forget all tracks except the given ones."""
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
        gain: NDArray[np.float32] | None = None,
    ) -> NDArray[np.uint8]:
        """Return a restored crop with suppressed flicker, and remember it for the next frame.

        Args:
            track_id: Id of the crop's track; an untracked face, below 0, is not filtered.
            seen: (N, N, 3) uint8 crop before restoration.
            restored: (N, N, 3) uint8 crop after restoration.
            smoothing: Strength, 0 for none, up to 1: the change that is shown is limited to
                1 - smoothing of the camera's change.
            key: Key of everything else on which the crop depends; a new key starts anew.
            time_s: Time of the frame, in seconds of any clock.
            gain: (n, n) float32 weight of the newest frame in `seen`, 0..1, if it was fused over
                time (`FusedCrop.gain`): where fusion has found motion, all of it is shown, also
                motion too faint for the fixed limits here, as that of a lid in infrared.

        Returns:
            (N, N, 3) uint8 crop to show.

        """
        if smoothing <= 0 or track_id < 0:
            self._memory.pop(track_id, None)
            return restored
        now = np.asarray(restored, np.float32)
        past = self._memory.get(track_id)
        if past is not None and past.key == key and 0 < time_s - past.time_s <= MAX_GAP_S:
            change = np.asarray(cv2.subtract(now, past.shown), np.float32)
            share = _share(_difference(seen, past.seen), change, 1.0 - smoothing)
            if gain is not None:
                _free_where(share, _ramp(gain, GAIN_FROM, GAIN_FULL))
            cv2.multiply(change, cv2.merge([share] * 3), change)
            now = np.asarray(cv2.add(past.shown, change), np.float32)
        self._memory[track_id] = _Memory(key, time_s, seen, now)
        return to_bytes(now)


def _difference(new: NDArray[np.uint8], old: NDArray[np.uint8]) -> Floats:
    return np.asarray(cv2.subtract(new, old, dtype=cv2.CV_32F), np.float32)


def _share(seen: Floats, restored: Floats, limit: float) -> Floats:
    """Return which share of the restored crop's change is shown, (N, N) float32, 0..1.

    Args:
        seen: (N, N, 3) change of the crop before restoration, in grey values.
        restored: (N, N, 3) change of the restored crop, in grey values.
        limit: Largest change that is shown, as a share of the seen change.

    """
    side = 2 * round(WINDOW * seen.shape[0] / 2) + 1

    def rms(change: Floats) -> Floats:
        energy = cv2.multiply(change, change)
        if energy.ndim == 3:
            energy = cv2.transform(energy, _MEAN)
        mean = cv2.blur(energy, (side, side))
        # Rounding in the running sums of a box filter can give values slightly below zero.
        return np.sqrt(np.maximum(np.asarray(mean, np.float32), np.float32(0.0)))

    shown, allowed = rms(restored), rms(seen)
    shown += 1e-3
    allowed += _LEAST
    share = np.asarray(cv2.divide(allowed, shown, allowed, limit), np.float32)
    np.clip(share, FLOOR, 1.0, out=share)
    # A change that remains after a blur is motion; noise averages out.
    moved = rms(np.asarray(cv2.blur(cv2.transform(seen, _MEAN), (5, 5)), np.float32))
    _free_where(share, _ramp(moved, MOTION_FROM, MOTION_FULL))
    return share


def _ramp(values: Floats, start: float, full: float) -> Floats:
    """Return 0 up to a start and 1 from a full value on, linear in between, as a new array."""
    ramp = np.subtract(values, np.float32(start))
    ramp *= np.float32(1.0 / (full - start))
    return np.clip(ramp, 0.0, 1.0, out=ramp)


def _free_where(share: Floats, free: Floats) -> None:
    """Raise a share towards 1, in place: share + (1 - share) free.

    Args:
        share: (N, N) float32 share, 0..1.
        free: (n, n) float32 weight, 0..1; it is enlarged to the size of `share`.

    """
    if free.shape != share.shape:
        free = np.asarray(cv2.resize(free, share.shape[1::-1]), np.float32)
    rest = np.subtract(np.float32(1.0), share)
    rest *= free
    share += rest
