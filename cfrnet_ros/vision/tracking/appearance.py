"""What a face looks like, cheaply: enough to tell two people in one car apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.preprocessing.align import similarity_transform, warp_crop

#: Side of the thumbnail in pixels, and how much of the surroundings it shows: hair and
#: collar tell people apart better than their features do at this size.
SIDE, MARGIN = 24, 1.4

#: Weight of a new look against what is known.
LEARN = 0.1

Look = NDArray[np.float32]


def look_of(gray: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> Look | None:
    """Take the look of a face: an upright thumbnail without its light and contrast.

    Args:
        gray: (H, W) uint8 frame.
        landmarks: (5, 2) in pixels of the frame.

    Returns:
        (576,) float32 of mean 0 and length 1, or None for landmarks that are no face or a
        thumbnail without contrast.

    """
    try:
        affine = similarity_transform(landmarks, SIDE, margin=MARGIN)
    except ValueError:
        return None
    thumb = warp_crop(gray, affine, SIDE).astype(np.float32).reshape(-1)
    thumb -= thumb.mean()
    length = float(np.linalg.norm(thumb))
    # One grey value of contrast: a covered lens resembles nobody.
    return np.asarray(thumb / length) if length > SIDE else None


def resemblance(one: Look | None, other: Look | None) -> float:
    """Compare two looks: their correlation, -1..1; 0 where one is not known."""
    return 0.0 if one is None or other is None else float(one @ other)


def blend_looks(known: Look | None, new: Look | None) -> Look | None:
    """Let what is known follow what is seen, slowly."""
    if known is None or new is None:
        return new if known is None else known
    mixed = (1 - LEARN) * known + LEARN * new
    return np.asarray(mixed / max(float(np.linalg.norm(mixed)), 1e-6), np.float32)
