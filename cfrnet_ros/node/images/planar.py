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

"""Decoding of images whose colour follows the luma in separate planes, such as NV12 and I420."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image

from cfrnet_ros.node.images.encodings import Chroma, Encoding


def plane_step(msg: Image, encoding: Encoding) -> int:
    """Return the distance between rows of luma in bytes.

    The distance is `step`, unless `step` counts the bytes of whole pixels:
    `sensor_msgs::image_encodings` gives NV21 two channels, and some drivers compute `step` from
    these, or from the average of twelve bits per pixel, and send rows without padding.

    Args:
        msg: Message of an encoding with planes.
        encoding: Entry of the message's encoding in `ENCODINGS`.

    """
    packed = encoding.row_bytes(msg.width)
    whole = encoding.size_bytes(packed, msg.height)
    too_few = len(msg.data) < encoding.size_bytes(msg.step, msg.height)
    counts_pixels = msg.step in (3 * packed // 2, 2 * packed, 3 * packed)
    return packed if too_few and counts_pixels and len(msg.data) >= whole else msg.step


def planar_pixels(msg: Image, encoding: Encoding, chroma: Chroma) -> NDArray[np.uint8]:
    """Arrange the planes as the conversion to BGR expects them.

    Args:
        msg: Message that `raw.check_raw` accepted.
        encoding: Entry of the message's encoding in `ENCODINGS`.
        chroma: Colour planes of that entry.

    Returns:
        (1.5 H, W) uint8 array with all planes one after another if colour has half as many rows as
        luma; otherwise (H, W, 2) or (H, W, 3) uint8 array with luma in the first channel and
        chroma in the others.

    """
    height, width, step = msg.height, msg.width, plane_step(msg, encoding)
    data = np.frombuffer(msg.data, np.uint8)
    luma = data[: step * height].reshape(height, step)[:, :width]
    rows = int(height * chroma.rows_share) * chroma.planes
    row_step, row_length = int(step * chroma.row_share), int(width * chroma.row_share)
    colour = data[step * height :][: rows * row_step].reshape(rows, row_step)[:, :row_length]
    if chroma.rows_share < 1:
        return np.concatenate((luma.reshape(-1), colour.reshape(-1))).reshape(-1, width)
    if chroma.row_share == 1:
        return np.asarray(cv2.merge((luma, colour))).astype(np.uint8, copy=False)
    return np.dstack((luma, colour.reshape(height, width, 2)))
