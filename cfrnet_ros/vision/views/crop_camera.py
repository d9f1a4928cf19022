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

"""Computes the camera of a crop: the intrinsics of an affinely mapped image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Indices of the tangential coefficients p1, p2 in a distortion vector, by ROS's name of the
#: model. `equidistant` has none.
_TANGENTIAL = {'plumb_bob': (2, 3), 'rational_polynomial': (2, 3)}


@dataclass(frozen=True)
class CropCamera:
    """A pinhole camera with distortion, in the terms of sensor_msgs/CameraInfo.

    Attributes:
        k: (3, 3) float64 intrinsic matrix.
        d: Float64 distortion coefficients, as many as the source camera has.
        r: (3, 3) float64 rotation from the source camera's frame to the crop camera's.
        p: (3, 4) float64 projection matrix.

    """

    k: NDArray[np.float64]
    d: NDArray[np.float64]
    r: NDArray[np.float64]
    p: NDArray[np.float64]


def crop_camera(
    k: ArrayLike, d: ArrayLike, r: ArrayLike, p: ArrayLike, model: str, affine: ArrayLike
) -> CropCamera:
    """Derive the crop's camera from that of its frame.

    The crop's camera has the position of the frame's camera and is turned about the optical
    axis by the angle t by which the crop turns the picture. With A the affine matrix, Z the
    rotation by t and x a point in the frame of the source camera:

    - k = A K Z^-1, d = the distortion turned by t: a raw pixel of the crop is
      k distort(Z x, d), exactly A times that of the frame. Radial distortion turns with the
      picture; the tangential p1, p2 are a vector (p2, p1) and are turned.
    - r = Z R and p = A P Z^-1: a rectified pixel of the crop is p (r x), exactly A times
      that of the frame, P (R x).

    k and p have no skew if the source's fx and fy are equal; otherwise the matrices contain a
    skew of the order of their difference.

    Args:
        k: (3, 3) intrinsic matrix of the frame's camera, or its 9 values.
        d: Distortion coefficients of the frame's camera.
        r: (3, 3) rectification matrix of the frame's camera, or its 9 values.
        p: (3, 4) projection matrix of the frame's camera, or its 12 values.
        model: ROS's name of the distortion model.
        affine: (2, 3) matrix from frame pixels to crop pixels, a similarity.

    Returns:
        Camera of the crop.

    """
    matrix = np.vstack([np.asarray(affine, np.float64), [0.0, 0.0, 1.0]])
    angle = np.arctan2(matrix[1, 0], matrix[0, 0])
    cosine, sine = float(np.cos(angle)), float(np.sin(angle))
    turn = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    back = np.eye(4)
    back[:3, :3] = turn.T
    coefficients = np.asarray(d, np.float64).reshape(-1).copy()
    first, second = _TANGENTIAL.get(model, (0, 0))
    if second and len(coefficients) > second:
        along = turn[:2, :2] @ coefficients[[second, first]]
        coefficients[[second, first]] = along
    if model == 'rational_polynomial' and len(coefficients) >= 12:
        # Thin prism coefficients: (s1, s3) and (s2, s4) are vectors as well.
        for pair in ([8, 10], [9, 11]):
            coefficients[pair] = turn[:2, :2] @ coefficients[pair]
    return CropCamera(
        k=matrix @ np.asarray(k, np.float64).reshape(3, 3) @ turn.T,
        d=coefficients,
        r=turn @ np.asarray(r, np.float64).reshape(3, 3),
        p=matrix @ np.asarray(p, np.float64).reshape(3, 4) @ back,
    )
