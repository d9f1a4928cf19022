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

"""Carries the sound of a video over to another file."""

from __future__ import annotations

from typing import Any

import av

from cfrnet_ros.apps.media.errors import MediaError

#: Names of the usual arrangement of so many channels.
_LAYOUTS = {1: 'mono', 2: 'stereo', 6: '5.1'}


class Sound:
    """One stream of sound: copied if the file format holds its codec, else encoded as AAC."""

    def __init__(self, source: Any, container: Any) -> None:
        """Add the stream to a file.

        Args:
            source: Stream of the source.
            container: Output container.

        Raises:
            MediaError: The sound can neither be copied nor encoded.

        """
        self._container = container
        self._resampler: Any = None
        name = source.codec_context.name if source.codec_context else ''
        try:
            if _holds(container, source.codec.canonical_name):
                self._stream = container.add_stream_from_template(source)
            else:
                given = source.codec_context
                # Some files tell the number of channels only.
                layout = _LAYOUTS.get(given.channels, given.layout.name)
                self._stream = container.add_stream('aac', rate=given.sample_rate)
                self._stream.layout = layout
                self._resampler = av.AudioResampler('fltp', layout, given.sample_rate)
        except (av.error.FFmpegError, ValueError, AttributeError) as error:
            raise MediaError(f'the sound ({name}) cannot be kept: {error}') from error

    @property
    def copied(self) -> bool:
        """Whether the sound is copied as it is; False if it is encoded again."""
        return self._resampler is None

    def write(self, packet: Any) -> None:
        """Write a packet of the source; one that is damaged is left out."""
        if self._resampler is None:
            # A packet without a time only tells the end of the stream.
            if packet.dts is not None:
                packet.stream = self._stream
                self._container.mux(packet)
            return
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            return
        for frame in frames:
            for piece in self._resampler.resample(frame):
                self._container.mux(self._stream.encode(piece))

    def finish(self) -> None:
        """Write what the encoder still holds."""
        if self._resampler is not None:
            for piece in self._resampler.resample(None):
                self._container.mux(self._stream.encode(piece))
            self._container.mux(self._stream.encode())


def _holds(container: Any, codec: str) -> bool:
    """Return whether a file format holds a codec of sound, and players expect it there."""
    # MP4 may hold uncompressed sound since ISO/IEC 23003-5, which browsers do not play.
    plain_in_mp4 = container.format.name == 'mp4' and codec.startswith('pcm_')
    return codec in container.supported_codecs and not plain_in_mp4
