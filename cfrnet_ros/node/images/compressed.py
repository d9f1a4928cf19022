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

"""Checks and decodes sensor_msgs/CompressedImage."""

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
    """Check a message by its header and its end, without decoding it.

    Args:
        msg: Message of any format, supported or not.
        max_px: Largest number of pixels that is accepted.

    Raises:
        ImageError: The image is empty, too large, damaged or cut off, or its format is not
            supported.

    """
    if len(msg.data) == 0:
        raise ImageError(EMPTY, 'the compressed image has no data')
    check_size(*compressed_size(msg), max_px)
    data = memoryview(msg.data)
    # libjpeg fills missing parts with grey and reports success, so the end is searched for.
    if not _format_of(data, msg.format).is_complete(data):
        raise ImageError(TRUNCATED, 'the compressed image is cut off: its end marker is missing')


def compressed_size(msg: CompressedImage) -> tuple[int, int]:
    """Read width and height in pixels from the header of the data.

    Raises:
        ImageError: The format is not supported, or the header is damaged.

    """
    data = memoryview(msg.data)
    size = _format_of(data, msg.format).read_size(data)
    if size is None:
        raise ImageError(CORRUPT, 'the header of the compressed image is damaged')
    return size


def decode_compressed(msg: CompressedImage, scaler: SampleScaler) -> NDArray[np.uint8]:
    """Decode a message that has been checked.

    Args:
        msg: Message that `check_compressed` accepted.
        scaler: Scaler of 16-bit samples, which remembers the earlier frames.

    Returns:
        (H, W, 3) uint8 BGR array, C-contiguous.

    Raises:
        ImageError: OpenCV cannot decode the data, or the image has another number of channels than
            1, 3 or 4, or samples of another type than uint8 or uint16.

    """
    data = np.frombuffer(msg.data, np.uint8)
    # UNCHANGED keeps 16 bits, and does not rotate by EXIF: boxes are in pixels of the source
    # image.
    decoded = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if decoded is None:
        raise ImageError(
            CORRUPT, f'OpenCV cannot decode the {len(data)} bytes of format {msg.format!r}'
        )
    if decoded.dtype not in (np.dtype(np.uint8), np.dtype(np.uint16)):
        raise ImageError(
            UNKNOWN_ENCODING,
            f'the samples of the compressed image are of type {decoded.dtype}; uint8 and uint16'
            ' are supported',
        )
    pixels = scaler.to_bytes(np.asarray(decoded))
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if channels == 1:
        # OpenCV returns one channel as (H, W), but some builds return (H, W, 1).
        return to_bgr(pixels.reshape(pixels.shape[:2]), cv2.COLOR_GRAY2BGR)
    # In a format such as "rgb8; jpeg compressed rgb8" the sender has compressed RGB as if it were
    # BGR (see compressed_image_transport).
    swapped = 'compressed rgb' in msg.format
    if channels == 3:
        return to_bgr(pixels, cv2.COLOR_RGB2BGR if swapped else None)
    if channels == 4:
        return to_bgr(pixels, cv2.COLOR_RGBA2BGR if swapped else cv2.COLOR_BGRA2BGR)
    raise ImageError(
        UNKNOWN_ENCODING,
        f'the compressed image has {channels} channels; 1, 3 and 4 are supported',
    )


def _format_of(data: memoryview, declared: str) -> CompressedFormat:
    """Recognise the format by the first bytes; the declared format only selects the error."""
    known = compressed_formats.FORMATS
    for each in known:
        if bytes(data[: len(each.magic)]) == each.magic:
            return each
    if declared and not any(re.search(each.pattern, declared.lower()) for each in known):
        names = ' and '.join(each.name for each in known)
        raise ImageError(
            UNKNOWN_ENCODING, f'compressed format {declared!r} is not supported; {names} are'
        )
    if 'compressedDepth' in declared:
        raise ImageError(
            UNKNOWN_ENCODING,
            'compressedDepth contains distances; the node needs a colour or grey picture',
        )
    names = ' or '.join(each.name.upper() for each in known)
    raise ImageError(CORRUPT, f'the data do not begin like a {names} file')
