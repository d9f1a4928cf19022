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

"""Counts of frames and faces since the node started."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from cfrnet_ros.node.images.errors import CAUSES
from cfrnet_ros.vision.frame_record import FrameRecord
from cfrnet_ros.vision.quality.face_quality import REASONS


@dataclass
class Counts:
    """Totals since the node started.

    Every received frame is counted as exactly one of processed, dropped, skipped, rejected or
    in flight.

    Attributes:
        received: Number of messages that arrived.
        lost: Number of images that the middleware reported as lost on the way; none of them is
            among the received ones.
        processed: Number of frames that were processed to the end.
        dropped: Number of frames that were replaced by a newer one or discarded on deactivation.
        skipped: Number of frames that came faster than `max_fps` allows.
        rejected: Number of rejected frames, by cause.
        waiting: Number of frames in the mailbox.
        working: Number of frames that the worker is processing, at most `parallel_frames`.
        age_unusable: Number of processed frames whose age cannot be computed from their stamp.
        faces: Number of faces passed on, restored or not.
        restored: Number of faces that were restored, in their own frame or in an equal earlier one.
        reused: Number of faces that showed the restoration of an earlier frame.
        refused: Number of faces passed on unrestored, by reason.
        eyes_flagged: Number of restored faces whose eyes changed by more than `max_eye_change`.
        fine: Number of faces that had the fine stage.

    """

    received: int = 0
    lost: int = 0
    processed: int = 0
    dropped: int = 0
    skipped: int = 0
    rejected: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CAUSES, 0))
    waiting: int = 0
    working: int = 0
    age_unusable: int = 0
    faces: int = 0
    restored: int = 0
    reused: int = 0
    refused: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REASONS, 0))
    eyes_flagged: int = 0
    fine: int = 0

    @property
    def in_flight(self) -> int:
        """Number of frames that wait or are being processed."""
        return self.waiting + self.working

    def copy(self) -> Counts:
        """Return a copy that later counting does not change."""
        return replace(self, rejected=dict(self.rejected), refused=dict(self.refused))

    def add(self, record: FrameRecord) -> None:
        """Count a processed frame and its faces."""
        self.processed += 1
        self.faces += record.passed_on
        self.restored += record.restored
        self.reused += record.reused
        self.eyes_flagged += record.eyes_flagged
        self.fine += record.fine or 0
        for reason, number in record.refused.items():
            self.refused[reason] += number
