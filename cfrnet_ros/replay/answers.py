"""What comes back for the one frame that is in flight."""

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
    RESTORED_TOPIC,
)
from cfrnet_ros.replay.reports import FrameReport, parse_frame
from cfrnet_ros.replay.stamps import read_stamp

#: Topics with messages for a frame.
_ANSWERS = (FACE_TOPIC, FACE_STATUS_TOPIC, FRAME_STATUS_TOPIC, RESTORED_TOPIC)


@dataclass(frozen=True)
class Counters:
    """The node's own count of the images that it received since its start.

    Attributes:
        heard: monotonic time when it was published, seconds.
        received: images.
        rejected: images, by cause.

    """

    heard: float
    received: int
    rejected: dict[str, int]


@dataclass
class Answer:
    """What came back for a frame so far.

    Attributes:
        stamp_ns: of the frame.
        crops: serialised, in order.
        restored: serialised whole frame.
        faces: what the node says about the faces, serialised.
        report: what the node says about the frame.

    """

    stamp_ns: int
    crops: list[bytes] = field(default_factory=list)
    restored: bytes | None = None
    faces: bytes | None = None
    report: FrameReport | None = None

    @property
    def complete(self) -> bool:
        """Whether nothing more will come.

        The frame's status comes for every frame, also for one without a face or a rejected
        one, and says how many crops there are; the rest comes for all but the rejected.
        """
        if self.report is None:
            return False
        if self.report.rejected:
            return True
        whole = self.restored is not None and self.faces is not None
        return whole and len(self.crops) >= self.report.record.passed_on


class Answers:
    """Collects messages from the spinning thread for the one who waits for them."""

    def __init__(self) -> None:
        """Expect nothing yet."""
        self._changed = Condition()
        self._answer = Answer(-1)
        self._counters: Counters | None = None

    def hear(self, topic: str, time_ns: int, data: bytes) -> None:
        """Take a message; those for other frames are passed over."""
        del time_ns
        with self._changed:
            answer = self._answer
            if topic == DIAGNOSTICS_TOPIC:
                self._counters = _read_counters(data) or self._counters
            elif topic not in _ANSWERS or read_stamp(data) != answer.stamp_ns:
                return
            elif topic == FACE_TOPIC:
                answer.crops.append(data)
            elif topic == RESTORED_TOPIC:
                answer.restored = data
            elif topic == FACE_STATUS_TOPIC:
                answer.faces = data
            else:
                answer.report = parse_frame(data)
            self._changed.notify_all()

    def expect(self, stamp_ns: int) -> Answer:
        """Begin to collect for a frame; call before it is sent."""
        with self._changed:
            self._answer = Answer(stamp_ns)
            return self._answer

    def forget(self) -> None:
        """Start over with another node."""
        with self._changed:
            self._answer, self._counters = Answer(-1), None

    def wait(self, timeout_s: float) -> bool:
        """Wait until the answer is complete; False after the timeout (seconds)."""
        with self._changed:
            return self._changed.wait_for(lambda: self._answer.complete, timeout_s)

    @property
    def counters(self) -> Counters | None:
        """The node's newest count, None before its first diagnostics."""
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
