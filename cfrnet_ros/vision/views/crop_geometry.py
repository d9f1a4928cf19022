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

"""Maps points between the pixels of a crop and those of its frame.

A crop is cut out of its frame by a (2, 3) affine matrix from frame pixels to crop pixels, as
`align.align_face` returns it. Coordinates follow OpenCV's convention: (0, 0) is the centre of the
first pixel.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray


def frame_to_crop(points: ArrayLike, affine: ArrayLike) -> NDArray[np.float64]:
    """Map points of a frame into a crop.

    Args:
        points: (..., 2) x, y in pixels of the frame.
        affine: (2, 3) matrix from frame pixels to crop pixels.

    Returns:
        (..., 2) float64 x, y in pixels of the crop.

    Raises:
        ValueError: The shapes are wrong.

    """
    given, matrix = np.asarray(points, np.float64), np.asarray(affine, np.float64)
    if given.ndim < 1 or given.shape[-1] != 2 or matrix.shape != (2, 3):
        raise ValueError(
            f'points must be (..., 2) and affine (2, 3), got {given.shape} and {matrix.shape}'
        )
    return np.asarray(given @ matrix[:, :2].T + matrix[:, 2])


def crop_to_frame(points: ArrayLike, affine: ArrayLike) -> NDArray[np.float64]:
    """Map points of a crop, for instance landmarks found in it, back into its frame.

    Args:
        points: (..., 2) x, y in pixels of the crop.
        affine: (2, 3) matrix from frame pixels to crop pixels, with which the crop was cut.

    Returns:
        (..., 2) float64 x, y in pixels of the frame.

    Raises:
        ValueError: The shapes are wrong, or the matrix cannot be inverted.

    """
    matrix = np.asarray(affine, np.float64)
    if matrix.shape == (2, 3) and abs(float(np.linalg.det(matrix[:, :2]))) < 1e-12:
        raise ValueError('the affine matrix maps all points onto a line, so it has no inverse')
    if matrix.shape == (2, 3):
        matrix = np.asarray(cv2.invertAffineTransform(matrix), np.float64)
    return frame_to_crop(points, matrix)


def corners_in_frame(affine: ArrayLike, width: int, height: int) -> NDArray[np.float64]:
    """Return the positions of a crop's corners in its frame.

    Args:
        affine: (2, 3) matrix from frame pixels to crop pixels.
        width: Width of the crop in pixels.
        height: Height of the crop in pixels.

    Returns:
        (4, 2) float64 x, y in pixels of the frame of the centres of the crop's corner
        pixels: (0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1).

    """
    return crop_to_frame(_corners(width, height), affine)


def affine_from_corners(corners: ArrayLike, width: int, height: int) -> NDArray[np.float64]:
    """Recover the affine matrix from `corners_in_frame`, as `~/face/outline` carries them.

    Args:
        corners: (4, 2) corners, as `corners_in_frame` returns them.
        width: Width of the crop in pixels, above 1.
        height: Height of the crop in pixels, above 1.

    Returns:
        (2, 3) float64 matrix from frame pixels to crop pixels.

    Raises:
        ValueError: The corners have another shape, or they span no area.

    """
    given = np.asarray(corners, np.float64)
    if given.shape != (4, 2) or not np.isfinite(given).all():
        raise ValueError(f'corners must be (4, 2) finite numbers, got {given.shape}')
    known = np.hstack([given, np.ones((4, 1))])
    # Least squares over all four, because they are transmitted as 32-bit numbers.
    solution, _, rank, _ = np.linalg.lstsq(known, _corners(width, height), rcond=None)
    if rank < 3:
        raise ValueError('the corners span no area, so there is no crop between them')
    return np.asarray(solution.T)


def _corners(width: int, height: int) -> NDArray[np.float64]:
    right, bottom = width - 1.0, height - 1.0
    return np.array([[0.0, 0.0], [right, 0.0], [right, bottom], [0.0, bottom]])
