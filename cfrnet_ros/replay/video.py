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

"""Writes an MP4 video of camera, before, fused and after.

Where PyAV is installed (`pip install av`, the extra `video`), the codec is H.264, which
browsers, QuickTime, VLC and PowerPoint play. Otherwise it is MPEG-4 Part 2 (`mp4v`) from OpenCV,
whose wheels have no H.264; VLC, mpv and ffplay play it, browsers do not.
"""

from __future__ import annotations

import importlib.util
from contextlib import AbstractContextManager
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cfrnet_ros.replay.captions import BAR_PX, blank, caption, fit
from cfrnet_ros.replay.errors import ReplayError
from cfrnet_ros.replay.measure import FaceSample, FrameSample
from cfrnet_ros.replay.pictures import Picture

_HEIGHT = 256
#: Constant rate factor of H.264: visually close to the source, a few hundred kB per second.
_CRF = '20'


def h264_available() -> bool:
    """Return whether PyAV is installed and can encode H.264."""
    if importlib.util.find_spec('av') is None:
        return False
    import av

    return 'libx264' in av.codecs_available or 'libopenh264' in av.codecs_available


class Video(AbstractContextManager['Video']):
    """Writes frames of one size; to be used in a `with` statement.

    Attributes:
        path: Path of the file.
        frames: Number of frames written so far.

    """

    def __init__(self, path: Path, fps: float) -> None:
        """Prepare the video; the file is created with the first frame.

        Args:
            path: Path of the file, which ends in .mp4.
            fps: Frames per second, above 0.

        """
        self.path = path
        self.frames = 0
        # Encoders do not accept arbitrary fractions.
        self._fps = Fraction(fps).limit_denominator(1000)
        self._size = (0, 0)
        self._container: Any = None
        self._stream: Any = None
        self._writer: cv2.VideoWriter | None = None

    def __exit__(self, *exc: object) -> None:
        """Finish the file."""
        if self._container is not None:
            self._container.mux(self._stream.encode())
            self._container.close()
        if self._writer is not None:
            self._writer.release()

    def write(self, picture: Picture) -> None:
        """Append a (H, W, 3) uint8 BGR picture; later pictures are fitted to the first one's size.

        Raises:
            ReplayError: The file cannot be written.

        """
        if self.frames == 0:
            self._open(picture)
        height, width = self._size
        if picture.shape[:2] != (height, width):
            picture = np.asarray(cv2.resize(picture, (width, height)), np.uint8)
        if self._container is not None:
            import av

            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format='bgr24')
            self._container.mux(self._stream.encode(frame))
        elif self._writer is not None:
            self._writer.write(picture)
        self.frames += 1

    def _open(self, picture: Picture) -> None:
        # The pixel format 4:2:0 has one colour for two by two pixels.
        height, width = (side // 2 * 2 for side in picture.shape[:2])
        self._size = (height, width)
        if h264_available():
            import av

            try:
                self._container = av.open(str(self.path), 'w', options={'movflags': '+faststart'})
            except OSError as error:
                raise ReplayError(f"cannot write '{self.path}': {error}") from error
            codec = 'libx264' if 'libx264' in av.codecs_available else 'libopenh264'
            self._stream = self._container.add_stream(codec, rate=self._fps)
            self._stream.width, self._stream.height = width, height
            self._stream.pix_fmt = 'yuv420p'
            if codec == 'libx264':
                self._stream.options = {'crf': _CRF, 'preset': 'veryfast'}
            return
        fourcc = cv2.VideoWriter.fourcc(*'mp4v')
        self._writer = cv2.VideoWriter(str(self.path), fourcc, float(self._fps), (width, height))
        if not self._writer.isOpened():
            raise ReplayError(
                f"cannot write '{self.path}': OpenCV was built without a video encoder"
            )


def compose(
    sample: FrameSample, shown: FrameSample | None = None, *, fused: bool = False
) -> Picture | None:
    """Make a video frame: the camera's picture, and the largest face before and after.

    Args:
        sample: Sample of the frame.
        shown: Sample whose faces are shown, if the frame itself was dropped.
        fused: Whether the fused crop is shown between before and after.

    Returns:
        (H, W, 3) uint8 BGR picture, or None if the camera's image cannot be decoded.

    """
    if sample.picture is None:
        return None
    row = sample.row
    camera = caption(fit(sample.picture, _HEIGHT), f'frame {row.frame.index}, {row.time_s:.2f} s')
    faces = (shown or sample).faces
    if faces:
        face = faces[0]
        views = [caption(fit(face.before, _HEIGHT), f'before  {_db(face.row.psnr_before)}')]
        if fused:
            views.append(_fused_view(face))
        how = f'k = {face.row.cycles}' if face.row.restored else face.row.reason
        views.append(caption(fit(face.after, _HEIGHT), f'after, {how}  {_db(face.row.psnr_after)}'))
    else:
        text = 'no face' if row.outcome == 'processed' else row.outcome
        names = ['before', *(['fused'] if fused else []), f'after, k = {row.cycles}']
        views = [caption(blank(_HEIGHT, _HEIGHT, text), name) for name in names]
    assert all(view.shape == (_HEIGHT + BAR_PX, _HEIGHT, 3) for view in views)
    return np.hstack([camera, *views])


def _fused_view(face: FaceSample) -> Picture:
    frames = face.row.values.get('fused_frames', 1.0)
    text = f'fused, {frames:.1f} frames  {_db(face.row.psnr_fused)}'
    missing = blank(_HEIGHT, _HEIGHT, 'not received')
    return caption(missing if face.fused is None else fit(face.fused, _HEIGHT), text)


def _db(value: float) -> str:
    return '' if np.isnan(value) else f'{value:.1f} dB'
