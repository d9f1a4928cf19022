"""Between ROS image messages and the (H, W, 3) uint8 BGR arrays that `cfrnet_ros.vision` takes.

One answer whichever cv_bridge is installed: the conversions are done here with
NumPy and OpenCV. ROS 2's own cv_bridge breaks with NumPy 2, and the port on the
Python package index ignores `step`; either is only asked for an encoding that
is not known here.
"""

from __future__ import annotations

import re
import struct
import sys
from array import array
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

#: Why a frame can be refused. Diagnostics count rejected frames by these names.
EMPTY = 'empty'
TRUNCATED = 'truncated'
BAD_LAYOUT = 'bad_layout'
TOO_LARGE = 'too_large'
UNKNOWN_ENCODING = 'unknown_encoding'
CORRUPT = 'corrupt'
NOT_FINITE = 'not_finite'
INTERNAL = 'internal'
CAUSES: tuple[str, ...] = (
    EMPTY,
    TRUNCATED,
    BAD_LAYOUT,
    TOO_LARGE,
    UNKNOWN_ENCODING,
    CORRUPT,
    NOT_FINITE,
    INTERNAL,
)


class ImageError(Exception):
    """A message that cannot become an image.

    Attributes:
        cause: one of `CAUSES`.

    """

    def __init__(self, cause: str, text: str) -> None:
        """Keep the cause apart from the text that is logged."""
        super().__init__(text)
        self.cause = cause


@dataclass(frozen=True)
class _Layout:
    """How the samples of an encoding lie in a row."""

    dtype: str
    channels: int
    #: OpenCV conversion to BGR, None where there is nothing to convert.
    code: int | None
    #: Widths must be a multiple of this (pixels that share a colour sample).
    pixel_group: int = 1


# ROS names a Bayer pattern by its first two rows, OpenCV by the second row's
# second and third pixel: hence RGGB <-> BG, BGGR <-> RG, GBRG <-> GR, GRBG <-> GB.
_BAYER = {
    'rggb': cv2.COLOR_BayerBG2BGR,
    'bggr': cv2.COLOR_BayerRG2BGR,
    'gbrg': cv2.COLOR_BayerGR2BGR,
    'grbg': cv2.COLOR_BayerGB2BGR,
}

# Names as in sensor_msgs/image_encodings.hpp. The unnamed layouts (8UC3 and so
# on) are taken as grey or BGR(A), which is what cameras that use them send.
_LAYOUTS: dict[str, _Layout] = {
    'bgr8': _Layout('u1', 3, None),
    '8UC3': _Layout('u1', 3, None),
    'rgb8': _Layout('u1', 3, cv2.COLOR_RGB2BGR),
    'bgra8': _Layout('u1', 4, cv2.COLOR_BGRA2BGR),
    '8UC4': _Layout('u1', 4, cv2.COLOR_BGRA2BGR),
    'rgba8': _Layout('u1', 4, cv2.COLOR_RGBA2BGR),
    'mono8': _Layout('u1', 1, cv2.COLOR_GRAY2BGR),
    '8UC1': _Layout('u1', 1, cv2.COLOR_GRAY2BGR),
    'mono16': _Layout('u2', 1, cv2.COLOR_GRAY2BGR),
    '16UC1': _Layout('u2', 1, cv2.COLOR_GRAY2BGR),
    'bgr16': _Layout('u2', 3, None),
    'rgb16': _Layout('u2', 3, cv2.COLOR_RGB2BGR),
    'bgra16': _Layout('u2', 4, cv2.COLOR_BGRA2BGR),
    'rgba16': _Layout('u2', 4, cv2.COLOR_RGBA2BGR),
    '32FC1': _Layout('f4', 1, cv2.COLOR_GRAY2BGR),
    '32FC3': _Layout('f4', 3, None),
    '64FC1': _Layout('f8', 1, cv2.COLOR_GRAY2BGR),
    'uyvy': _Layout('u1', 2, cv2.COLOR_YUV2BGR_UYVY, 2),
    'yuv422': _Layout('u1', 2, cv2.COLOR_YUV2BGR_UYVY, 2),
    'yuyv': _Layout('u1', 2, cv2.COLOR_YUV2BGR_YUY2, 2),
    'yuv422_yuy2': _Layout('u1', 2, cv2.COLOR_YUV2BGR_YUY2, 2),
    **{f'bayer_{name}8': _Layout('u1', 1, code) for name, code in _BAYER.items()},
    **{f'bayer_{name}16': _Layout('u2', 1, code) for name, code in _BAYER.items()},
}

