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

"""Decodes raw and compressed image messages to (H, W, 3) uint8 BGR arrays.

The conversions use NumPy and OpenCV, so that the result does not depend on the installed
cv_bridge: ROS 2's own cv_bridge breaks with NumPy 2, and the port on the Python package index
ignores `step`. cv_bridge is used only for encodings that this package does not support itself.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image

from cfrnet_ros.node.images.compressed import check_compressed, decode_compressed
from cfrnet_ros.node.images.cv_bridge_fallback import decode_with_cv_bridge
from cfrnet_ros.node.images.encodings import find_encoding
from cfrnet_ros.node.images.errors import CORRUPT, ImageError
from cfrnet_ros.node.images.raw import check_raw, decode_raw
from cfrnet_ros.node.images.samples import SampleScaler


class ImageDecoder:
    """Decodes messages to BGR arrays, with a brightness scale that is steady over the frames.

    Not thread-safe, except for `check`, which has no state.
    """

    def __init__(self, max_image_px: int) -> None:
        """Set the largest number of pixels (width x height) that is accepted."""
        self._max_image_px = max_image_px
        self._scaler = SampleScaler()

    def reset(self) -> None:
        """Forget the brightness range of the 16-bit frames so far."""
        self._scaler.reset()

    def check(self, msg: Image | CompressedImage) -> None:
        """Check a message without reading its pixels.

        This is fast enough for the executor thread, so that an invalid frame never replaces a
        valid one that waits.

        Args:
            msg: Message of any encoding or format.

        Raises:
            ImageError: The image is empty, too large or truncated, or its header contradicts
                itself.

        """
        if isinstance(msg, CompressedImage):
            check_compressed(msg, self._max_image_px)
        else:
            check_raw(msg, self._max_image_px)

    def decode(self, msg: Image | CompressedImage) -> NDArray[np.uint8]:
        """Decode one message.

        Args:
            msg: Message of any encoding or format.

        Returns:
            (H, W, 3) uint8 BGR array, C-contiguous. For unpadded bgr8 it is a read-only view of
            the message's own memory.

        Raises:
            ImageError: The message cannot be decoded; `cause` names the reason.

        """
        self.check(msg)
        try:
            if isinstance(msg, CompressedImage):
                return decode_compressed(msg, self._scaler)
            encoding = find_encoding(msg.encoding)
            if encoding is None:
                return decode_with_cv_bridge(msg)
            return decode_raw(msg, encoding, self._scaler)
        except cv2.error as error:
            text = ' '.join(str(error).split())
            raise ImageError(CORRUPT, f'OpenCV cannot convert the image: {text}') from error
