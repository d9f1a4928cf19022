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

from array import array

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from cfrnet_ros.node.first_image import FirstImage


def test_size_encoding_and_rate_are_told_once() -> None:
    lines: list[str] = []
    first = FirstImage(lines.append)
    msg = Image(width=1280, height=720, encoding='bgr8')
    for index in range(100):
        first.take(msg, 5.0 + index / 32)
    assert lines == ['first image: 1280x720 bgr8 at 32 Hz']
    # After another activation, another camera may come.
    first.reset()
    done, data = cv2.imencode('.jpg', np.zeros((48, 64, 3), np.uint8))
    assert done
    for index in range(4):
        first.take(CompressedImage(format='jpeg', data=array('B', data.tobytes())), index * 1.0)
    assert lines[1:] == ['first image: 64x48 jpeg at 1 Hz']


def test_a_single_image_has_no_rate_yet() -> None:
    lines: list[str] = []
    FirstImage(lines.append).take(Image(width=8, height=8, encoding='mono8'), 1.0)
    assert not lines
