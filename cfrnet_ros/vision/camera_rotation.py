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

"""Rotation of the picture of a camera that is mounted upside down or on its side, and back."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.types import RestoredFace

_CODES = {
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}


def rotate(image: NDArray[np.uint8], degrees: int) -> NDArray[np.uint8]:
    """Turn a picture clockwise.

    Args:
        image: (H, W, 3) uint8 BGR picture.
        degrees: Angle of 0, 90, 180 or 270 degrees.

    Returns:
        Turned picture, uint8 BGR: (W, H, 3) for 90 and 270 degrees, otherwise (H, W, 3). For 0
        degrees it is `image` itself.

    """
    if degrees == 0:
        return image
    return np.asarray(cv2.rotate(image, _CODES[degrees])).astype(np.uint8, copy=False)


def rotate_back(image: NDArray[np.uint8], degrees: int) -> NDArray[np.uint8]:
    """Undo `rotate` with the same number of degrees."""
    return rotate(image, -degrees % 360)


def rotation_matrix(degrees: int, width: int, height: int) -> NDArray[np.float64]:
    """Return the matrix that maps pixels of the camera's picture to those of the upright one.

    Args:
        degrees: Clockwise angle as in `rotate`: 0, 90, 180 or 270 degrees.
        width: Width of the camera's picture in pixels.
        height: Height of the camera's picture in pixels.

    Returns:
        (3, 3) matrix for (x, y, 1); pixel centres have whole coordinates.

    """
    right, bottom = width - 1.0, height - 1.0
    rows = {
        0: ((1, 0, 0), (0, 1, 0)),
        90: ((0, -1, bottom), (1, 0, 0)),
        180: ((-1, 0, right), (0, -1, bottom)),
        270: ((0, 1, 0), (-1, 0, right)),
    }[degrees]
    return np.array([*rows, (0, 0, 1)], np.float64)


def face_in_camera(face: RestoredFace, degrees: int, width: int, height: int) -> RestoredFace:
    """Convert a face of the upright picture to pixels of the camera's picture.

    Args:
        face: Face of the upright picture.
        degrees: Angle by which `rotate` made the picture upright: 0, 90, 180 or 270 degrees.
        width: Width of the camera's picture in pixels.
        height: Height of the camera's picture in pixels.

    Returns:
        The same face with box, landmarks and affine matrix of the camera's picture. Its crops
        remain upright.

    """
    if degrees == 0:
        return face
    matrix = rotation_matrix(degrees, width, height)
    back = np.linalg.inv(matrix)[:2]

    def moved(points: NDArray[np.float32]) -> NDArray[np.float32]:
        return (points @ back[:, :2].T + back[:, 2]).astype(np.float32)

    corners = moved(np.asarray(face.face.box, np.float32).reshape(2, 2))
    box = np.concatenate((corners.min(axis=0), corners.max(axis=0)))
    found = replace(face.face, box=box, landmarks=moved(face.face.landmarks))
    return replace(face, face=found, affine=face.affine @ matrix)
