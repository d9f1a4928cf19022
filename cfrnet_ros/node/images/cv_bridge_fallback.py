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

"""Decodes encodings that only cv_bridge supports, if cv_bridge is installed."""

from __future__ import annotations

import sys
from array import array

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image

from cfrnet_ros.node.images.encodings import ENCODINGS, row_bytes
from cfrnet_ros.node.images.errors import UNKNOWN_ENCODING, ImageError
from cfrnet_ros.node.images.raw import packed_rows


def decode_with_cv_bridge(msg: Image) -> NDArray[np.uint8]:
    """Let cv_bridge decode a message whose encoding is not one of `ENCODINGS`.

    Args:
        msg: Message that `raw.check_raw` accepted.

    Returns:
        (H, W, 3) uint8 BGR array, C-contiguous.

    Raises:
        ImageError: The package cv_bridge is not installed, or it cannot decode the message either.

    """
    unknown = ImageError(
        UNKNOWN_ENCODING,
        f'encoding {msg.encoding!r} is not supported; supported are {", ".join(ENCODINGS)}',
    )
    row_length = row_bytes(msg.encoding, msg.width)
    if row_length is None:
        raise unknown
    if bool(msg.is_bigendian) != (sys.byteorder == 'big'):
        # One of the two cv_bridge packages does not swap such bytes, so the message is refused
        # instead of being decoded wrongly.
        raise unknown
    try:
        # ROS 2's cv_bridge, built against NumPy 1, raises various exceptions on import.
        from cv_bridge import CvBridge
    except Exception as error:
        raise unknown from error
    packed = Image()
    packed.header = msg.header
    packed.height, packed.width, packed.encoding = msg.height, msg.width, msg.encoding
    packed.is_bigendian = msg.is_bigendian
    packed.step = row_length
    data: array[int] = array('B')
    data.frombytes(packed_rows(msg, row_length).tobytes())
    packed.data = data
    try:
        converted = np.asarray(CvBridge().imgmsg_to_cv2(packed, 'bgr8'))
    except Exception as error:
        raise unknown from error
    if converted.dtype != np.uint8 or converted.shape != (msg.height, msg.width, 3):
        raise unknown
    return np.ascontiguousarray(converted)
