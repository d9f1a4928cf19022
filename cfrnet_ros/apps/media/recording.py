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

"""Writes frames to a video as they come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.apps.media.encoder import Encoder, create
from cfrnet_ros.apps.media.errors import MediaError
from cfrnet_ros.apps.media.video import reason_of_ffmpeg
from cfrnet_ros.apps.media.whole_file import whole_file

_TIME_BASE = Fraction(1, 1000)


class Recording:
    """Video of a live source, as `record` opens it."""

    def __init__(self, container: Any, hz: float) -> None:
        """Keep the file.

        Args:
            container: Output container of `encoder.create`.
            hz: Usual number of frames per second, above 0.

        """
        self._container, self._rate = container, Fraction(hz)
        self._encoder: Encoder | None = None

    def write(self, bgr: NDArray[np.uint8], time_s: float) -> None:
        """Append a frame.

        Args:
            bgr: (H, W, 3) uint8 BGR frame, of the size of the first one.
            time_s: Time of the frame in seconds.

        """
        if self._encoder is None:
            height, width = bgr.shape[:2]
            self._encoder = Encoder(self._container, width, height, self._rate, _TIME_BASE)
        self._encoder.write(bgr, round(time_s / _TIME_BASE))

    def finish(self) -> None:
        """Write the frames that the encoder still holds.

        Raises:
            MediaError: No frame was written.

        """
        if self._encoder is None:
            raise MediaError('it was ended before the first frame')
        self._encoder.finish()


@contextmanager
def record(path: Path, hz: float) -> Iterator[Recording]:
    """Open a video, which appears under its name when the block has ended without an error.

    Args:
        path: Path of the file, which ends in .mp4.
        hz: Usual number of frames per second, above 0.

    Yields:
        Recording to write the frames to.

    Raises:
        MediaError: The file cannot be written, or no frame was.

    """
    with whole_file(path) as part:
        try:
            container = create(part)
            try:
                recording = Recording(container, hz)
                yield recording
                recording.finish()
            finally:
                container.close()
        except av.error.FFmpegError as error:
            raise MediaError(f'writing failed: {reason_of_ffmpeg(error)}') from error
