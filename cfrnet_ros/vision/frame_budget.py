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

"""The latency budget of frames of which several may be in work at once."""

from __future__ import annotations

from collections import deque
from threading import Lock

from cfrnet_ros.vision.frame_work import FrameWork
from cfrnet_ros.vision.restoration.budget import CycleBudget
from cfrnet_ros.vision.settings import PipelineSettings
from cfrnet_ros.vision.stages import Stage, StageClock
from cfrnet_ros.vision.types import MAX_PARALLEL_FRAMES, RestoredFace


class FrameBudget:
    """Asks `CycleBudget` at the start of a frame, and tells it at the end what the frame took.

    Thread-safe: one frame may start while another one ends.
    """

    def __init__(self, fine_ratio: float = 0.0) -> None:
        """Start without any measurement.

        Args:
            fine_ratio: Time of the fine stage as a multiple of that of a cycle; 0 if there is no
                fine stage.

        """
        self._lock = Lock()
        self._budget = CycleBudget(fine_ratio)
        self._staged = fine_ratio > 0
        # Clocks of frames that have left the pipeline, with the part of their time that was over
        # then. Frames that are never finished drop out at the other end.
        self._left: deque[tuple[StageClock, float]] = deque(maxlen=MAX_PARALLEL_FRAMES)

    def allow(
        self, asked: int, faces: int, settings: PipelineSettings, clock: StageClock
    ) -> tuple[int, bool]:
        """Return what each face of a frame may have.

        Args:
            asked: Largest number of cycles that is wanted.
            faces: Number of faces to restore.
            settings: Settings of the frame.
            clock: Clock of the frame.

        Returns:
            Number of cycles, and whether the fine stage may follow.

        """
        budget_ms = settings.latency_budget_ms
        with self._lock:
            self._observe_finished()
            allowed = self._budget.allow(asked, faces, budget_ms, clock.elapsed_ms)
            fine = self._staged and self._budget.allow_fine(
                allowed, asked, faces, budget_ms, clock.elapsed_ms
            )
        return allowed, fine

    def observe(self, work: FrameWork, faces: list[RestoredFace]) -> None:
        """Add the durations of a frame that leaves the pipeline.

        Args:
            work: Frame, whose clock may be continued: once TOTAL is added to it, the time that was
                added in between counts as the frame's too.
            faces: Faces of the frame.

        """
        clock = work.clock
        cycle_ms = [ms for face in faces for ms in face.restoration.cycle_ms]
        fine_ms = [ms for face in faces for ms in face.restoration.fine_ms]
        detect_ms = clock.stages_ms.get(Stage.DETECT)
        rest_ms = clock.elapsed_ms - sum(cycle_ms) - sum(fine_ms) - (detect_ms or 0.0)
        with self._lock:
            self._budget.observe(cycle_ms, detect_ms, max(0.0, rest_ms), fine_ms)
            self._left.append((clock, clock.parts_ms))

    def _observe_finished(self) -> None:
        """Add what frames took after the pipeline, of those that have been finished."""
        for _ in range(len(self._left)):
            clock, before_ms = self._left.popleft()
            if Stage.TOTAL in clock.stages_ms:
                self._budget.observe_after(clock.parts_ms - before_ms)
            else:
                self._left.append((clock, before_ms))
