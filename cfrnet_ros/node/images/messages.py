"""BGR arrays to sensor_msgs/Image."""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image
from std_msgs.msg import Header


def to_image_msg(image: NDArray[np.uint8], header: Header) -> Image:
    """Make a bgr8 message of an array.

    Args:
        image: (H, W, 3) uint8 BGR.
        header: Header of the message, used as it is; the source's for everything that the
            node sends.

    Returns:
        The message. `data` is filled by `array.frombytes`: assigning an array or
        a memoryview makes rclpy check every byte, which takes some 0.4 s a frame.

    """
    height, width = image.shape[:2]
    msg = Image()
    msg.header = header
    msg.height, msg.width = height, width
    msg.encoding = 'bgr8'
    msg.is_bigendian = 0
    msg.step = 3 * width
    data: array[int] = array('B')
    data.frombytes(np.ascontiguousarray(image).data)
    msg.data = data
    return msg
