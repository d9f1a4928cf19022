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

"""Passes the frames of a video through a function, and keeps sound, times and colours."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.apps.media.encoder import Encoder, create, matrix_of
from cfrnet_ros.apps.media.errors import MediaError
from cfrnet_ros.apps.media.sound import Sound
from cfrnet_ros.apps.media.video import Video, reason_of_ffmpeg, upright_bgr
from cfrnet_ros.apps.media.whole_file import whole_file

Frame = NDArray[np.uint8]
#: Function that returns a changed frame, or a function that waits for it.
Change = Callable[[Frame, float], Frame | Callable[[], Frame]]


def change_video(
    source: Path, target: Path, change: Change, progress: Callable[[], Any], ahead: int = 0
) -> list[str]:
    """Write a video whose frames have passed through a function.

    Args:
        source: Path of a video.
        target: Path of the result, which appears when it is whole.
        change: Function that is called with each (H, W, 3) uint8 BGR frame and its time in
            seconds, and returns a frame of the same shape, or a function without arguments that
            returns it later.
        progress: Function that is called after each frame.
        ahead: Number of frames with which `change` may be called before the result of an earlier
            one is asked for. Results are asked for in the order of the frames.

    Returns:
        Sentences on what was lost.

    Raises:
        MediaError: The source cannot be read, or the target cannot be written.

    """
    video = Video(source)
    try:
        with whole_file(target) as part:
            try:
                container = create(part)
                try:
                    return _Copy(video, container, change, progress, ahead).run()
                finally:
                    container.close()
            except av.error.FFmpegError as error:
                raise MediaError(f'writing failed: {reason_of_ffmpeg(error)}') from error
    finally:
        video.close()


class _Copy:
    """One pass over a video from its first to its last packet."""

    def __init__(
        self, video: Video, container: Any, change: Change, progress: Callable[[], Any], ahead: int
    ) -> None:
        self._video, self._container = video, container
        self._change, self._progress, self._ahead = change, progress, ahead
        # Frames that are being changed, with what is needed to write them.
        self._changing: deque[tuple[Frame | Callable[[], Frame], int, Any]] = deque()
        self._notes: list[str] = []
        self._encoder: Encoder | None = None
        self._sounds: dict[int, Sound] = {}
        # Sound that comes before the first frame: a file is begun with all its streams, and the
        # size of the frames is known when the first one has been turned upright.
        self._waiting: list[Any] = []
        self._time_base = Fraction(video.stream.time_base or 1 / video.rate)
        self._step = max(1, round(1 / (video.rate * self._time_base)))
        self._pts = -self._step

    def run(self) -> list[str]:
        """Copy everything; returns sentences on what was lost."""
        damaged = 0
        stream = self._video.stream
        for packet in self._video.packets(stream, *self._video.sounds):
            if packet.stream.index != stream.index:
                self._write_sound(packet)
                continue
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                damaged += 1
                continue
            for frame in frames:
                self._change_frame(frame)
                self._write_changed(self._ahead)
        if self._encoder is None:
            raise MediaError('no frame of it can be decoded')
        self._write_changed(0)
        self._encoder.finish()
        for sound in self._sounds.values():
            sound.finish()
        if damaged:
            self._notes.append(f'{damaged} damaged packets were left out')
        return self._notes

    def _change_frame(self, frame: Any) -> None:
        self._pts = self._pts + self._step if frame.pts is None else frame.pts
        bgr = upright_bgr(frame)
        if self._encoder is None:
            self._encoder = self._begin(bgr, frame.format.components[0].bits)
        changed = self._change(bgr, float(self._pts * self._time_base))
        self._changing.append((changed, self._pts, matrix_of(frame)))

    def _write_changed(self, left: int) -> None:
        """Write frames until only so many are left that are being changed."""
        while self._encoder is not None and len(self._changing) > left:
            changed, pts, matrix = self._changing.popleft()
            self._encoder.write(changed() if callable(changed) else changed, pts, matrix)
            self._progress()

    def _begin(self, bgr: NDArray[np.uint8], bits: int) -> Encoder:
        """Add all streams to the file, the pictures first, as players expect it."""
        height, width = bgr.shape[:2]
        encoder = Encoder(self._container, width, height, self._video.rate, self._time_base)
        encoder.like(self._video.stream)
        if (height | width) % 2:
            self._notes.append('an odd last row or column of pixels was left out')
        if bits > 8:
            self._notes.append(f'{bits} bits became 8')
        for source in self._video.sounds:
            try:
                self._sounds[source.index] = Sound(source, self._container)
            except MediaError as error:
                self._notes.append(str(error))
        if not all(sound.copied for sound in self._sounds.values()):
            self._notes.append(
                'the sound was encoded again as AAC, which players of this file format expect'
            )
        return encoder

    def _write_sound(self, packet: Any) -> None:
        self._waiting.append(packet)
        if self._encoder is not None:
            for held in self._waiting:
                sound = self._sounds.get(held.stream.index)
                if sound is not None:
                    sound.write(held)
            self._waiting.clear()
