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

"""Combines the messages of three topics about the faces of one frame."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

#: Most frames that may be incomplete at a time: those of a third of a second at 30 Hz.
MOST_WAITING = 10


@dataclass(frozen=True)
class FaceMessages:
    """Messages about one face of a frame.

    Attributes:
        track_id: Id of the face's track, from `~/face/status`.
        crop: Crop of the face, a sensor_msgs/Image.
        outline: Outline of the crop, a geometry_msgs/PolygonStamped.

    """

    track_id: int
    crop: Any
    outline: Any


@dataclass
class _Parts:
    crops: list[Any] = field(default_factory=list)
    outlines: list[Any] = field(default_factory=list)
    track_ids: list[int] | None = None

    @property
    def complete(self) -> bool:
        return self.track_ids is not None and (
            len(self.crops) == len(self.outlines) == len(self.track_ids)
        )


class FrameAssembler:
    """Collects messages by their stamps until a frame is complete.

    The node sends one status per frame, and one crop and one outline per face, in the same order
    and with the stamp of the frame; messages of different topics may arrive in any order.

    Attributes:
        incomplete: Number of frames that were dropped because a newer one was complete or too
            many were waiting.

    """

    def __init__(self) -> None:
        """Start without messages."""
        self._waiting: OrderedDict[tuple[int, int], _Parts] = OrderedDict()
        self.incomplete = 0

    def add_crop(self, message: Any) -> list[FaceMessages] | None:
        """Add a sensor_msgs/Image; return the frame's faces if the frame is complete now."""
        key, parts = self._parts(message)
        parts.crops.append(message)
        return self._finish(key, parts)

    def add_outline(self, message: Any) -> list[FaceMessages] | None:
        """Add a geometry_msgs/PolygonStamped; return the faces of a frame that is complete."""
        key, parts = self._parts(message)
        parts.outlines.append(message)
        return self._finish(key, parts)

    def add_status(self, message: Any) -> list[FaceMessages] | None:
        """Add a diagnostic_msgs/DiagnosticArray; return the faces of a frame that is complete."""
        key, parts = self._parts(message)
        parts.track_ids = [
            int(next(pair.value for pair in status.values if pair.key == 'track_id'))
            for status in message.status
        ]
        return self._finish(key, parts)

    def _parts(self, message: Any) -> tuple[tuple[int, int], _Parts]:
        stamp = message.header.stamp
        key = (stamp.sec, stamp.nanosec)
        parts = self._waiting.setdefault(key, _Parts())
        while len(self._waiting) > MOST_WAITING:
            self._waiting.popitem(last=False)
            self.incomplete += 1
        return key, parts

    def _finish(self, key: tuple[int, int], parts: _Parts) -> list[FaceMessages] | None:
        if not parts.complete:
            return None
        # An earlier frame that is still incomplete has lost a message.
        while self._waiting:
            first, _ = self._waiting.popitem(last=False)
            if first == key:
                break
            self.incomplete += 1
        return [
            FaceMessages(*face) for face in zip(parts.track_ids or [], parts.crops, parts.outlines)
        ]
