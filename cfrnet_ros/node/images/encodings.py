"""Encodings of sensor_msgs/Image, one entry each.

An encoding whose samples lie row by row is supported by its entry in `ENCODINGS` alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Encoding:
    """How the samples of an encoding lie in a row, and how they become BGR.

    Attributes:
        dtype: NumPy type of a sample, without byte order. Eight bits are used as they are,
            16 are scaled by `samples.SampleScaler`, floats are taken as 0..1.
        channels: Number of samples a pixel.
        code: OpenCV conversion to BGR, None where there is nothing to convert.
        pixel_group: Number of pixels that share a colour sample; widths must be a multiple.

    """

    dtype: str
    channels: int
    code: int | None
    pixel_group: int = 1

    def row_bytes(self, width: int) -> int:
        """Return the number of bytes that a row of `width` pixels takes without padding."""
        return width * self.channels * np.dtype(self.dtype).itemsize


# ROS names a Bayer pattern by its first two rows, OpenCV by the second row's
# second and third pixel: hence RGGB <-> BG, BGGR <-> RG, GBRG <-> GR, GRBG <-> GB.
_BAYER = {
    'rggb': cv2.COLOR_BayerBG2BGR,
    'bggr': cv2.COLOR_BayerRG2BGR,
    'gbrg': cv2.COLOR_BayerGR2BGR,
    'grbg': cv2.COLOR_BayerGB2BGR,
}

#: Encodings that are decoded here, by their names in sensor_msgs/image_encodings.hpp. The
#: unnamed layouts (8UC3 and so on) are taken as grey or BGR(A), which is what cameras that
#: use them send.
ENCODINGS: dict[str, Encoding] = {
    'bgr8': Encoding('u1', 3, None),
    '8UC3': Encoding('u1', 3, None),
    'rgb8': Encoding('u1', 3, cv2.COLOR_RGB2BGR),
    'bgra8': Encoding('u1', 4, cv2.COLOR_BGRA2BGR),
    '8UC4': Encoding('u1', 4, cv2.COLOR_BGRA2BGR),
    'rgba8': Encoding('u1', 4, cv2.COLOR_RGBA2BGR),
    'mono8': Encoding('u1', 1, cv2.COLOR_GRAY2BGR),
    '8UC1': Encoding('u1', 1, cv2.COLOR_GRAY2BGR),
    'mono16': Encoding('u2', 1, cv2.COLOR_GRAY2BGR),
    '16UC1': Encoding('u2', 1, cv2.COLOR_GRAY2BGR),
    'bgr16': Encoding('u2', 3, None),
    'rgb16': Encoding('u2', 3, cv2.COLOR_RGB2BGR),
    'bgra16': Encoding('u2', 4, cv2.COLOR_BGRA2BGR),
    'rgba16': Encoding('u2', 4, cv2.COLOR_RGBA2BGR),
    '32FC1': Encoding('f4', 1, cv2.COLOR_GRAY2BGR),
    '32FC3': Encoding('f4', 3, None),
    '64FC1': Encoding('f8', 1, cv2.COLOR_GRAY2BGR),
    'uyvy': Encoding('u1', 2, cv2.COLOR_YUV2BGR_UYVY, 2),
    'yuv422': Encoding('u1', 2, cv2.COLOR_YUV2BGR_UYVY, 2),
    'yuyv': Encoding('u1', 2, cv2.COLOR_YUV2BGR_YUY2, 2),
    'yuv422_yuy2': Encoding('u1', 2, cv2.COLOR_YUV2BGR_YUY2, 2),
    **{f'bayer_{name}8': Encoding('u1', 1, code) for name, code in _BAYER.items()},
    **{f'bayer_{name}16': Encoding('u2', 1, code) for name, code in _BAYER.items()},
}

_GENERIC = re.compile(r'^(8|16|32|64)[USF]C([1-4])$')


def row_bytes(encoding: str, width: int) -> int | None:
    """Return the number of bytes that a row takes without padding.

    Args:
        encoding: Name of the encoding, as in sensor_msgs/Image.
        width: Width of the image in pixels.

    Returns:
        Number of bytes, also for generic encodings (such as 16SC2) that only cv_bridge
        decodes; None for a name that says nothing about its samples.

    """
    known = ENCODINGS.get(encoding)
    if known is not None:
        return known.row_bytes(width)
    generic = _GENERIC.match(encoding)
    return width * int(generic[1]) // 8 * int(generic[2]) if generic else None
