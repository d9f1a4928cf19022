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

"""Pictures of rotated cameras become upright, and faces get back to the camera's pixels."""

from __future__ import annotations

import numpy as np
import pytest

from cfrnet_ros.vision.camera_rotation import (
    face_in_camera,
    rotate,
    rotate_back,
    rotation_matrix,
)
from cfrnet_ros.vision.preprocessing.align import DEFAULT_TEMPLATE, align_face, warp_crop
from cfrnet_ros.vision.types import Face, Restoration, RestoredFace

ALL = pytest.mark.parametrize('degrees', [0, 90, 180, 270])


def picture() -> np.ndarray:
    """(40, 60, 3), no two pixels alike."""
    return np.random.default_rng(1).permutation(40 * 60 * 3).astype(np.uint8).reshape(40, 60, 3)


@ALL
def test_turning_back_gives_the_picture_as_it_was(degrees: int) -> None:
    turned = rotate(picture(), degrees)
    assert turned.shape[:2] == ((60, 40) if degrees in (90, 270) else (40, 60))
    assert np.array_equal(turned, np.rot90(picture(), -degrees // 90))
    assert np.array_equal(rotate_back(turned, degrees), picture())


@ALL
def test_the_matrix_says_where_each_pixel_goes(degrees: int) -> None:
    turned, matrix = rotate(picture(), degrees), rotation_matrix(degrees, 60, 40)
    for x, y in ((0, 0), (59, 0), (13, 39), (7, 22)):
        to_x, to_y, _ = matrix @ (x, y, 1)
        assert np.array_equal(turned[int(to_y), int(to_x)], picture()[y, x])


@ALL
def test_a_face_in_camera_pixels_has_the_same_upright_crop(degrees: int) -> None:
    camera = picture()
    upright = rotate(camera, degrees)
    landmarks = (DEFAULT_TEMPLATE * 24 + (9, 8)).astype(np.float32)
    crop, affine = align_face(upright, landmarks, 32, DEFAULT_TEMPLATE, 1.0)
    face = Face(np.array([10, 9, 30, 33], np.float32), landmarks, 0.9)
    found = RestoredFace(face, crop, affine, Restoration(crop, 0, (), ()))
    seen = face_in_camera(found, degrees, 60, 40)
    again = warp_crop(camera, seen.affine, 32).astype(int)
    assert np.abs(again - crop)[2:-2, 2:-2].max() <= 2
    # Landmarks and box are where the camera has them; the crop is still upright.
    back = rotation_matrix(degrees, 60, 40)[:2]
    assert np.allclose(seen.face.landmarks @ back[:, :2].T + back[:, 2], landmarks, atol=1e-4)
    assert (seen.face.width, seen.face.height) == ((24, 20) if degrees in (90, 270) else (20, 24))
    assert np.array_equal(seen.crop, crop)
