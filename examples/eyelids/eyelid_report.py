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

"""Creates the messages about a person's eyelids."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from geometry_msgs.msg import Point32, PolygonStamped
from numpy.typing import ArrayLike
from std_msgs.msg import Header

from cfrnet_ros.vision.views.crop_geometry import crop_to_frame
from examples.eyelids.closures import LONGEST_BLINK_S, DetectorSettings
from examples.eyelids.eye_landmarks import Eyes
from examples.eyelids.monitor import EyelidReading

#: At this rate in Hz the shortest blinks, of 0.1 s, are in one frame at least; see
#: `closures.LONGEST_BLINK_S` for the source of that length.
LEAST_RATE_HZ = 10.0


def eye_messages(eyes: Eyes, affine: ArrayLike, header: Header) -> list[PolygonStamped]:
    """Create the messages with the outlines of both eyes in the frame.

    Args:
        eyes: Eyes in pixels of the crop.
        affine: (2, 3) matrix from frame pixels to crop pixels.
        header: Header of the source image.

    Returns:
        Messages for the image-left and the image-right eye: 16 points around it, from the outer
        corner along the lower lid to the inner corner and back along the upper lid; x and y are
        pixels of the frame, z is 0.

    """
    messages = []
    for outline in crop_to_frame(eyes.outlines, affine):
        around = [*outline[:9], *outline[:8:-1]]
        message = PolygonStamped(header=header)
        message.polygon.points = [Point32(x=float(x), y=float(y)) for x, y in around]
        messages.append(message)
    return messages


def eyelid_status(
    name: str, track_id: int, reading: EyelidReading | None, perclos_warning: float
) -> DiagnosticStatus:
    """Create the status of one face.

    Args:
        name: Name of the node, without the leading slash.
        track_id: Id of the face's track.
        reading: Reading of this frame; None if no eyes were found in it.
        perclos_warning: PERCLOS from which the level is WARN, 0..1.

    Returns:
        Status with the level OK, with WARN while the eyes are shut for longer than a blink or at a
        high PERCLOS, or with STALE if no eyes were found. Values that are not known yet are
        omitted.

    """
    status = DiagnosticStatus(name=f'{name}: face {track_id}', hardware_id='')
    values: dict[str, str] = {'track_id': str(track_id)}
    if reading is None:
        status.level, status.message = DiagnosticStatus.STALE, 'no eyes found'
    else:
        values |= _values(reading)
        status.level, status.message = _judge(reading, perclos_warning)
    status.values = [KeyValue(key=key, value=value) for key, value in values.items()]
    return status


def _values(reading: EyelidReading) -> dict[str, str]:
    numbers: dict[str, float | None] = {
        'eye_aspect_ratio': reading.ratio,
        'openness': reading.openness,
        'shut_for_s': reading.shut_for_s,
        'blinks': reading.blinks,
        'long_closures': reading.long_closures,
        'blinks_per_minute': reading.blinks_per_minute,
        'perclos': reading.perclos,
        'observed_s': reading.observed_s,
        'rate_hz': reading.rate_hz,
    }
    if reading.closure is not None:
        numbers['closure_s'] = reading.closure.duration_s
    return {
        key: str(number) if isinstance(number, int) else f'{number:.3f}'
        for key, number in numbers.items()
        if number is not None
    }


def _too_slow(reading: EyelidReading) -> str | None:
    """Return what the rate of the measurements hides; None if it is high enough."""
    rate = reading.rate_hz
    if rate is None or rate >= LEAST_RATE_HZ:
        return None
    text = f'{rate:.1f} frames per second: blinks shorter than {1 / rate:.2f} s can be missed'
    if rate < 1 / DetectorSettings.longest_gap_s:
        return f'{text}, and PERCLOS and longer closures are not measured'
    return f'{text}, and PERCLOS is inaccurate'


def _judge(reading: EyelidReading, perclos_warning: float) -> tuple[bytes, str]:
    slow = _too_slow(reading)
    if reading.openness is None and slow is None:
        return DiagnosticStatus.OK, 'learning the level of open eyes'
    if reading.shut_for_s > LONGEST_BLINK_S:
        return DiagnosticStatus.WARN, f'eyes shut for {reading.shut_for_s:.1f} s'
    if reading.perclos is not None and reading.perclos >= perclos_warning:
        return DiagnosticStatus.WARN, f'PERCLOS {100 * reading.perclos:.0f} %'
    if slow is not None:
        return DiagnosticStatus.WARN, slow
    return DiagnosticStatus.OK, 'shut' if reading.shut_for_s > 0 else 'open'
