"""Mixes a restored crop with the camera's crop."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def mix(
    aligned: NDArray[np.uint8], restored: NDArray[np.uint8], strength: float
) -> NDArray[np.uint8]:
    """Return the weighted mean of a crop before and after restoration.

    Args:
        aligned: (N, N, 3) uint8 BGR crop before restoration.
        restored: (N, N, 3) uint8 BGR crop after restoration.
        strength: Weight of `restored`, 0..1; `aligned` has the rest.

    Returns:
        (N, N, 3) uint8 BGR crop; `restored` itself for a strength of 1.

    """
    if strength >= 1.0:
        return restored
    mixed = cv2.addWeighted(restored, strength, aligned, 1.0 - strength, 0.0)
    return np.asarray(mixed).astype(np.uint8, copy=False)
