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

"""Reads a webcam or another live source through OpenCV."""

from __future__ import annotations

import time
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.apps.media.errors import MediaError

#: What inputs of the commands begin with to name a live source.
PREFIX = 'webcam'

#: Frame rate that is assumed where the source tells none.
USUAL_HZ = 30.0


def is_webcam(given: str) -> bool:
    """Return whether an input names a live source: 'webcam' or 'webcam:SOURCE'."""
    return given == PREFIX or given.startswith(f'{PREFIX}:')


class Webcam:
    """A live source; to be closed after use.

    Attributes:
        name: Name of the source as a user wrote it.
        hz: Frames per second that the source promises, above 0.

    """

    def __init__(self, given: str) -> None:
        """Open a source.

        Args:
            given: 'webcam' for the first camera, or 'webcam:SOURCE' with the number of a camera, a
                device such as /dev/video2, or the address of a stream.

        Raises:
            MediaError: The source cannot be opened.

        """
        self.name = given
        source = given.partition(':')[2] or '0'
        self._capture = cv2.VideoCapture(int(source) if source.isdecimal() else source)
        if not self._capture.isOpened():
            raise MediaError(
                f'the webcam {source!r} cannot be opened: is it connected, allowed to this user'
                ' (group video), and not in use by another program?'
            )
        told = self._capture.get(cv2.CAP_PROP_FPS)
        self.hz = float(told) if 0 < told <= 1000 else USUAL_HZ

    def frames(self) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """Read frames until the source ends.

        Yields:
            Time in seconds since the first frame, and (H, W, 3) uint8 BGR frame.

        Raises:
            MediaError: The source gave no frame at all.

        """
        start: float | None = None
        while True:
            there, frame = self._capture.read()
            if not there:
                break
            now = time.monotonic()
            start = now if start is None else start
            yield now - start, np.asarray(frame).astype(np.uint8, copy=False)
        if start is None:
            raise MediaError(f'{self.name} gives no frames')

    def close(self) -> None:
        """Free the source."""
        self._capture.release()
