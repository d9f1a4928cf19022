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

"""Blends restored faces into the frame without visible borders."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.types import RestoredFace
from cfrnet_ros.vision.views.grain import grain_of, grain_share

#: Part of the crop's side that is never used at each edge: the restorer saw the least of the
#: surroundings there, and a crop at the frame's border shows mirrored pixels.
EDGE = 0.03

#: Part of the crop's side over which the restored face fades into the frame.
FEATHER = 0.16

#: Side of the thumbnails from which light and contrast are compared. At this size (32 crop pixels
#: per cell) noise and blur are averaged out, and only light remains.
_LIGHT = 8

#: Limits of the factor that brings the contrast of the restored face to that of the frame.
MIN_CONTRAST, MAX_CONTRAST = 0.2, 1.5

#: Largest mean difference between colour channels of a crop that counts as grey.
_GREY = 1.0


def blend_faces(frame: NDArray[np.uint8], faces: Sequence[RestoredFace]) -> NDArray[np.uint8]:
    """Blend restored faces into a copy of the frame from which they were cut.

    Smaller faces are drawn first, so that the nearer face is visible where faces overlap.

    Args:
        frame: (H, W, 3) uint8 BGR frame.
        faces: Faces of this frame; those that were not restored are left unchanged.

    Returns:
        (H, W, 3) uint8 BGR frame, a new array.

    Raises:
        ValueError: The frame has another shape or type.

    """
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise ValueError(f'the frame must be (H, W, 3) uint8, got {frame.shape} {frame.dtype}')
    result = frame.copy()
    for face in sorted(faces, key=lambda item: item.face.area):
        if face.restored:
            _blend(result, frame, face)
    return result


def _blend(result: NDArray[np.uint8], frame: NDArray[np.uint8], face: RestoredFace) -> None:
    """Blend one face into `result`, in place; `frame` is the frame before any blending."""
    size = face.crop.shape[0]
    back = cv2.invertAffineTransform(face.affine)
    corners = np.array(
        [[x, y, 1] for x in (-0.5, size - 0.5) for y in (-0.5, size - 0.5)], np.float64
    )
    spread = corners @ np.asarray(back, np.float64).T
    low, high = np.floor(spread.min(axis=0)), np.ceil(spread.max(axis=0)) + 1
    height, width = frame.shape[:2]
    x0, y0 = max(0, int(low[0])), max(0, int(low[1]))
    x1, y1 = min(width, int(high[0])), min(height, int(high[1]))
    if x1 <= x0 or y1 <= y0:
        return
    # From frame pixels of the region to crop pixels.
    into = face.affine.astype(np.float64).copy()
    into[:, 2] += into[:, :2] @ np.array([x0, y0])
    region = (x1 - x0, y1 - y0)

    crop = match_light(face.crop, face.aligned)
    patch = _sample(crop, into, region)
    scale = float(np.hypot(into[0, 0], into[1, 0]))
    original = frame[y0:y1, x0:x1]
    mask = cv2.warpAffine(
        feather_mask(size), into, region, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    alpha = cv2.merge([mask, mask, mask])
    under = result[y0:y1, x0:x1]
    # under + alpha * (patch - under), in 16 bits with 8 bits of fraction for speed.
    change = cv2.subtract(patch, under, dtype=cv2.CV_16S)
    share = min(1.0, 1.0 / scale - 1.0)
    if share > 0.05:
        # The frame is finer than the crop: detail that the crop cannot hold is added back,
        # because a near face would otherwise become softer than it was.
        detail = cv2.subtract(original, _sample(face.aligned, into, region), dtype=cv2.CV_16S)
        change = cv2.scaleAdd(detail, share, change)
    change = cv2.multiply(change, alpha, scale=1.0 / 255.0, dtype=cv2.CV_16S)
    grain = grain_of(original)
    if grain is not None:
        part = grain_share(np.asarray(mask).astype(np.uint8, copy=False))
        added = cv2.multiply(grain, cv2.merge([part] * 3), scale=1.0 / 255.0, dtype=cv2.CV_16S)
        change = cv2.add(change, added)
    blended = cv2.add(under, change, dtype=cv2.CV_8U)
    result[y0:y1, x0:x1] = blended


def _sample(
    crop: NDArray[np.uint8], into: NDArray[np.float64], region: tuple[int, int]
) -> NDArray[np.uint8]:
    """Sample a crop through a (2, 3) matrix from region pixels to crop pixels."""
    scale = float(np.hypot(into[0, 0], into[1, 0]))
    matrix = into
    size = crop.shape[0]
    if scale > 3.0:
        # The crop is much finer than the frame: point samples of it would alias.
        side = max(8, round(size * 2.5 / scale))
        crop = np.asarray(cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)).astype(
            np.uint8, copy=False
        )
        factor = side / size
        matrix = into * factor
        matrix[:, 2] += (factor - 1) / 2
    warped = cv2.warpAffine(
        crop,
        matrix,
        region,
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(warped).astype(np.uint8, copy=False)


@lru_cache(maxsize=8)
def feather_mask(size: int) -> NDArray[np.uint8]:
    """Return the weight of the restored crop at each of its pixels.

    The mask is a rounded square: 255 inside, 0 along the edge, with a smooth rise between.

    Args:
        size: Side of the crop in pixels.

    Returns:
        (size, size) uint8 mask, read-only.

    """
    # Distance from the edge, measured on a superellipse so that corners are round too.
    axis = np.abs((np.arange(size) + 0.5) / size * 2 - 1)
    radius = (axis[:, None] ** 4 + axis[None, :] ** 4) ** 0.25
    rise = np.clip((1 - 2 * EDGE - radius) / (2 * FEATHER), 0, 1)
    mask = np.rint(255 * rise**2 * (3 - 2 * rise)).astype(np.uint8)
    mask.setflags(write=False)
    return np.asarray(mask)


def match_light(restored: NDArray[np.uint8], aligned: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give a restored crop the light, contrast and colour of the crop before restoration.

    The restorer may brighten a dark face or colour an infrared one; such a face would stand out
    in its frame. Only slow changes over the crop are matched, so restored detail remains.

    Args:
        restored: (N, N, 3) uint8 BGR crop after restoration.
        aligned: (N, N, 3) uint8 BGR crop before restoration.

    Returns:
        (N, N, 3) uint8 BGR crop, a new array.

    """
    shape = (_LIGHT, _LIGHT)
    light = np.asarray(cv2.resize(aligned, shape, interpolation=cv2.INTER_AREA), np.float32)
    if float(np.ptp(light, axis=2).mean()) < _GREY:
        gray = cv2.cvtColor(restored, cv2.COLOR_BGR2GRAY)
        restored = np.asarray(cv2.merge([gray, gray, gray])).astype(np.uint8, copy=False)
    own = np.asarray(cv2.resize(restored, shape, interpolation=cv2.INTER_AREA), np.float32)
    contrast = float(
        np.clip(
            (float(light.mean(axis=2).std()) + 2.0) / (float(own.mean(axis=2).std()) + 2.0),
            MIN_CONTRAST,
            MAX_CONTRAST,
        )
    )
    # Smooth fields: restored * contrast + (light - own * contrast), interpolated.
    size = restored.shape[0]
    offset = cv2.resize(light - own * contrast, (size, size), interpolation=cv2.INTER_LINEAR)
    matched = cv2.scaleAdd(restored.astype(np.float32), contrast, offset)
    return np.asarray(cv2.convertScaleAbs(np.maximum(matched, 0, out=matched))).astype(
        np.uint8, copy=False
    )
