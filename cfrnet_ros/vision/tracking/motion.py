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

"""Follows one face from a frame to the next by optical flow."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.preprocessing.align import warp_crop
from cfrnet_ros.vision.preprocessing.shrink import shrink
from cfrnet_ros.vision.types import Face

#: Points per side of the grid that is followed inside a face's box.
GRID = 7

#: Share of the points that must remain, and the largest distance (as a fraction of the box's
#: mean side, but at least half a pixel) of a point from its start after it was followed forward
#: and back (Kalal, Mikolajczyk, Matas, "Forward-backward error", ICPR 2010).
MIN_SHARE, ROUND_TRIP = 0.4, 0.02

#: Largest plausible change of size between two frames.
MAX_SCALE = 1.3

#: Lowest correlation between the thumbnails of the face before and after.
MIN_CORRELATION = 0.5

_THUMB = 16

#: The outer fifth of the box shows background and hair.
_STEPS = np.linspace(0.2, 0.8, GRID)
#: Points of the grid as (GRID * GRID, 2) fractions of the box's width and height.
_UNIT_GRID = np.stack(np.meshgrid(_STEPS, _STEPS), axis=-1).reshape(-1, 2)


def carry_face(before: NDArray[np.uint8], after: NDArray[np.uint8], face: Face) -> Face | None:
    """Find a face of one frame in the next.

    A grid of points in the face is followed with pyramidal Lucas-Kanade flow, forward and
    back; a similarity transform is fitted to those that return to their start; and the face
    at the new position must look like the previous one.

    Args:
        before: (H, W) uint8 grey frame in which the face was found.
        after: (H, W) uint8 grey frame of the same size.
        face: Face in `before`.

    Returns:
        The face in `after` with the same score and track id, or None if it is lost.

    """
    span = (face.width + face.height) / 2
    height, width = before.shape
    # Pyramids are built of the surroundings only, as far as a face may move.
    reach = 0.6 * span + 16
    x0, y0 = max(0, int(face.box[0] - reach)), max(0, int(face.box[1] - reach))
    x1, y1 = min(width, int(face.box[2] + reach)), min(height, int(face.box[3] + reach))
    if min(face.width, face.height) < 8 or x1 - x0 < 16 or y1 - y0 < 16:
        return None
    # A face of 128 px is followed as precisely as a larger one, at a fraction of the cost.
    scale = min(1.0, 128.0 / max(span, 1.0))
    first, second = before[y0:y1, x0:x1], after[y0:y1, x0:x1]
    if scale < 1.0:
        size = (max(8, round((x1 - x0) * scale)), max(8, round((y1 - y0) * scale)))
        first, second = (shrink(part, *size) for part in (first, second))
    matrix = _fit_flow(first, second, _grid(face, width, height, (x0, y0), scale), span * scale)
    if matrix is None:
        return None
    # From the scaled surroundings back to the frame: x_frame = x / scale + origin.
    origin = np.array([x0, y0], dtype=np.float64)
    linear = matrix[:, :2]
    offset = matrix[:, 2] / scale + origin - linear @ origin
    points = np.vstack([face.landmarks, face.box.reshape(2, 2)]).astype(np.float64)
    moved = points @ linear.T + offset
    # The box stays upright: its centre moves and its size scales.
    centre = np.asarray(face.box, np.float64).reshape(2, 2).mean(axis=0) @ linear.T + offset
    growth = float(np.hypot(linear[0, 0], linear[1, 0]))
    half = np.array([face.width, face.height]) * growth / 2
    if not (0 <= centre[0] < width and 0 <= centre[1] < height):
        return None
    result = replace(
        face,
        box=np.concatenate([centre - half, centre + half]).astype(np.float32),
        landmarks=moved[:5].astype(np.float32),
    )
    return result if _alike(before, after, face, linear, offset) else None


def _grid(
    face: Face, width: int, height: int, origin: tuple[int, int], scale: float
) -> NDArray[np.float32]:
    """Return points of the box's inner part, in pixels of the scaled surroundings."""
    grid = face.box[:2] + _UNIT_GRID * (face.width, face.height)
    points = np.vstack([grid, face.landmarks])
    inside = (points >= 0).all(axis=1) & (points[:, 0] < width) & (points[:, 1] < height)
    return np.asarray((points[inside] - np.array(origin)) * scale, dtype=np.float32)


