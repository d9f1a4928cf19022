"""Restorations of faces that have not changed, used again."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

#: Cells across and down that two crops are compared in. At eight pixels a cell of a
#: 256-pixel crop the camera's noise is mostly averaged out while an eyelid still covers
#: several; the mean over the whole crop would not notice a blink.
CELLS = 32

T = TypeVar('T')


@dataclass(frozen=True)
class _Entry(Generic[T]):
    key: Hashable
    small: NDArray[np.int16]
    result: T


class RestorationCache(Generic[T]):
    """Keeps for each track the latest result and the crop that it was made of.

    A crop is always compared with that crop and not with the frame before, so that slow
    changes do not creep through. Not thread-safe.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._entries: dict[int, _Entry[T]] = {}

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()

    def keep(self, track_ids: Iterable[int]) -> None:
        """Forget all tracks but these."""
        wanted = set(track_ids)
        self._entries = {i: entry for i, entry in self._entries.items() if i in wanted}

    def find(
        self, track_id: int, crop: NDArray[np.uint8], key: Hashable, tolerance: float
    ) -> T | None:
        """Look for the result of a crop that looks like this one.

        Args:
            track_id: whose crop it is; below 0 for an untracked face, which has none.
            crop: (N, N, 3) uint8.
            key: everything else that the result depends on; must be equal.
            tolerance: largest mean absolute difference, in grey values (0..255), that any
                of the crop's 32 x 32 cells may show; 0 finds nothing.

        Returns:
            The result as it was stored, or None.

        """
        entry = self._entries.get(track_id)
        if tolerance <= 0 or entry is None or entry.key != key:
            return None
        return entry.result if crop_change(entry.small, _shrink(crop)) <= tolerance else None

    def store(self, track_id: int, crop: NDArray[np.uint8], key: Hashable, result: T) -> None:
        """Keep a result in place of the track's earlier one; see `find` for the arguments."""
        if track_id >= 0:
            self._entries[track_id] = _Entry(key, _shrink(crop), result)


def crop_change(one: NDArray[np.int16], other: NDArray[np.int16]) -> float:
    """Tell how much the cell that changed most has changed.

    Args:
        one: (32, 32, 3) int16 means of a crop's cells.
        other: the same of another.

    Returns:
        Mean absolute difference over the channels, 0..255.

    """
    return float(np.abs(one - other).mean(axis=2).max())


def _shrink(crop: NDArray[np.uint8]) -> NDArray[np.int16]:
    return np.asarray(cv2.resize(crop, (CELLS, CELLS), interpolation=cv2.INTER_AREA)).astype(
        np.int16
    )
