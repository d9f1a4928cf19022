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

"""Parses what the node reports about each frame (`~/frame/status`) and each face in it."""

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
    """Return a value as a number, or NaN if it is missing or not a number."""
    try:
        return float(values[key])
    except (KeyError, ValueError):
        return float('nan')


@dataclass(frozen=True)
class FaceEntry:
    """Status of one face in a frame.

    Attributes:
        track_id: Id that the tracker gave the face.
        restored: Whether the crop was restored; False if it was passed on unchanged.
        reason: Reason why the crop was not restored.
        affine: (2, 3) float64 transform from frame pixels to crop pixels, None if unknown.
        values: All values of the status by key.

    """

    track_id: int
    restored: bool
    reason: str
    affine: NDArray[np.float64] | None
    values: Mapping[str, str]


@dataclass(frozen=True)
class FrameReport:
    """Status of one frame.

    Attributes:
        stamp_ns: Header stamp of the image, in nanoseconds.
        rejected: Reason for the rejection, '' if the frame was not rejected.
        record: Record of the frame, as far as the message contains it.

    """

    stamp_ns: int
    rejected: str
    record: FrameRecord


def parse_frame(cdr: bytes) -> FrameReport:
    """Parse a message of `~/frame/status`.

    Raises:
        ValueError: The message does not hold exactly one status.

    """
    message = deserialize_message(cdr, DiagnosticArray)
    if len(message.status) != 1:
        raise ValueError(f'expected one status in the message, got {len(message.status)}')
    status = message.status[0]
    stamp = message.header.stamp
    return FrameReport(
        stamp_ns=stamp.sec * 10**9 + stamp.nanosec,
        rejected='' if status.level == DiagnosticStatus.OK else status.message,
        record=record_of({value.key: value.value for value in status.values}),
    )


def parse_faces(cdr: bytes) -> list[FaceEntry]:
    """Parse a message of `~/face/status`: the faces in the order of their crops."""
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
