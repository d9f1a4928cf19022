"""sensor_msgs/Image: what its header claims, and its pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image

from cfrnet_ros.node.images.encodings import Encoding, find_encoding, row_bytes
from cfrnet_ros.node.images.errors import BAD_LAYOUT, EMPTY, TRUNCATED, ImageError, check_size
from cfrnet_ros.node.images.planar import planar_pixels, plane_step
from cfrnet_ros.node.images.samples import SampleScaler, to_bgr


def check_raw(msg: Image, max_px: int) -> None:
    """Judge a message without touching its pixels.

    Args:
        msg: Message of any encoding, known or not.
        max_px: Largest number of pixels that is accepted.

    Raises:
        ImageError: The image is empty or too large, its rows cannot be as the header says, or
            data are missing.

    """
    check_size(msg.width, msg.height, max_px)
    if len(msg.data) == 0:
        raise ImageError(EMPTY, f'a {msg.width} x {msg.height} image without data')
    needed = row_bytes(msg.encoding, msg.width)
    if needed is not None and msg.step < needed:
        raise ImageError(
            BAD_LAYOUT,
            f'step is {msg.step}, but a row of {msg.width} {msg.encoding} pixels takes'
            f' {needed} bytes',
        )
    encoding = find_encoding(msg.encoding)
    if encoding is not None and encoding.chroma is not None:
        _check_planes(msg, encoding)
        return
    if encoding is not None and msg.width % encoding.pixel_group:
        raise ImageError(
            BAD_LAYOUT, f'{msg.encoding} needs an even width, the image has {msg.width}'
        )
    if len(msg.data) < msg.step * msg.height:
        raise ImageError(
            TRUNCATED,
            f'{len(msg.data)} bytes of data, but {msg.height} rows of {msg.step} bytes make'
            f' {msg.step * msg.height}',
        )


def _check_planes(msg: Image, encoding: Encoding) -> None:
    if msg.width % encoding.pixel_group or msg.height % encoding.row_group:
        raise ImageError(
            BAD_LAYOUT,
            f'{msg.encoding} needs a width that is a multiple of {encoding.pixel_group} and a'
            f' height that is one of {encoding.row_group}; the image has {msg.width} x'
            f' {msg.height} pixels',
        )
    step = plane_step(msg, encoding)
    needed = encoding.size_bytes(step, msg.height)
    if len(msg.data) < needed:
        raise ImageError(
            TRUNCATED,
            f'{len(msg.data)} bytes of data, but the planes of {msg.height} rows of {step} bytes'
            f' make {needed} in {msg.encoding}',
        )


def decode_raw(msg: Image, encoding: Encoding, scaler: SampleScaler) -> NDArray[np.uint8]:
    """Decode a checked message of a known encoding.

    Args:
        msg: Message that `check_raw` has passed.
        encoding: Entry of its encoding.
        scaler: Scaler of 16-bit samples, with the frames before.

    Returns:
        (H, W, 3) uint8 BGR, C-contiguous; of unpadded bgr8 the message's own memory, read-only.

    Raises:
        ImageError: Samples are NaN or infinite.

    """
    if encoding.chroma is not None:
        return to_bgr(planar_pixels(msg, encoding, encoding.chroma), encoding.code)
    dtype = np.dtype(encoding.dtype).newbyteorder('>' if msg.is_bigendian else '<')
    samples = packed_rows(msg, encoding.row_bytes(msg.width)).view(dtype)
    if encoding.channels > 1:
        samples = samples.reshape(msg.height, msg.width, encoding.channels)
    return to_bgr(scaler.to_bytes(samples), encoding.code)


def packed_rows(msg: Image, row_length: int) -> NDArray[np.uint8]:
    """Take the padding away.

    Args:
        msg: Message that `check_raw` has passed.
        row_length: Number of bytes that the pixels of a row take.

    Returns:
        (height, row_length) uint8, C-contiguous, read-only.

    """
    data = np.frombuffer(msg.data, np.uint8, count=msg.step * msg.height)
    rows = np.ascontiguousarray(data.reshape(msg.height, msg.step)[:, :row_length])
    # It may be the message's own memory: nobody downstream may draw into it.
    rows.setflags(write=False)
    return rows
