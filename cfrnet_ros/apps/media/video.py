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

"""Reads the frames of a video, upright and in the colours that its file states."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.apps.media.encoder import EXACT, matrix_of
from cfrnet_ros.apps.media.errors import MediaError

#: Frame rate that is assumed where a file tells none.
_USUAL_RATE = Fraction(25)


class Video:
    """A video file, open for reading; to be closed after use.

    Attributes:
        length: Estimated number of frames, 0 if it is not known.
        rate: Usual number of frames per second.

    """

    def __init__(self, path: Path) -> None:
        """Open a file.

        Args:
            path: Path of the file.

        Raises:
            MediaError: The file does not exist, is damaged or contains no video.

        """
        try:
            self._container = av.open(str(path))
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise MediaError(reason_of_ffmpeg(error)) from error
        try:
            # Covers of music are videos of one picture.
            streams = [s for s in self._container.streams.video if not _is_cover(s)]
            if not streams:
                raise MediaError('the file contains no video')
            self.stream = streams[0]
            self.stream.thread_type = 'AUTO'
            # PyAV 19 has a type of its own, of which a Fraction can be made.
            self.rate = Fraction(self.stream.average_rate or _USUAL_RATE)
            seconds = (self._container.duration or 0) / 1e6
            self.length = int(self.stream.frames or seconds * float(self.rate))
        except BaseException:
            self._container.close()
            raise

    @property
    def sounds(self) -> list[Any]:
        """Streams of sound that can be decoded or copied."""
        return [s for s in self._container.streams.audio if s.codec_context is not None]

    def packets(self, *streams: Any) -> Iterator[Any]:
        """Yield the packets of the given streams in the file's order."""
        try:
            yield from self._container.demux(*streams)
        except av.error.FFmpegError as error:
            raise MediaError(f'reading stopped: {reason_of_ffmpeg(error)}') from error

    def frames(self) -> Iterator[Any]:
        """Yield the decoded frames; damaged packets are left out."""
        for packet in self.packets(self.stream):
            try:
                yield from packet.decode()
            except av.error.InvalidDataError:
                continue

    def close(self) -> None:
        """Close the file."""
        self._container.close()


def upright_bgr(frame: Any) -> NDArray[np.uint8]:
    """Return a decoded frame as an (H, W, 3) uint8 BGR array, turned as its file demands."""
    matrix = matrix_of(frame)
    bgr = frame.reformat(
        format='bgr24', src_colorspace=matrix, dst_colorspace=matrix, interpolation=EXACT
    ).to_ndarray()
    # The angle is counterclockwise, as NumPy turns.
    turns = round(getattr(frame, 'rotation', 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(bgr, turns))


def _is_cover(stream: Any) -> bool:
    return 'attached_pic' in str(stream.disposition)


def reason_of_ffmpeg(error: Exception) -> str:
    """Return the reason of an error of PyAV, without the path, which the caller names."""
    if isinstance(error, av.error.InvalidDataError):
        return 'not a video, or damaged'
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).splitlines()[0] if str(error) else type(error).__name__
