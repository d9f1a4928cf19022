"""Creates the messages about a person's eyelids."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from geometry_msgs.msg import Point32, PolygonStamped
from numpy.typing import ArrayLike
from std_msgs.msg import Header

from cfrnet_ros.vision.views.crop_geometry import crop_to_frame
from examples.eyelids.closures import LONGEST_BLINK_S
from examples.eyelids.eye_landmarks import Eyes
from examples.eyelids.monitor import EyelidReading


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
    }
    if reading.closure is not None:
        numbers['closure_s'] = reading.closure.duration_s
    return {
        key: str(number) if isinstance(number, int) else f'{number:.3f}'
        for key, number in numbers.items()
        if number is not None
    }


def _judge(reading: EyelidReading, perclos_warning: float) -> tuple[bytes, str]:
    if reading.openness is None:
        return DiagnosticStatus.OK, 'learning the level of open eyes'
    if reading.shut_for_s > LONGEST_BLINK_S:
        return DiagnosticStatus.WARN, f'eyes shut for {reading.shut_for_s:.1f} s'
    if reading.perclos is not None and reading.perclos >= perclos_warning:
        return DiagnosticStatus.WARN, f'PERCLOS {100 * reading.perclos:.0f} %'
    return DiagnosticStatus.OK, 'shut' if reading.shut_for_s > 0 else 'open'