def _fit_flow(
    first: NDArray[np.uint8], second: NDArray[np.uint8], points: NDArray[np.float32], span: float
) -> NDArray[np.float64] | None:
    """Follow points and fit a (2, 3) similarity transform; returns None if that fails."""
    if len(points) < 6:
        return None
    window = int(min(max(span / 5, 9), 21)) | 1
    settings = {
        'winSize': (window, window),
        'maxLevel': 3,
        'criteria': (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.03),
        'minEigThreshold': 1e-4,
    }
    there, found, _ = cv2.calcOpticalFlowPyrLK(first, second, points, None, **settings)  # type: ignore[call-overload]
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(second, first, there, None, **settings)  # type: ignore[call-overload]
    error = _lengths(back - points)
    good = (found.ravel() == 1) & (found_back.ravel() == 1) & (error < max(0.5, ROUND_TRIP * span))
    if good.sum() < max(6, MIN_SHARE * len(points)):
        return None
    matrix = _robust_similarity(
        points[good].astype(np.float64), there[good].astype(np.float64), max(1.0, 0.03 * span)
    )
    if matrix is None:
        return None
    growth = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    return matrix if 1 / MAX_SCALE < growth < MAX_SCALE else None


def _robust_similarity(
    source: NDArray[np.float64], target: NDArray[np.float64], tolerance: float
) -> NDArray[np.float64] | None:
    """Fit by least squares three times, each time to the points that the previous fit explains.

    Unlike RANSAC the fit is deterministic, so that a still face stays still. The first fit is
    a translation by the median, which a third of outliers cannot move far.
    """
    moved = target - source
    residual = _lengths(moved - [_median(moved[:, 0]), _median(moved[:, 1])])
    kept = residual <= max(3 * tolerance, 2 * _median(residual))
    matrix = None
    for _ in range(3):
        if kept.sum() < 6:
            return None
        p, q = source[kept], target[kept]
        p_mean, q_mean = p.mean(axis=0), q.mean(axis=0)
        p, q = p - p_mean, q - q_mean
        variance = float((p**2).sum())
        if variance < 1e-6:
            return None
        a = float((p * q).sum()) / variance
        b = float((p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum()) / variance
        linear = np.array([[a, -b], [b, a]])
        matrix = np.hstack([linear, (q_mean - linear @ p_mean)[:, None]])
        residual = _lengths(source @ linear.T + matrix[:, 2] - target)
        kept = residual <= max(tolerance, 2 * _median(residual))
    return matrix


def _lengths(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sqrt((vectors * vectors).sum(axis=1))


def _median(values: NDArray[np.float64]) -> float:
    """Return the median of a few finite numbers, in a tenth of the time of np.median."""
    ordered = np.sort(values)
    count = len(ordered)
    return float((ordered[(count - 1) // 2] + ordered[count // 2]) / 2)


def _alike(
    before: NDArray[np.uint8],
    after: NDArray[np.uint8],
    face: Face,
    linear: NDArray[np.float64],
    offset: NDArray[np.float64],
) -> bool:
    """Return whether thumbnails of the face agree, by normalised cross-correlation."""
    box = np.asarray(face.box, dtype=np.float64)
    size = np.array([face.width, face.height]) / (2 * _THUMB)
    # Averaging over 2x2 thumbnail pixels removes noise that bilinear sampling keeps.
    to_thumb = np.array([[1 / size[0], 0, -box[0] / size[0]], [0, 1 / size[1], -box[1] / size[1]]])
    inverse = np.linalg.inv(linear)
    moved = np.hstack(
        [to_thumb[:, :2] @ inverse, (to_thumb[:, 2] - to_thumb[:, :2] @ inverse @ offset)[:, None]]
    )
    thumbs = []
    for image, matrix in ((before, to_thumb), (after, moved)):
        thumb = np.asarray(
            cv2.resize(
                warp_crop(image, matrix, 2 * _THUMB),
                (_THUMB, _THUMB),
                interpolation=cv2.INTER_AREA,
            ),
            dtype=np.float64,
        )
        thumbs.append(thumb - thumb.mean())
    norms = float(np.linalg.norm(thumbs[0]) * np.linalg.norm(thumbs[1]))
    # Thumbnails without contrast (a covered lens, a black frame) never agree.
    return norms > _THUMB * _THUMB and float((thumbs[0] * thumbs[1]).sum()) / norms > (
        MIN_CORRELATION
    )
