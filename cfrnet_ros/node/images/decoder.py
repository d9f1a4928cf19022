"""Messages with an image, raw or compressed, to (H, W, 3) uint8 BGR arrays.

One answer whichever cv_bridge is installed: the conversions are done here with
NumPy and OpenCV. ROS 2's own cv_bridge breaks with NumPy 2, and the port on the
Python package index ignores `step`; either is only asked for an encoding that
is not known here.
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
    """Turns messages into BGR arrays; keeps what must be steady from frame to frame.

    Not thread-safe, except for `check`, which keeps nothing.
    """

    def __init__(self, max_image_px: int) -> None:
        """Set the limit on width x height, in pixels."""
        self._max_image_px = max_image_px
        self._scaler = SampleScaler()

    def reset(self) -> None:
        """Forget the brightness range of 16-bit frames seen so far."""
        self._scaler.reset()

    def check(self, msg: Image | CompressedImage) -> None:
        """Look at what can be judged without touching the pixels.

        Cheap enough for the executor thread, so that a broken frame never takes
        the place of a good one that waits.

        Raises:
            ImageError: The image is empty, too large or truncated, or its rows cannot be as
                the header says.

        """
        if isinstance(msg, CompressedImage):
            check_compressed(msg, self._max_image_px)
        else:
            check_raw(msg, self._max_image_px)

    def decode(self, msg: Image | CompressedImage) -> NDArray[np.uint8]:
        """Decode one message.

        Returns:
            (H, W, 3) uint8 BGR, C-contiguous. For unpadded bgr8 this is a view of
            the message's own memory, and not writable.

        Raises:
            ImageError: The message is not an image; `cause` says why.

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
