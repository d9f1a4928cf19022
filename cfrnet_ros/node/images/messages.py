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

"""Converts BGR arrays to sensor_msgs/Image and sensor_msgs/CompressedImage."""

from __future__ import annotations

from array import array

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header


def to_image_msg(image: NDArray[np.uint8], header: Header) -> Image:
    """Convert an array to a bgr8 message.

    Args:
        image: (H, W, 3) uint8 BGR array.
        header: Header of the message, used unchanged. For all messages of the node it is the
            header of the source image.

    Returns:
        Message of encoding bgr8. Its `data` is filled by `array.frombytes`: assigning a NumPy
        array or a memoryview makes rclpy check every byte, which takes about 0.4 s per frame.

    """
    height, width = image.shape[:2]
    msg = Image()
    msg.header = header
    msg.height, msg.width = height, width
    msg.encoding = 'bgr8'
    msg.is_bigendian = 0
    msg.step = 3 * width
    msg.data = _bytes_of(np.ascontiguousarray(image).data)
    return msg


def to_jpeg_msg(image: NDArray[np.uint8], header: Header, quality: int) -> CompressedImage:
    """Convert an array to a JPEG message, as image_transport's compressed transport sends it.

    Args:
        image: (H, W, 3) uint8 BGR array.
        header: Header of the message, used unchanged.
        quality: Quality of JPEG, 1..100.

    """
    # JPEG of OpenCV fails for pictures beyond 65500 pixels a side only.
    _, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    msg = CompressedImage(header=header, format='bgr8; jpeg compressed bgr8')
    msg.data = _bytes_of(data.data)
    return msg


def _bytes_of(buffer: memoryview) -> array[int]:
    data: array[int] = array('B')
    data.frombytes(buffer)
    return data
