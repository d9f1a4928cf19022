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

"""Frames of a picture, video or webcam, each with the time at which it is due."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.apps.media.errors import MediaError
from cfrnet_ros.apps.media.pictures import FORMATS, read_picture
from cfrnet_ros.apps.media.video import Video, upright_bgr
from cfrnet_ros.apps.media.webcam import Webcam, is_webcam

#: Frames per second of a still picture.
PICTURE_HZ = 10.0

Frames = Iterator[tuple[float, NDArray[np.uint8]]]


def frames_of(source: str, rate_hz: float, loop: bool) -> Frames:
    """Read frames.

    Args:
        source: Path of a picture or video, or a webcam as `webcam.is_webcam` knows it.
        rate_hz: Frames per second; 0 for the video's own times, `PICTURE_HZ` for a picture, and as
            fast as they come for a webcam, of which others are left out.
        loop: Whether a video starts again at its end. A picture is repeated without end.

    Yields:
        Time in seconds since the first frame at which it is due, and (H, W, 3) uint8 BGR frame.

    Raises:
        MediaError: The source cannot be read.

    """
    if is_webcam(source):
        yield from _webcam(source, rate_hz)
    elif Path(source).suffix.lower() in FORMATS:
        bgr = read_picture(Path(source)).bgr
        for number in itertools.count():
            yield number / (rate_hz or PICTURE_HZ), bgr
    else:
        yield from _video(Path(source), rate_hz, loop)


def _webcam(source: str, rate_hz: float) -> Frames:
    webcam = Webcam(source)
    try:
        due = 0.0
        for time_s, frame in webcam.frames():
            if time_s >= due:
                yield time_s, frame
                # A little less than the period, since a webcam's own rate varies.
                due = time_s + 0.9 / rate_hz if rate_hz else 0.0
    finally:
        webcam.close()


def _video(path: Path, rate_hz: float, loop: bool) -> Frames:
    start, number = 0.0, 0
    while True:
        video = Video(path)
        period = float(1 / video.rate)
        first, last = None, start
        try:
            for frame in video.frames():
                time_s = frame.time if frame.time is not None else number * period
                first = time_s if first is None else first
                last = start + time_s - first
                yield (number / rate_hz if rate_hz else last), upright_bgr(frame)
                number += 1
        finally:
            video.close()
        if first is None:
            raise MediaError('no frame of it can be decoded')
        if not loop:
            return
        start = last + period
