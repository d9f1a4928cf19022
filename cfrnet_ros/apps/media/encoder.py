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

"""Encodes frames to H.264 with PyAV."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.apps.media.errors import MediaError

#: Constant rate factor of H.264: no difference is seen, at a few Mbit/s for 1080p.
_CRF = '18'
_CODECS = ('libx264', 'libopenh264')

#: Numbers of matrices between RGB and YUV: those of HD and of SD video (H.273, table 4).
HD_MATRIX, SD_MATRIX = 1, 5

#: Flags of FFmpeg's scaler: bicubic, accurate rounding, full chroma (libswscale/swscale.h). By
#: default the scaler rounds down, so that a video became 2 grey values darker in each channel.
EXACT = 0x4 | 0x40000 | 0x2000


def matrix_of(frame: Any) -> int:
    """Return the number of the matrix from RGB to YUV with which a video frame was made.

    Matrices that FFmpeg's scaler does not know count as that of SD video. As the same one is used
    for reading and writing, the picture's colours stay as they were.
    """
    return HD_MATRIX if int(frame.colorspace) == HD_MATRIX else SD_MATRIX


def create(path: Path) -> Any:
    """Create a video file.

    Args:
        path: Path whose suffix names the format.

    Returns:
        PyAV's output container.

    Raises:
        MediaError: The file cannot be written.

    """
    options = {'movflags': '+faststart'} if path.suffix.lower() in ('.mp4', '.mov') else {}
    try:
        return av.open(str(path), 'w', options=options)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise MediaError(f"cannot write '{path}': {error}") from error


class Encoder:
    """One stream of H.264 in a video file."""

    def __init__(
        self, container: Any, width: int, height: int, rate: Fraction, time_base: Fraction
    ) -> None:
        """Add the stream to a file.

        Args:
            container: Output container of `create`.
            width: Width of the frames in pixels; an odd last column is left out.
            height: Height of the frames in pixels; an odd last row is left out.
            rate: Usual number of frames per second.
            time_base: Unit of the frames' times in seconds.

        Raises:
            MediaError: PyAV was built without an encoder for H.264.

        """
        codec = next((name for name in _CODECS if name in av.codecs_available), None)
        if codec is None:
            raise MediaError('PyAV was built without an encoder for H.264; install the wheel of av')
        self._container = container
        # The pixel format 4:2:0 has one colour for two by two pixels.
        self._size = (height // 2 * 2, width // 2 * 2)
        if 0 in self._size:
            raise MediaError(f'a video of {width} x {height} pixels cannot be encoded')
        self._stream = container.add_stream(codec, rate=rate.limit_denominator(60000))
        self._stream.height, self._stream.width = self._size
        self._stream.pix_fmt = 'yuv420p'
        self._stream.codec_context.time_base = time_base
        self._time_base = time_base
        self._last_pts: int | None = None
        if codec == 'libx264':
            self._stream.options = {'crf': _CRF, 'preset': 'fast'}

    def like(self, stream: Any) -> None:
        """Take over shape of pixels and meaning of colours from the stream of the source."""
        given, own = stream.codec_context, self._stream.codec_context
        for name in ('sample_aspect_ratio', 'color_primaries', 'color_trc', 'colorspace'):
            value = getattr(given, name, None)
            if value:
                setattr(own, name, value)

    def write(self, bgr: NDArray[np.uint8], pts: int, matrix: int = SD_MATRIX) -> None:
        """Encode a frame.

        Args:
            bgr: (H, W, 3) uint8 BGR frame.
            pts: Time of the frame in units of `time_base`; a frame whose time is not after that of
                the frame before is shown one unit after it.
            matrix: Number of the matrix from RGB to YUV, as `matrix_of` returns it.

        """
        if self._last_pts is not None:
            pts = max(pts, self._last_pts + 1)
        self._last_pts = pts
        height, width = self._size
        picture = np.ascontiguousarray(bgr[:height, :width])
        if picture.shape[:2] != self._size:
            # Few files change their size within; a stream of H.264 has one.
            picture = np.asarray(cv2.resize(bgr, (width, height)), np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, format='bgr24')
        frame = frame.reformat(
            format='yuv420p', src_colorspace=matrix, dst_colorspace=matrix, interpolation=EXACT
        )
        frame.pts, frame.time_base = pts, self._time_base
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Write the frames that the encoder still holds."""
        self._container.mux(self._stream.encode())
