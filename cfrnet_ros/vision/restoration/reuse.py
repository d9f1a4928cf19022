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

"""Reuses the restorations of faces that have not changed."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

#: Number of cells across and down in which two crops are compared. At eight pixels per cell of a
#: 256-pixel crop the camera's noise is mostly averaged out, while an eyelid still covers several
#: cells; the mean over the whole crop would not notice a blink.
CELLS = 32

T = TypeVar('T')


@dataclass(frozen=True)
class _Entry(Generic[T]):
    key: Hashable
    small: NDArray[np.int16]
    result: T


class RestorationCache(Generic[T]):
    """Keeps for each track the latest result and the crop from which it was made.

    A new crop is always compared with that crop and not with the previous frame, so that slow
    changes do not go unnoticed. Not thread-safe.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._entries: dict[int, _Entry[T]] = {}

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()

    def keep(self, track_ids: Iterable[int]) -> None:
        """Forget all tracks except the given ones."""
        wanted = set(track_ids)
        self._entries = {i: entry for i, entry in self._entries.items() if i in wanted}

    def find(
        self, track_id: int, crop: NDArray[np.uint8], key: Hashable, tolerance: float
    ) -> T | None:
        """Return the stored result of a crop that looks like this one.

        Args:
            track_id: Id of the crop's track; an untracked face, below 0, has no stored result.
            crop: (N, N, 3) uint8 crop.
            key: Key of everything else on which the result depends; it must be equal.
            tolerance: Largest mean absolute difference, in grey values (0..255), that any of the
                crop's 32 x 32 cells may have; 0 finds nothing.

        Returns:
            Result as it was stored, or None.

        """
        entry = self._entries.get(track_id)
        if tolerance <= 0 or entry is None or entry.key != key:
            return None
        return entry.result if crop_change(entry.small, _shrink(crop)) <= tolerance else None

    def store(self, track_id: int, crop: NDArray[np.uint8], key: Hashable, result: T) -> None:
        """Store a result in place of the track's earlier one, with the arguments of `find`."""
        if track_id >= 0:
            self._entries[track_id] = _Entry(key, _shrink(crop), result)


def crop_change(one: NDArray[np.int16], other: NDArray[np.int16]) -> float:
    """Return the change of the cell that changed most.

    Args:
        one: (32, 32, 3) int16 means of the cells of a crop.
        other: (32, 32, 3) int16 means of the cells of another crop.

    Returns:
        Mean absolute difference over the channels, 0..255.

    """
    return float(np.abs(one - other).mean(axis=2).max())


def _shrink(crop: NDArray[np.uint8]) -> NDArray[np.int16]:
    return np.asarray(cv2.resize(crop, (CELLS, CELLS), interpolation=cv2.INTER_AREA)).astype(
        np.int16
    )
