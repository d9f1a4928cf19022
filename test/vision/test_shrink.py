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

from __future__ import annotations

import cv2
import numpy as np
import pytest
from pictures import Frame

from cfrnet_ros.vision.preprocessing.shrink import shrink


@pytest.mark.parametrize(('width', 'height'), [(480, 360), (240, 180), (100, 75), (640, 480)])
@pytest.mark.parametrize('channels', [1, 3])
def test_shrunk_picture_is_close_to_the_means_of_its_pixels(
    two_faces: Frame, width: int, height: int, channels: int
) -> None:
    picture = two_faces if channels == 3 else two_faces[..., 0].copy()
    found = shrink(picture, width, height)
    exact = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    assert found.shape == exact.shape
    assert found.dtype == np.uint8
    assert cv2.PSNR(found, exact) > 33.0


def test_picture_of_that_size_is_not_copied(two_faces: Frame) -> None:
    assert shrink(two_faces, 640, 480) is two_faces


def test_bright_points_are_not_skipped_in_a_small_picture() -> None:
    picture = np.zeros((512, 512), np.uint8)
    picture[::8, ::8] = 255
    found = shrink(picture, 60, 60)
    # Linear interpolation alone would show some points and skip others.
    assert found.min() >= 1
    assert found.max() < 12


def test_odd_sizes_keep_the_corners_in_place() -> None:
    ramp = np.tile(np.linspace(0, 255, 641), (481, 1)).astype(np.uint8)
    found = shrink(ramp, 97, 53)
    assert found.shape == (53, 97)
    expected = (np.arange(97) + 0.5) / 97 * 255
    assert np.abs(found[20].astype(float) - expected).max() < 2.5