#: Encodings of sensor_msgs/Image that are decoded here.
ENCODINGS: tuple[str, ...] = tuple(_LAYOUTS)

_GENERIC = re.compile(r'^(8|16|32|64)[USF]C([1-4])$')


class SixteenBitScaler:
    """Brings 16-bit samples to 8 bits steadily over time.

    Infrared cameras fill 10 to 14 of the 16 bits, so dropping the low byte
    would leave a black picture, and stretching every frame by its own extremes
    would make the picture flicker with a reflection. So the 1st and 99.8th
    percentile are followed by an exponential moving average (a tenth of the way
    each frame), starting from the first frame's own.
    """

    #: Share of the way to the new frame's percentiles.
    SMOOTHING = 0.1
    #: Least span in counts, so that a covered lens stays dark instead of
    #: showing its noise at full contrast.
    MIN_SPAN = 64.0

    def __init__(self) -> None:
        """Start without a history."""
        self._low: float | None = None
        self._high = 0.0

    def reset(self) -> None:
        """Forget the frames seen so far."""
        self._low = None

    def __call__(self, samples: NDArray[np.uint16]) -> NDArray[np.uint8]:
        """Scale one frame.

        Args:
            samples: (H, W) or (H, W, C) uint16, any byte order, not empty.

        Returns:
            uint8 of the same shape.

        """
        # Every sixteenth row and column is plenty for a percentile.
        stride = tuple(slice(None, None, max(1, side // 128)) for side in samples.shape[:2])
        low, high = (float(v) for v in np.percentile(samples[stride], (1.0, 99.8)))
        if self._low is None:
            self._low, self._high = low, high
        else:
            self._low += self.SMOOTHING * (low - self._low)
            self._high += self.SMOOTHING * (high - self._high)
        gain = 255.0 / max(self._high - self._low, self.MIN_SPAN)
        native = np.ascontiguousarray(samples, dtype=np.uint16)
        scaled = (native.astype(np.float32) - np.float32(self._low)) * np.float32(gain)
        return np.clip(scaled + 0.5, 0, 255).astype(np.uint8)


class ImageDecoder:
    """Turns messages into BGR arrays; keeps what must be steady from frame to frame.

    Not thread-safe, except for `check`, which keeps nothing.
    """

    def __init__(self, max_image_px: int) -> None:
        """Set the limit on width x height, in pixels."""
        self._max_image_px = max_image_px
        self._scaler = SixteenBitScaler()

    def reset(self) -> None:
        """Forget the brightness range of 16-bit frames seen so far."""
        self._scaler.reset()

    def check(self, msg: Image | CompressedImage) -> None:
        """Look at what can be judged without touching the pixels.

        Cheap enough for the executor thread, so that a broken frame never takes
        the place of a good one that waits.

        Raises:
            ImageError: empty, too large, truncated, or rows that cannot be.

        """
        if isinstance(msg, CompressedImage):
            self._check_compressed(msg)
        else:
            self._check_raw(msg)

    def decode(self, msg: Image | CompressedImage) -> NDArray[np.uint8]:
        """Decode one message.

        Returns:
            (H, W, 3) uint8 BGR, C-contiguous. For unpadded bgr8 this is a view of
            the message's own memory, and not writable.

        Raises:
            ImageError: with the cause, for anything that is not an image.

        """
        self.check(msg)
        try:
            if isinstance(msg, CompressedImage):
                return self._decode_compressed(msg)
            return self._decode_raw(msg)
        except cv2.error as error:
            text = ' '.join(str(error).split())
            raise ImageError(CORRUPT, f'OpenCV cannot convert the image: {text}') from error

    # -- sensor_msgs/Image ---------------------------------------------------

    def _check_size(self, width: int, height: int) -> None:
        if width <= 0 or height <= 0:
            raise ImageError(EMPTY, f'the image is {width} x {height} pixels')
        if width * height > self._max_image_px:
            raise ImageError(
                TOO_LARGE,
                f'the image is {width} x {height} = {width * height} pixels, above max_image_px ='
                f' {self._max_image_px}; raise that parameter if the camera is right',
            )

    def _check_raw(self, msg: Image) -> None:
        self._check_size(msg.width, msg.height)
        if len(msg.data) == 0:
            raise ImageError(EMPTY, f'a {msg.width} x {msg.height} image without data')
        layout = _LAYOUTS.get(msg.encoding)
        row_bytes = _row_bytes(msg)
        if row_bytes is not None and msg.step < row_bytes:
            raise ImageError(
                BAD_LAYOUT,
                f'step is {msg.step}, but a row of {msg.width} {msg.encoding} pixels takes'
                f' {row_bytes} bytes',
            )
        if layout is not None and msg.width % layout.pixel_group:
            raise ImageError(
                BAD_LAYOUT, f'{msg.encoding} needs an even width, the image has {msg.width}'
            )
        if len(msg.data) < msg.step * msg.height:
            raise ImageError(
                TRUNCATED,
                f'{len(msg.data)} bytes of data, but {msg.height} rows of {msg.step} bytes make'
                f' {msg.step * msg.height}',
            )

    def _decode_raw(self, msg: Image) -> NDArray[np.uint8]:
        layout = _LAYOUTS.get(msg.encoding)
        if layout is None:
            return _decode_with_cv_bridge(msg)
        dtype = np.dtype(layout.dtype).newbyteorder('>' if msg.is_bigendian else '<')
        rows = _rows(msg, msg.width * layout.channels * dtype.itemsize)
        samples = rows.view(dtype)
        if layout.channels > 1:
            samples = samples.reshape(msg.height, msg.width, layout.channels)
        return _to_bgr(self._to_bytes(samples), layout.code)

    def _to_bytes(self, samples: NDArray[Any]) -> NDArray[np.uint8]:
        if samples.dtype.kind == 'f':
            # Finite samples have a finite sum unless it overflows, and then a
            # second look decides; one pass over the data is the common case.
            with np.errstate(invalid='ignore', over='ignore'):
                suspicious = not np.isfinite(samples.sum(dtype=np.float64))
            if suspicious and not np.isfinite(samples).all():
                count = int(np.size(samples) - np.count_nonzero(np.isfinite(samples)))
                raise ImageError(NOT_FINITE, f'{count} samples are NaN or infinite')
            scaled = np.clip(samples.astype(np.float32), 0.0, 1.0) * np.float32(255.0)
            return (scaled + np.float32(0.5)).astype(np.uint8)
        if samples.dtype.itemsize == 2:
            return self._scaler(samples)
        return samples

    # -- sensor_msgs/CompressedImage -----------------------------------------

    def _check_compressed(self, msg: CompressedImage) -> None:
        if len(msg.data) == 0:
            raise ImageError(EMPTY, 'a compressed image without data')
        data = memoryview(msg.data)
        if bytes(data[:3]) == b'\xff\xd8\xff':
            size = _jpeg_size(data)
        elif bytes(data[:8]) == b'\x89PNG\r\n\x1a\n':
            size = _png_size(data)
        elif not re.search(r'jpe?g|png', msg.format, re.IGNORECASE) and msg.format:
            raise ImageError(
                UNKNOWN_ENCODING,
                f'compressed format {msg.format!r} is not known; jpeg and png are',
            )
        elif 'compressedDepth' in msg.format:
            raise ImageError(UNKNOWN_ENCODING, 'compressedDepth holds distances, not a picture')
        else:
            raise ImageError(CORRUPT, 'the data begin neither like a JPEG nor like a PNG')
        if size is None:
            raise ImageError(CORRUPT, 'the header of the compressed image is damaged')
        self._check_size(*size)
        # libjpeg paints what is missing grey and calls it a success, so the end
        # marker is looked for. Cameras may pad it, hence not only at the end.
        tail = bytes(data[-4096:])
        if (b'\xff\xd9' if data[0] == 0xFF else b'IEND') not in tail:
            raise ImageError(TRUNCATED, 'the compressed image ends before its end marker')

    def _decode_compressed(self, msg: CompressedImage) -> NDArray[np.uint8]:
        data = np.frombuffer(msg.data, np.uint8)
        # UNCHANGED: keep 16 bits, and never turn by EXIF: boxes are in the
        # source image's pixels.
        decoded = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
        if decoded is None:
            raise ImageError(CORRUPT, f'the {len(data)} bytes of {msg.format!r} cannot be decoded')
        if decoded.dtype not in (np.dtype(np.uint8), np.dtype(np.uint16)):
            raise ImageError(UNKNOWN_ENCODING, f'compressed samples of type {decoded.dtype}')
        pixels = self._to_bytes(np.asarray(decoded))
        channels = 1 if pixels.ndim == 2 else pixels.shape[2]
        if channels == 1:
            # OpenCV gives one channel as (H, W), some builds as (H, W, 1).
            return _to_bgr(pixels.reshape(pixels.shape[:2]), cv2.COLOR_GRAY2BGR)
        # "rgb8; jpeg compressed rgb8": the sender compressed RGB as if it were
        # BGR (see compressed_image_transport).
        swapped = 'compressed rgb' in msg.format
        if channels == 3:
            return _to_bgr(pixels, cv2.COLOR_RGB2BGR if swapped else None)
        if channels == 4:
            return _to_bgr(pixels, cv2.COLOR_RGBA2BGR if swapped else cv2.COLOR_BGRA2BGR)
        raise ImageError(UNKNOWN_ENCODING, f'a compressed image with {channels} channels')


def to_image_msg(image: NDArray[np.uint8], header: Header) -> Image:
    """Make a bgr8 message of an array.

    Args:
        image: (H, W, 3) uint8 BGR.
        header: used as it is; the source's header for everything this node sends.

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


def _to_bgr(pixels: NDArray[np.uint8], code: int | None) -> NDArray[np.uint8]:
    if code is None:
        return np.ascontiguousarray(pixels)
    return np.asarray(cv2.cvtColor(pixels, code)).astype(np.uint8, copy=False)


def _row_bytes(msg: Image) -> int | None:
    """Bytes that the pixels of one row take, None for an encoding never heard of."""
    layout = _LAYOUTS.get(msg.encoding)
    if layout is not None:
        return int(msg.width) * layout.channels * np.dtype(layout.dtype).itemsize
    generic = _GENERIC.match(msg.encoding)
    return int(msg.width) * int(generic[1]) // 8 * int(generic[2]) if generic else None


def _rows(msg: Image, row_bytes: int) -> NDArray[np.uint8]:
    """(height, row_bytes) uint8 without the padding, contiguous, not writable."""
    data = np.frombuffer(msg.data, np.uint8, count=msg.step * msg.height)
    rows = np.ascontiguousarray(data.reshape(msg.height, msg.step)[:, :row_bytes])
    # It may be the message's own memory: nobody downstream may draw into it.
    rows.setflags(write=False)
    return rows


def _decode_with_cv_bridge(msg: Image) -> NDArray[np.uint8]:
    unknown = ImageError(
        UNKNOWN_ENCODING,
        f'encoding {msg.encoding!r} is not known; known are {", ".join(ENCODINGS)}',
    )
    row_bytes = _row_bytes(msg)
    if row_bytes is None:
        raise unknown
    if bool(msg.is_bigendian) != (sys.byteorder == 'big'):
        # One of the two cv_bridges leaves such bytes swapped: refused, not wrong.
        raise unknown
    try:
        # ROS 2's cv_bridge built against NumPy 1 raises all sorts on import.
        from cv_bridge import CvBridge
    except Exception as error:
        raise unknown from error
    packed = Image()
    packed.header = msg.header
    packed.height, packed.width, packed.encoding = msg.height, msg.width, msg.encoding
    packed.is_bigendian = msg.is_bigendian
    packed.step = row_bytes
    data: array[int] = array('B')
    data.frombytes(_rows(msg, row_bytes).tobytes())
    packed.data = data
    try:
        converted = np.asarray(CvBridge().imgmsg_to_cv2(packed, 'bgr8'))
    except Exception as error:
        raise unknown from error
    if converted.dtype != np.uint8 or converted.shape != (msg.height, msg.width, 3):
        raise unknown
    return np.ascontiguousarray(converted)


def _jpeg_size(data: memoryview) -> tuple[int, int] | None:
    """Width and height that the frame header of a JPEG declares, None if there is none."""
    position = 2
    while position + 9 <= len(data):
        if data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # markers without a length
            position += 2
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack('>HH', data[position + 5 : position + 9])
            return width, height
        if marker in (0xD9, 0xDA):  # the pixels begin before any frame header
            return None
        position += 2 + struct.unpack('>H', data[position + 2 : position + 4])[0]
    return None


def _png_size(data: memoryview) -> tuple[int, int] | None:
    """Width and height that a PNG declares, None if its first chunk is not IHDR."""
    if len(data) < 24 or bytes(data[12:16]) != b'IHDR':
        return None
    width, height = struct.unpack('>II', data[16:24])
    return width, height
