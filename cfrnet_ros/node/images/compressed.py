"""sensor_msgs/CompressedImage: what its header claims, and its pixels."""

from __future__ import annotations

import re

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage

from cfrnet_ros.node.images import compressed_formats
from cfrnet_ros.node.images.compressed_formats import CompressedFormat
from cfrnet_ros.node.images.errors import (
    CORRUPT,
    EMPTY,
    TRUNCATED,
    UNKNOWN_ENCODING,
    ImageError,
    check_size,
)
from cfrnet_ros.node.images.samples import SampleScaler, to_bgr


def check_compressed(msg: CompressedImage, max_px: int) -> None:
    """Judge a message by its header and its end.

    Args:
        msg: Message of any format, known or not.
        max_px: Largest number of pixels that is accepted.

    Raises:
        ImageError: The image is empty, too large, damaged, cut short, or of a format that is
            not known.

    """
    if len(msg.data) == 0:
        raise ImageError(EMPTY, 'a compressed image without data')
    check_size(*compressed_size(msg), max_px)
    data = memoryview(msg.data)
    # libjpeg paints what is missing grey and calls it a success, so the end
    # is looked for here.
    if not _format_of(data, msg.format).is_complete(data):
        raise ImageError(TRUNCATED, 'the compressed image ends before its end marker')


def compressed_size(msg: CompressedImage) -> tuple[int, int]:
    """Read width and height in pixels from the header of the data.

    Raises:
        ImageError: The format is not known, or the header is damaged.

    """
    data = memoryview(msg.data)
    size = _format_of(data, msg.format).read_size(data)
    if size is None:
        raise ImageError(CORRUPT, 'the header of the compressed image is damaged')
    return size


def decode_compressed(msg: CompressedImage, scaler: SampleScaler) -> NDArray[np.uint8]:
    """Decode a checked message.

    Args:
        msg: Message that `check_compressed` has passed.
        scaler: Scaler of 16-bit samples, with the frames before.

    Returns:
        (H, W, 3) uint8 BGR, C-contiguous.

    Raises:
        ImageError: OpenCV cannot decode the data, or they hold no picture of 1, 3 or 4
            channels.

    """
    data = np.frombuffer(msg.data, np.uint8)
    # UNCHANGED: keep 16 bits, and never turn by EXIF: boxes are in the
    # source image's pixels.
    decoded = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if decoded is None:
        raise ImageError(CORRUPT, f'the {len(data)} bytes of {msg.format!r} cannot be decoded')
    if decoded.dtype not in (np.dtype(np.uint8), np.dtype(np.uint16)):
        raise ImageError(UNKNOWN_ENCODING, f'compressed samples of type {decoded.dtype}')
    pixels = scaler.to_bytes(np.asarray(decoded))
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if channels == 1:
        # OpenCV gives one channel as (H, W), some builds as (H, W, 1).
        return to_bgr(pixels.reshape(pixels.shape[:2]), cv2.COLOR_GRAY2BGR)
    # "rgb8; jpeg compressed rgb8": the sender compressed RGB as if it were
    # BGR (see compressed_image_transport).
    swapped = 'compressed rgb' in msg.format
    if channels == 3:
        return to_bgr(pixels, cv2.COLOR_RGB2BGR if swapped else None)
    if channels == 4:
        return to_bgr(pixels, cv2.COLOR_RGBA2BGR if swapped else cv2.COLOR_BGRA2BGR)
    raise ImageError(UNKNOWN_ENCODING, f'a compressed image with {channels} channels')


def _format_of(data: memoryview, declared: str) -> CompressedFormat:
    """Recognise the data by how they begin; what is declared only chooses the error."""
    known = compressed_formats.FORMATS
    for each in known:
        if bytes(data[: len(each.magic)]) == each.magic:
            return each
    if declared and not any(re.search(each.pattern, declared.lower()) for each in known):
        names = ' and '.join(each.name for each in known)
        raise ImageError(
            UNKNOWN_ENCODING, f'compressed format {declared!r} is not known; {names} are'
        )
    if 'compressedDepth' in declared:
        raise ImageError(UNKNOWN_ENCODING, 'compressedDepth holds distances, not a picture')
    names = ' nor like a '.join(each.name.upper() for each in known)
    raise ImageError(CORRUPT, f'the data begin neither like a {names}')
