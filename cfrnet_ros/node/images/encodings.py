"""Supported encodings of sensor_msgs/Image.

To support another encoding whose samples are stored row by row, an entry in `ENCODINGS` is
sufficient.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Encoding:
    """Layout of an encoding's samples in a row, and their conversion to BGR.

    Attributes:
        dtype: NumPy type of a sample, without byte order. Samples of 8 bits are used unchanged,
            samples of 16 bits are scaled by `samples.SampleScaler`, and floats have the range 0..1.
        channels: Number of samples per pixel.
        code: OpenCV code of the conversion to BGR, None if no conversion is needed.
        pixel_group: Number of pixels that share a colour sample. The width must be a multiple of
            it.

    """

    dtype: str
    channels: int
    code: int | None
    pixel_group: int = 1

    def row_bytes(self, width: int) -> int:
        """Return the number of bytes of a row of `width` pixels without padding."""
        return width * self.channels * np.dtype(self.dtype).itemsize


# ROS names a Bayer pattern by its first two rows, OpenCV by the second and third pixel of the
# second row. Therefore RGGB <-> BG, BGGR <-> RG, GBRG <-> GR and GRBG <-> GB.
_BAYER = {
    'rggb': cv2.COLOR_BayerBG2BGR,
    'bggr': cv2.COLOR_BayerRG2BGR,
    'gbrg': cv2.COLOR_BayerGR2BGR,
    'grbg': cv2.COLOR_BayerGB2BGR,
}

#: Encodings that are decoded without cv_bridge, by their names in
#: sensor_msgs/image_encodings.hpp. The generic layouts (8UC3 and so on) are interpreted as grey or
#: BGR(A), since cameras that use them send these.
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
    """Return the number of bytes of a row without padding.

    Args:
        encoding: Name of the encoding, as in sensor_msgs/Image.
        width: Width of the image in pixels.

    Returns:
        Number of bytes, also for generic encodings (such as 16SC2) that only cv_bridge decodes;
        None if the size of a sample does not follow from the name.

    """
    known = ENCODINGS.get(encoding)
    if known is not None:
        return known.row_bytes(width)
    generic = _GENERIC.match(encoding)
    return width * int(generic[1]) // 8 * int(generic[2]) if generic else None
