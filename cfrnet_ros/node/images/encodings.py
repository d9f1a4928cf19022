"""Encodings of sensor_msgs/Image, one entry each.

An encoding is supported by its entry in `ENCODINGS` alone, whether the samples of a pixel lie
side by side or the colour follows in planes of its own.
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
        planes: Number of planes: 1 where U and V alternate, 2 where each has its own.
        row_share: Bytes of a row of a plane, as a share of those of a row of luma. The
            distance from row to row has the same share of `step`.
        rows_share: Number of rows of a plane, as a share of those of the luma.

    """

    planes: int
    row_share: float
    rows_share: float


@dataclass(frozen=True)
class Encoding:
    """How the samples of an encoding lie in a row, and how they become BGR.

    Attributes:
        dtype: NumPy type of a sample, without byte order. Eight bits are used as they are,
            16 are scaled by `samples.SampleScaler`, floats are taken as 0..1.
        channels: Number of samples a pixel.
        code: OpenCV conversion to BGR, or the rows of a (3, 4) matrix that takes the channels
            and 1 to B, G and R; None where there is nothing to convert.
        pixel_group: Number of pixels that share a colour sample; widths must be a multiple.
        chroma: Planes that follow, None where all samples of a pixel lie side by side.

    """

    dtype: str
    channels: int
    code: int | Matrix | None
    pixel_group: int = 1
    chroma: Chroma | None = None

    @property
    def row_group(self) -> int:
        """Number of rows that share a colour sample; heights must be a multiple."""
        return 1 if self.chroma is None else round(1 / self.chroma.rows_share)

    def size_bytes(self, step: int, height: int) -> int:
        """Return the number of bytes that an image of `height` rows, `step` apart, takes."""
        size = step * height
        if self.chroma is not None:
            share = self.chroma.row_share * self.chroma.rows_share
            size += int(self.chroma.planes * share * size)
        return size

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

# ITU-R BT.601 with luma 16..235, as OpenCV takes the other YUV encodings: (Y, U, V, 1) to BGR.
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

#: Encodings that are decoded here, by their names in sensor_msgs/image_encodings.hpp, followed
#: by names that drivers use without a definition there: those of V4L2, FFmpeg and GStreamer,
#: which `find_encoding` takes in any case. The unnamed layouts (8UC3 and so on) are taken as
#: grey or BGR(A), which is what cameras that use them send. Samples of 10, 12 and 14 bits lie
#: in two bytes each.
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
        name: Name as in sensor_msgs/Image. Where it is no entry as it is, case and blanks at
            the ends do not matter: V4L2 writes 'YUYV' and 'Y16 '.

    """
    return ENCODINGS.get(name) or ENCODINGS.get(name.strip().lower())


def row_bytes(encoding: str, width: int) -> int | None:
    """Return the number of bytes that a row takes without padding, of a plane of luma too.

    Args:
        encoding: Name of the encoding, as in sensor_msgs/Image.
        width: Width of the image in pixels.

    Returns:
        Number of bytes, also for generic encodings (such as 16SC2) that only cv_bridge
        decodes; None for a name that says nothing about its samples.

    """
    known = find_encoding(encoding)
    if known is not None:
        return known.row_bytes(width)
    generic = _GENERIC.match(encoding)
    return width * int(generic[1]) // 8 * int(generic[2]) if generic else None
