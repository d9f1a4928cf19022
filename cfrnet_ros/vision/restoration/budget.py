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

"""Chooses the number of cycles of a frame so that a latency budget is kept without flicker."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from statistics import median

import numpy as np

#: Shares by which an estimate moves towards a higher and towards a lower measurement in each
#: frame: it must follow a load spike at once, while the end of a spike may take a second.
RISE, FALL = 0.7, 0.2

#: Number of measurements in the median; a single frame that was preempted has no effect.
MEDIAN_OF = 3

#: A further cycle is added only if it would leave this share of the budget free, in this many
#: frames in a row; a cycle is removed as soon as the budget is too small for it.
UP_MARGIN, UP_AFTER = 0.1, 5

#: Number of measurements in the median of the fine stage's cost. The cost in cycles is a property
#: of the machine, so nothing needs to be followed at once.
FINE_MEDIAN_OF = 15


class RunningEstimate:
    """Estimate of a duration in ms: the median of recent values, fast to rise, slow to fall."""

    def __init__(self) -> None:
        """Start without any measurement."""
        self._recent: deque[float] = deque(maxlen=MEDIAN_OF)
        self._value: float | None = None

    @property
    def value(self) -> float | None:
        """Estimate in milliseconds, None before the first measurement."""
        return self._value

    def add(self, ms: float) -> None:
        """Add a measurement in milliseconds."""
        self._recent.append(ms)
        middle = median(self._recent)
        if self._value is None:
            self._value = middle
        else:
            self._value += (RISE if middle > self._value else FALL) * (middle - self._value)


class CycleBudget:
    """Chooses the number of cycles of each frame from the durations of the previous frames.

    The predicted duration of a frame is the time before and after the restorer, plus detection
    (also in frames without detection, so that the number does not alternate with them), plus
    faces x cycles x the time of one cycle. A fine stage gets what all cycles leave. Its time is
    estimated as a multiple of a cycle's, because it is not measured while it does not run: after a
    load spike the cycles become faster, and the estimate with them. Not thread-safe.
    """

    def __init__(self, fine_ratio: float = 0.0) -> None:
        """Start without any measurement: the first frame gets one cycle.

        Args:
            fine_ratio: Time of the fine stage of one face, as a multiple of that of a cycle; 0 if
                there is no fine stage.

        """
        self._fine_ratios = deque([fine_ratio], maxlen=FINE_MEDIAN_OF)
        self._fine = False
        self._fine_fitting = 0
        self._cycle = RunningEstimate()
        self._detect = RunningEstimate()
        self._rest = RunningEstimate()
        self._after = RunningEstimate()
        self._allowed: int | None = None
        self._fitting = 0

    @property
    def cycle_ms(self) -> float | None:
        """Estimated time of one cycle of one face, None before the first measurement."""
        return self._cycle.value

    @property
    def overhead_ms(self) -> float:
        """Estimated time of everything except the cycles, in a frame with detection."""
        return sum(e.value or 0.0 for e in (self._detect, self._rest, self._after))

    def allow(self, asked: int, faces: int, budget_ms: float, spent_ms: float = 0.0) -> int:
        """Return how many cycles each face of this frame may have.

        Args:
            asked: Largest number of cycles that is wanted, 1 or above.
            faces: Number of faces to restore, 0 or above.
            budget_ms: Time for the whole frame in milliseconds, 0 for no limit.
            spent_ms: Time already spent on the frame, in milliseconds.

        Returns:
            Number of cycles, 1..asked. One cycle is always allowed, so a budget that is too small
            for it is exceeded.

        """
        if budget_ms <= 0:
            self._allowed, self._fitting = None, 0
            return asked
        if faces < 1:
            return min(asked, self._allowed or asked)
        cycle = self._cycle.value
        if cycle is None:
            self._allowed = 1
            return 1
        # If this frame has already taken longer than the estimate, its own time counts.
        overhead = max(self.overhead_ms, spent_ms + (self._after.value or 0.0))
        left = budget_ms - overhead
        fits = int(np.clip(left // max(faces * cycle, 1e-6), 1, asked))
        current = min(self._allowed or 1, asked)
        if fits <= current:
            current, self._fitting = fits, 0
        else:
            roomy = left - UP_MARGIN * budget_ms >= faces * cycle * (current + 1)
            self._fitting = self._fitting + 1 if roomy else 0
            if self._fitting >= UP_AFTER:
                # Not one by one: after a short spike the previous number returns at once.
                spare = (left - UP_MARGIN * budget_ms) // max(faces * cycle, 1e-6)
                current, self._fitting = int(np.clip(spare, 1, asked)), 0
        self._allowed = current
        return current

    def allow_fine(
        self, cycles: int, asked: int, faces: int, budget_ms: float, spent_ms: float = 0.0
    ) -> bool:
        """Return whether the faces of this frame may have the fine stage.

        The rules are those of a further cycle: it ends as soon as the budget is too small, and
        returns when it would leave `UP_MARGIN` free in `UP_AFTER` frames in a row.

        Args:
            cycles: Number of cycles that `allow` returned for this frame.
            asked: Number of cycles that is wanted; fewer leave no time for the fine stage.
            faces: Number of faces to restore, 0 or above.
            budget_ms: Time for the whole frame in milliseconds, 0 for no limit.
            spent_ms: Time already spent on the frame, in milliseconds.

        Returns:
            Whether all faces may have it; without a limit always.

        """
        if budget_ms <= 0:
            self._fine, self._fine_fitting = False, 0
            return True
        if faces < 1:
            return self._fine
        cycle = self._cycle.value
        overhead = max(self.overhead_ms, spent_ms + (self._after.value or 0.0))
        stages = cycles + median(self._fine_ratios)
        left = -1.0 if cycle is None else budget_ms - overhead - faces * cycle * stages
        if cycles < asked or left < 0:
            self._fine, self._fine_fitting = False, 0
        elif not self._fine:
            roomy = left >= UP_MARGIN * budget_ms
            self._fine_fitting = self._fine_fitting + 1 if roomy else 0
            self._fine = self._fine_fitting >= UP_AFTER
        return self._fine

    def observe(
        self,
        cycle_ms: Sequence[float],
        detect_ms: float | None,
        rest_ms: float,
        fine_ms: Sequence[float] = (),
    ) -> None:
        """Add the durations of a frame, up to the end of the restorer.

        Args:
            cycle_ms: Duration of each cycle of each face; empty if no face was restored.
            detect_ms: Duration of the detector, None if it did not run.
            rest_ms: Duration of everything else.
            fine_ms: Duration of the fine stage of each face; empty if it did not run.

        """
        if fine_ms and cycle_ms:
            self._fine_ratios.append(median(fine_ms) / max(median(cycle_ms), 1e-6))
        if cycle_ms:
            self._cycle.add(median(cycle_ms))
        if detect_ms is not None:
            self._detect.add(detect_ms)
        self._rest.add(rest_ms)

    def observe_after(self, ms: float) -> None:
        """Add the time that the frame took after the restorer: blending and publishing."""
        self._after.add(ms)
