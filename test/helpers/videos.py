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

"""Videos with sound, made and read for tests."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from pictures import Frame

#: Frames per second of the videos, and samples of sound per second.
RATE, SOUND_HZ = 10, 8000


def make_video(path: Path, pictures: list[Frame], sound: str = '', rate: int = RATE) -> Path:
    """Write a video, with a tone if `sound` names a codec."""
    height, width = pictures[0].shape[:2]
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=rate, options={'crf': '10'})
        stream.width, stream.height, stream.pix_fmt = width, height, 'yuv420p'
        tone: Any = container.add_stream(sound, rate=SOUND_HZ) if sound else None
        if tone is not None:
            tone.layout = 'mono'
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format='bgr24')
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if tone is not None:
            times = np.arange(SOUND_HZ * len(pictures) // rate) / SOUND_HZ
            wave = (8000 * np.sin(2 * np.pi * 440 * times)).astype(np.int16)[None]
            samples = av.AudioFrame.from_ndarray(wave, format='s16', layout='mono')
            samples.sample_rate, samples.pts = SOUND_HZ, 0
            resampler = av.AudioResampler(tone.format.name, 'mono', SOUND_HZ)
            for piece in (*resampler.resample(samples), *resampler.resample(None)):
                container.mux(tone.encode(piece))
            container.mux(tone.encode())
    return path


def frames_of(path: Path) -> list[Any]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def sound_of(path: Path) -> list[bytes]:
    """Return the packets of the sound, not decoded."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]
