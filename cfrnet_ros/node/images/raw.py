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

"""Checks and decodes sensor_msgs/Image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image

from cfrnet_ros.node.images.encodings import Encoding, find_encoding, row_bytes
from cfrnet_ros.node.images.errors import BAD_LAYOUT, EMPTY, TRUNCATED, ImageError, check_size
from cfrnet_ros.node.images.planar import planar_pixels, plane_step
from cfrnet_ros.node.images.samples import SampleScaler, to_bgr


def check_raw(msg: Image, max_px: int) -> None:
    """Check a message without reading its pixels.

    Args:
        msg: Message of any encoding, supported or not.
        max_px: Largest number of pixels that is accepted.

    Raises:
        ImageError: The image is empty or too large, `step` or the width does not fit the encoding,
            or data are missing.

    """
    check_size(msg.width, msg.height, max_px)
    if len(msg.data) == 0:
        raise ImageError(EMPTY, f'the {msg.width} x {msg.height} image has no data')
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
            BAD_LAYOUT,
            f'encoding {msg.encoding} needs an even width, but the image is {msg.width} pixels'
            ' wide',
        )
    if len(msg.data) < msg.step * msg.height:
        raise ImageError(
            TRUNCATED,
            f'the image has {len(msg.data)} bytes of data, but {msg.height} rows of'
            f' {msg.step} bytes need {msg.step * msg.height}',
        )


def _check_planes(msg: Image, encoding: Encoding) -> None:
    if msg.width % encoding.pixel_group or msg.height % encoding.row_group:
        raise ImageError(
            BAD_LAYOUT,
            f'encoding {msg.encoding} needs a width that is a multiple of {encoding.pixel_group}'
            f' and a height that is a multiple of {encoding.row_group}, but the image has'
            f' {msg.width} x {msg.height} pixels',
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
    """Decode a message whose encoding is one of `ENCODINGS`.

    Args:
        msg: Message that `check_raw` accepted.
        encoding: Entry of the message's encoding in `ENCODINGS`.
        scaler: Scaler of 16-bit samples, which remembers the earlier frames.

    Returns:
        (H, W, 3) uint8 BGR array, C-contiguous. For unpadded bgr8 it is a read-only view of the
        message's own memory.

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
    """Return the rows of an image without padding.

    Args:
        msg: Message that `check_raw` accepted.
        row_length: Number of bytes of a row's pixels.

    Returns:
        (height, row_length) uint8 array, C-contiguous, read-only.

    """
    data = np.frombuffer(msg.data, np.uint8, count=msg.step * msg.height)
    rows = np.ascontiguousarray(data.reshape(msg.height, msg.step)[:, :row_length])
    # The rows may be the message's own memory, which no later step may change.
    rows.setflags(write=False)
    return rows
