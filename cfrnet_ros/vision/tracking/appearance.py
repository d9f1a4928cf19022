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

"""Compares the appearance of faces at low cost, to tell people in one car apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.preprocessing.align import similarity_transform, warp_crop

#: Side of the thumbnail in pixels, and scale of the surroundings that it shows: at this size hair
#: and collar tell people apart better than facial features do.
SIDE, MARGIN = 24, 1.4

#: Weight of a new look in the running mean of a track.
LEARN = 0.1

Look = NDArray[np.float32]


def look_of(gray: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> Look | None:
    """Compute the look of a face: an upright thumbnail, normalised for light and contrast.

    Args:
        gray: (H, W) uint8 frame.
        landmarks: (5, 2) landmarks in pixels of the frame.

    Returns:
        (576,) float32 look of mean 0 and length 1, or None if the landmarks do not form a face
        or the thumbnail has no contrast.

    """
    try:
        affine = similarity_transform(landmarks, SIDE, margin=MARGIN)
    except ValueError:
        return None
    thumb = warp_crop(gray, affine, SIDE).astype(np.float32).reshape(-1)
    thumb -= thumb.mean()
    length = float(np.linalg.norm(thumb))
    # One grey value of contrast at least: the picture of a covered lens resembles no face.
    return np.asarray(thumb / length) if length > SIDE else None


def resemblance(one: Look | None, other: Look | None) -> float:
    """Return the correlation of two looks, -1..1; 0 if one of them is None."""
    return 0.0 if one is None or other is None else float(one @ other)


def blend_looks(known: Look | None, new: Look | None) -> Look | None:
    """Return the known look after a small step towards the new one."""
    if known is None or new is None:
        return new if known is None else known
    mixed = (1 - LEARN) * known + LEARN * new
    return np.asarray(mixed / max(float(np.linalg.norm(mixed)), 1e-6), np.float32)
