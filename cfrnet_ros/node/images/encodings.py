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

"""Supported encodings of sensor_msgs/Image.

To support another encoding, an entry in `ENCODINGS` is sufficient, whether the samples of a pixel
are stored side by side or the colour follows in separate planes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import cv2
import numpy as np

#: Rows of a (3, 4) matrix.
Matrix = tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True)
class Chroma:
    """Planes of colour samples (eight bits each) that follow the plane of luma.

    Attributes:
        planes: Number of planes: 1 if U and V alternate in one plane, 2 if each has its own plane.
        row_share: Number of bytes of a row in a plane, divided by that of a row of luma. The
            distance between rows has the same ratio to `step`.
        rows_share: Number of rows of a plane, divided by the number of rows of luma.

    """

    planes: int
    row_share: float
    rows_share: float


@dataclass(frozen=True)
class Encoding:
    """Layout of an encoding's samples in a row, and their conversion to BGR.

    Attributes:
        dtype: NumPy type of a sample, without byte order. Samples of 8 bits are used unchanged,
            samples of 16 bits are scaled by `samples.SampleScaler`, and floats have the range 0..1.
        channels: Number of samples per pixel.
        code: OpenCV code of the conversion to BGR, or the rows of a (3, 4) matrix that maps the
            channels and 1 to B, G and R; None if no conversion is needed.
        pixel_group: Number of pixels that share a colour sample. The width must be a multiple of
            it.
        chroma: Colour planes that follow the first plane, None if all samples of a pixel are
            stored side by side.

    """

    dtype: str
    channels: int
    code: int | Matrix | None
    pixel_group: int = 1
    chroma: Chroma | None = None

    @property
    def row_group(self) -> int:
        """Number of rows that share a colour sample. The height must be a multiple of it."""
        return 1 if self.chroma is None else round(1 / self.chroma.rows_share)

    def size_bytes(self, step: int, height: int) -> int:
        """Return the number of bytes of an image with `height` rows of `step` bytes each."""
        size = step * height
        if self.chroma is not None:
            share = self.chroma.row_share * self.chroma.rows_share
            size += int(self.chroma.planes * share * size)
        return size

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

# ITU-R BT.601 with luma 16..235, as in OpenCV's conversions of the other YUV encodings. The matrix
# maps (Y, U, V, 1) to BGR.
_YUV444: Matrix = (
    (1.164, 2.018, 0.0, -1.164 * 16 - 2.018 * 128),
    (1.164, -0.391, -0.813, -1.164 * 16 + (0.391 + 0.813) * 128),
    (1.164, 0.0, 1.596, -1.164 * 16 - 1.596 * 128),
)

_ALTERNATING, _SEPARATE = Chroma(1, 1, 0.5), Chroma(2, 0.5, 0.5)
_GREY8 = Encoding('u1', 1, cv2.COLOR_GRAY2BGR)
_GREY16 = Encoding('u2', 1, cv2.COLOR_GRAY2BGR)
_UYVY = Encoding('u1', 2, cv2.COLOR_YUV2BGR_UYVY, 2)
_YUYV = Encoding('u1', 2, cv2.COLOR_YUV2BGR_YUY2, 2)
_NV12 = Encoding('u1', 1, cv2.COLOR_YUV2BGR_NV12, 2, _ALTERNATING)
_NV21 = Encoding('u1', 1, cv2.COLOR_YUV2BGR_NV21, 2, _ALTERNATING)
_I420 = Encoding('u1', 1, cv2.COLOR_YUV2BGR_I420, 2, _SEPARATE)
_YV12 = Encoding('u1', 1, cv2.COLOR_YUV2BGR_YV12, 2, _SEPARATE)

#: Encodings that are decoded without cv_bridge. The names in sensor_msgs/image_encodings.hpp come
#: first. The names of V4L2, FFmpeg and GStreamer follow, which drivers use although that header
#: does not define them; `find_encoding` ignores their case. The generic layouts (8UC3 and so on)
#: are interpreted as grey or BGR(A), since cameras that use them send these. Samples of 10, 12 and
#: 14 bits are stored in two bytes each.
ENCODINGS: dict[str, Encoding] = {
    'bgr8': Encoding('u1', 3, None),
    '8UC3': Encoding('u1', 3, None),
    'rgb8': Encoding('u1', 3, cv2.COLOR_RGB2BGR),
    'bgra8': Encoding('u1', 4, cv2.COLOR_BGRA2BGR),
    '8UC4': Encoding('u1', 4, cv2.COLOR_BGRA2BGR),
    'rgba8': Encoding('u1', 4, cv2.COLOR_RGBA2BGR),
    'mono8': _GREY8,
    '8UC1': _GREY8,
    'mono16': _GREY16,
    '16UC1': _GREY16,
    'bgr16': Encoding('u2', 3, None),
    'rgb16': Encoding('u2', 3, cv2.COLOR_RGB2BGR),
    'bgra16': Encoding('u2', 4, cv2.COLOR_BGRA2BGR),
    'rgba16': Encoding('u2', 4, cv2.COLOR_RGBA2BGR),
    '32FC1': Encoding('f4', 1, cv2.COLOR_GRAY2BGR),
    '32FC3': Encoding('f4', 3, None),
    '64FC1': Encoding('f8', 1, cv2.COLOR_GRAY2BGR),
    'uyvy': _UYVY,
    'yuv422': _UYVY,
    'yuyv': _YUYV,
    'yuv422_yuy2': _YUYV,
    'nv12': _NV12,
    'nv21': _NV21,
    'nv24': Encoding('u1', 1, _YUV444, 1, Chroma(1, 2, 1)),
    **{f'bayer_{name}8': Encoding('u1', 1, code) for name, code in _BAYER.items()},
    **{f'bayer_{name}16': Encoding('u2', 1, code) for name, code in _BAYER.items()},
    'uyvy422': _UYVY,
    'yuy2': _YUYV,
    'yuyv422': _YUYV,
    'yvyu': Encoding('u1', 2, cv2.COLOR_YUV2BGR_YVYU, 2),
    'nv16': Encoding('u1', 1, cv2.COLOR_YUV2BGR_YUY2, 2, Chroma(1, 1, 1)),
    'i420': _I420,
    'yu12': _I420,
    'yuv420': _I420,
    'yuv420p': _I420,
    'yv12': _YV12,
    'grey': _GREY8,
    'y8': _GREY8,
    **{f'y{bits}': _GREY16 for bits in (10, 12, 14, 16)},
    **{f'mono{bits}': _GREY16 for bits in (10, 12, 14)},
    **{
        f'bayer_{name}{bits}': Encoding('u2', 1, code)
        for name, code in _BAYER.items()
        for bits in (10, 12, 14)
    },
}

_GENERIC = re.compile(r'^(8|16|32|64)[USF]C([1-4])$')


def find_encoding(name: str) -> Encoding | None:
    """Return the entry of an encoding, None if there is none.

    Args:
        name: Name of the encoding, as in sensor_msgs/Image. If `ENCODINGS` has no such entry, case
            and blanks at the ends are ignored, since V4L2 writes 'YUYV' and 'Y16 '.

    """
    return ENCODINGS.get(name) or ENCODINGS.get(name.strip().lower())


def row_bytes(encoding: str, width: int) -> int | None:
    """Return the number of bytes of a row without padding; for planes, of a row of luma.

    Args:
        encoding: Name of the encoding, as in sensor_msgs/Image.
        width: Width of the image in pixels.

    Returns:
        Number of bytes, also for generic encodings (such as 16SC2) that only cv_bridge decodes;
        None if the size of a sample does not follow from the name.

    """
    known = find_encoding(encoding)
    if known is not None:
        return known.row_bytes(width)
    generic = _GENERIC.match(encoding)
    return width * int(generic[1]) // 8 * int(generic[2]) if generic else None
