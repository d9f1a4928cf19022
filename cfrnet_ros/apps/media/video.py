"""Passes the frames of a video through a function, and keeps sound, times and colours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.apps.media.encoder import EXACT, Encoder, create, matrix_of
from cfrnet_ros.apps.media.errors import MediaError
from cfrnet_ros.apps.media.sound import Sound
from cfrnet_ros.apps.media.whole_file import whole_file

#: Frame rate that is assumed where a file tells none.
_USUAL_RATE = Fraction(25)

Change = Callable[[NDArray[np.uint8], float], NDArray[np.uint8]]


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
            raise MediaError(_reason(error)) from error
        try:
            # Covers of music are videos of one picture.
            streams = [s for s in self._container.streams.video if not _is_cover(s)]
            if not streams:
                raise MediaError('the file contains no video')
            self.stream = streams[0]
            self.stream.thread_type = 'AUTO'
            self.rate = self.stream.average_rate or _USUAL_RATE
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
            raise MediaError(f'reading stopped: {_reason(error)}') from error

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


def change_video(
    source: Path, target: Path, change: Change, progress: Callable[[], Any]
) -> list[str]:
    """Write a video whose frames have passed through a function.

    Args:
        source: Path of a video.
        target: Path of the result, which appears when it is whole.
        change: Function that is called with each (H, W, 3) uint8 BGR frame and its time in
            seconds, and returns a frame of the same shape.
        progress: Function that is called after each frame.

    Returns:
        Sentences on what was lost.

    Raises:
        MediaError: The source cannot be read, or the target cannot be written.

    """
    video = Video(source)
    try:
        with whole_file(target) as part:
            container = create(part)
            try:
                notes = _change(video, container, change, progress)
            except av.error.FFmpegError as error:
                raise MediaError(f'writing failed: {_reason(error)}') from error
            finally:
                container.close()
        return notes
    finally:
        video.close()


def _change(video: Video, container: Any, change: Change, progress: Callable[[], Any]) -> list[str]:
    stream, notes, damaged = video.stream, [], 0
    time_base = stream.time_base or 1 / video.rate
    sounds: dict[int, Sound] = {}
    for source in video.sounds:
        try:
            sounds[source.index] = Sound(source, container)
        except MediaError as error:
            notes.append(str(error))
    if any(not sound.copied for sound in sounds.values()):
        notes.append('the sound was encoded again as AAC, which players of this file format expect')
    wanted = [stream, *(s for s in video.sounds if s.index in sounds)]
    encoder: Encoder | None = None
    # Sound that comes before the first frame waits, since a file is begun with all its streams.
    waiting: list[tuple[Sound, Any]] = []
    step = max(1, round(1 / (video.rate * time_base)))
    pts = -step
    for packet in video.packets(*wanted):
        if packet.stream.index in sounds:
            waiting.append((sounds[packet.stream.index], packet))
        else:
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                damaged, frames = damaged + 1, []
            for frame in frames:
                pts = pts + step if frame.pts is None else frame.pts
                bgr = upright_bgr(frame)
                if encoder is None:
                    height, width = bgr.shape[:2]
                    encoder = Encoder(container, width, height, video.rate, time_base)
                    encoder.like(stream)
                    if (height | width) % 2:
                        notes.append('an odd last row or column of pixels was left out')
                    if frame.format.components[0].bits > 8:
                        notes.append(f'{frame.format.components[0].bits} bits became 8')
                encoder.write(change(bgr, float(pts * time_base)), pts, matrix_of(frame))
                progress()
        if encoder is not None:
            for sound, held in waiting:
                sound.write(held)
            waiting.clear()
    if encoder is None:
        raise MediaError('no frame of it can be decoded')
    encoder.finish()
    for sound in sounds.values():
        sound.finish()
    if damaged:
        notes.append(f'{damaged} damaged packets were left out')
    return notes


def _is_cover(stream: Any) -> bool:
    return 'attached_pic' in str(stream.disposition)


def _reason(error: Exception) -> str:
    if isinstance(error, av.error.InvalidDataError):
        return 'not a video, or damaged'
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).splitlines()[0] if str(error) else type(error).__name__
