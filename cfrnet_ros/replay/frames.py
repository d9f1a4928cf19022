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

"""The outcome of every frame that was sent."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from cfrnet_ros.replay.bag_reader import BagReader
from cfrnet_ros.replay.plan import (
    FACE_STATUS_TOPIC,
    FACE_TOPIC,
    FRAME_STATUS_TOPIC,
    Pass,
    ReplayLog,
)
from cfrnet_ros.replay.player import PlayedFrame
from cfrnet_ros.replay.reports import FaceEntry, FrameReport, number, parse_faces, parse_frame
from cfrnet_ros.replay.stamps import read_stamp
from cfrnet_ros.vision.frame_record import FrameRecord
from cfrnet_ros.vision.stages import Stage

PROCESSED, REJECTED, DROPPED = 'processed', 'rejected', 'dropped'

Count = Literal['found', 'reused', 'cycles_asked', 'cycles_allowed', 'cycles_used']


@dataclass(frozen=True)
class FrameRow:
    """One frame of one pass through the bag.

    Attributes:
        number: Number of the pass, from 0.
        cycles: Number of cycles requested in this pass.
        frame: Frame that was sent.
        time_s: Time since the pass began, in seconds. In real time it is the time of sending;
            in a deterministic replay it is the time of recording.
        outcome: Outcome, one of PROCESSED, REJECTED and DROPPED (in favour of a newer frame).
        reason: Reason for the rejection.
        report: Status that the node sent for the frame, None if it sent none.
        entries: Status of each face in the frame, in the order of the crops.
        latency_ms: Time from sending to the arrival of the node's report, in milliseconds.
        age_ms: Time from sending to the arrival of the first crop, in milliseconds; NaN if no
            crop arrived.

    """

    number: int
    cycles: int
    frame: PlayedFrame
    time_s: float
    outcome: str
    reason: str
    report: FrameReport | None
    entries: list[FaceEntry]
    latency_ms: float
    age_ms: float

    @property
    def faces(self) -> int:
        """Number of crops that the node sent."""
        return 0 if self.report is None else self.report.record.passed_on

    @property
    def track_ids(self) -> list[int]:
        """Track ids of the faces whose crops the node sent."""
        return [face.track_id for face in self.entries]

    @property
    def record(self) -> FrameRecord | None:
        """Record of the frame, None if it was not processed."""
        return None if self.report is None or self.report.rejected else self.report.record

    def count(self, name: Count) -> float:
        """Return a number of the frame's record, or NaN if it is not known."""
        value: int | None = None if self.record is None else getattr(self.record, name)
        return float('nan') if value is None else float(value)

    @property
    def stages_ms(self) -> Mapping[Stage, float]:
        """Duration of each stage in milliseconds; of a rejected frame up to its rejection."""
        return {} if self.report is None else self.report.record.stages_ms


@dataclass
class _Arrivals:
    reports: dict[int, deque[tuple[int, FrameReport]]] = field(default_factory=dict)
    faces: dict[int, deque[list[FaceEntry]]] = field(default_factory=dict)
    crops: dict[int, deque[int]] = field(default_factory=dict)


def collect_frames(log: ReplayLog) -> list[FrameRow]:
    """Match the frames sent with the messages received, by header stamp and order.

    Raises:
        BagError: A recording cannot be read.

    """
    arrivals = _Arrivals()
    with BagReader(log.plan.measurements) as bag:
        for message in bag.messages(FRAME_STATUS_TOPIC):
            report = parse_frame(message.data)
            arrivals.reports.setdefault(report.stamp_ns, deque()).append((message.time_ns, report))
        if not log.plan.deterministic:
            for message in bag.messages(FACE_TOPIC):
                arrivals.crops.setdefault(read_stamp(message.data), deque()).append(message.time_ns)
    with BagReader(log.plan.recording) as bag:
        for message in bag.messages(FACE_STATUS_TOPIC):
            stamp = read_stamp(message.data)
            arrivals.faces.setdefault(stamp, deque()).append(parse_faces(message.data))
    rows: list[FrameRow] = []
    for index, played in enumerate(log.passes):
        rows += _rows(index, played, arrivals, log.plan.deterministic)
    return rows


def _rows(index: int, played: Pass, arrivals: _Arrivals, deterministic: bool) -> Iterator[FrameRow]:
    for frame in played.frames:
        first = played.frames[0]
        time_ns = (
            frame.bag_time_ns - first.bag_time_ns
            if deterministic
            else frame.sent_ns - first.sent_ns
        )
        found = arrivals.reports.get(frame.stamp_ns)
        arrived, report = found.popleft() if found else (0, None)
        nan = float('nan')
        age = nan
        if report is not None and report.record.passed_on:
            crops = arrivals.crops.get(frame.stamp_ns, deque())
            times = [crops.popleft() for _ in range(min(report.record.passed_on, len(crops)))]
            # In lockstep the crops are not recorded at the time of their arrival; they arrive
            # immediately before the report.
            age = ((times[0] if times else arrived) - frame.sent_ns) / 1e6
        # In lockstep no frame is dropped: the node counted this one as rejected.
        outcome, reason = (REJECTED, 'refused') if deterministic else (DROPPED, '')
        if report is not None:
            outcome, reason = (REJECTED if report.rejected else PROCESSED), report.rejected
        yield FrameRow(
            number=index,
            cycles=played.cycles,
            frame=frame,
            time_s=time_ns / 1e9,
            outcome=outcome,
            reason=reason,
            report=report,
            entries=_entries(arrivals, frame.stamp_ns, report),
            latency_ms=nan if report is None else (arrived - frame.sent_ns) / 1e6,
            age_ms=age,
        )


def _entries(arrivals: _Arrivals, stamp_ns: int, report: FrameReport | None) -> list[FaceEntry]:
    found = arrivals.faces.get(stamp_ns)
    if report is None or report.rejected or not found:
        return []
    return found.popleft()


def anything_fused(rows: Sequence[FrameRow]) -> bool:
    """Return whether the node averaged any crop over more than one frame (`fusion`)."""
    return any(number(entry.values, 'fused_frames') > 1 for row in rows for entry in row.entries)


def stages_of(rows: Sequence[FrameRow]) -> list[Stage]:
    """List the stages that make up the frames' time, in the order in which they run."""
    return [stage for stage in Stage if stage.in_total and any(stage in r.stages_ms for r in rows)]
