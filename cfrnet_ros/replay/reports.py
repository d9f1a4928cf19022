"""Reading what the node says about each frame (`~/frame/status`) and each face in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from numpy.typing import NDArray
from rclpy.serialization import deserialize_message

from cfrnet_ros.node.frame_report import record_of
from cfrnet_ros.vision.frame_record import FrameRecord


def number(values: Mapping[str, str], key: str) -> float:
    """Return a value as a number, NaN if it is missing or none."""
    try:
        return float(values[key])
    except (KeyError, ValueError):
        return float('nan')


@dataclass(frozen=True)
class FaceEntry:
    """One face of a frame.

    Attributes:
        track_id: of the tracker.
        restored: whether its crop was restored, or passed on as it was.
        reason: why it was not.
        affine: (2, 3) float64 from frame pixels to crop pixels, None if unknown.
        values: everything that the node says about it, by key.

    """

    track_id: int
    restored: bool
    reason: str
    affine: NDArray[np.float64] | None
    values: Mapping[str, str]


@dataclass(frozen=True)
class FrameReport:
    """What the node says about one frame.

    Attributes:
        stamp_ns: header stamp of the image.
        rejected: why it was rejected, '' if it was not.
        record: Account of the frame, as far as the message tells it.

    """

    stamp_ns: int
    rejected: str
    record: FrameRecord


def parse_frame(cdr: bytes) -> FrameReport:
    """Read a message of `~/frame/status`.

    Raises:
        ValueError: The message says nothing about a frame.

    """
    message = deserialize_message(cdr, DiagnosticArray)
    if len(message.status) != 1:
        raise ValueError(f'one status was expected, there are {len(message.status)}')
    status = message.status[0]
    stamp = message.header.stamp
    return FrameReport(
        stamp_ns=stamp.sec * 10**9 + stamp.nanosec,
        rejected='' if status.level == DiagnosticStatus.OK else status.message,
        record=record_of({value.key: value.value for value in status.values}),
    )


def parse_faces(cdr: bytes) -> list[FaceEntry]:
    """Read a message of `~/face/status`: the faces in the order of their crops."""
    return [_face(status) for status in deserialize_message(cdr, DiagnosticArray).status]


def _face(status: DiagnosticStatus) -> FaceEntry:
    values = {value.key: value.value for value in status.values}
    restored = values.get('restored') == 'true'
    try:
        affine = np.array([float(part) for part in values.get('affine', '').split()])
    except ValueError:
        affine = np.empty(0)
    return FaceEntry(
        track_id=int(values.get('track_id', '-1')),
        restored=restored,
        reason='' if restored else status.message,
        affine=affine.reshape(2, 3) if affine.size == 6 else None,
        values=values,
    )
