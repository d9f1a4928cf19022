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

"""Collects what the node answers for the one frame that is in flight."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from threading import Condition

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.serialization import deserialize_message

from cfrnet_ros.replay.plan import (
    DIAGNOSTICS_TOPIC,
    FACE_STATUS_TOPIC,
    FACE_TOPIC,
    FRAME_STATUS_TOPIC,
    FUSED_TOPIC,
    RESTORED_TOPIC,
)
from cfrnet_ros.replay.reports import FrameReport, parse_frame
from cfrnet_ros.replay.stamps import read_stamp

#: Topics on which the node sends messages about a frame.
_ANSWERS = (FACE_TOPIC, FUSED_TOPIC, FACE_STATUS_TOPIC, FRAME_STATUS_TOPIC, RESTORED_TOPIC)


@dataclass(frozen=True)
class Counters:
    """The node's own count of the images that it received since it started.

    Attributes:
        heard: Monotonic time when the count was published, in seconds.
        received: Number of images received.
        rejected: Number of images rejected, by cause.

    """

    heard: float
    received: int
    rejected: dict[str, int]


@dataclass
class Answer:
    """Messages that have arrived for a frame so far.

    Attributes:
        stamp_ns: Header stamp of the frame, in nanoseconds.
        crops: Serialised crops, in the order of arrival.
        fused: Serialised crops before restoration, in the order of arrival.
        restored: Serialised restored whole frame.
        faces: Serialised status of the faces in the frame.
        report: Status of the frame as a whole.

    """

    stamp_ns: int
    crops: list[bytes] = field(default_factory=list)
    fused: list[bytes] = field(default_factory=list)
    restored: bytes | None = None
    faces: bytes | None = None
    report: FrameReport | None = None

    @property
    def complete(self) -> bool:
        """Whether every message of the frame has arrived.

        The node sends a status for every frame, also for one that is rejected or shows no
        face. The status says how many crops there are, and there are as many before restoration.
        Only for a rejected frame does nothing else follow.
        """
        if self.report is None:
            return False
        if self.report.rejected:
            return True
        whole = self.restored is not None and self.faces is not None
        crops = min(len(self.crops), len(self.fused))
        return whole and crops >= self.report.record.passed_on


class Answers:
    """Collects messages from the spinning thread for the thread that waits for them."""

    def __init__(self) -> None:
        """Start without an expected frame."""
        self._changed = Condition()
        self._answer = Answer(-1)
        self._counters: Counters | None = None

    def hear(self, topic: str, time_ns: int, data: bytes) -> None:
        """Take a message; messages for other frames are ignored."""
        del time_ns
        with self._changed:
            answer = self._answer
            if topic == DIAGNOSTICS_TOPIC:
                self._counters = _read_counters(data) or self._counters
            elif topic not in _ANSWERS or read_stamp(data) != answer.stamp_ns:
                return
            elif topic == FACE_TOPIC:
                answer.crops.append(data)
            elif topic == FUSED_TOPIC:
                answer.fused.append(data)
            elif topic == RESTORED_TOPIC:
                answer.restored = data
            elif topic == FACE_STATUS_TOPIC:
                answer.faces = data
            else:
                answer.report = parse_frame(data)
            self._changed.notify_all()

    def expect(self, stamp_ns: int) -> Answer:
        """Begin to collect for a frame; must be called before the frame is sent."""
        with self._changed:
            self._answer = Answer(stamp_ns)
            return self._answer

    def forget(self) -> None:
        """Drop everything collected, before another node is started."""
        with self._changed:
            self._answer, self._counters = Answer(-1), None

    def wait(self, timeout_s: float) -> bool:
        """Wait until the answer is complete; returns False after the timeout (seconds)."""
        with self._changed:
            return self._changed.wait_for(lambda: self._answer.complete, timeout_s)

    @property
    def counters(self) -> Counters | None:
        """Return the node's newest count, or None before its first diagnostics."""
        with self._changed:
            return self._counters


def _read_counters(cdr: bytes) -> Counters | None:
    for status in deserialize_message(cdr, DiagnosticArray).status:
        if status.name.endswith(': input'):
            values = {value.key: value.value for value in status.values}
            prefix = 'frames/rejected/'
            return Counters(
                time.monotonic(),
                int(values.get('frames/received', 0)),
                {k.removeprefix(prefix): int(v) for k, v in values.items() if k.startswith(prefix)},
            )
    return None
