"""How many cycles a frame can afford: a latency budget, kept without flicker."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

#: Share of the way to a higher and to a lower measurement that an estimate goes at each
#: frame: a load spike must be believed at once, its end may take a second.
RISE, FALL = 0.7, 0.2

#: Measurements whose median is believed: one frame that was preempted says nothing.
MEDIAN_OF = 3

#: A further cycle is taken only where it would leave this share of the budget free, for
#: this many frames in a row; one is given up as soon as the budget does not hold it.
UP_MARGIN, UP_AFTER = 0.1, 5


class RunningEstimate:
    """What something takes, in ms: the median of the last few, fast to rise, slow to fall."""

    def __init__(self) -> None:
        """Start without a measurement."""
        self._recent: deque[float] = deque(maxlen=MEDIAN_OF)
        self._value: float | None = None

    @property
    def value(self) -> float | None:
        """The estimate in milliseconds, None before the first measurement."""
        return self._value

    def add(self, ms: float) -> None:
        """Take a measurement in milliseconds."""
        self._recent.append(ms)
        middle = float(np.median(self._recent))
        if self._value is None:
            self._value = middle
        else:
            self._value += (RISE if middle > self._value else FALL) * (middle - self._value)


class CycleBudget:
    """Chooses the number of cycles of each frame from what the frames before took.

    A frame is predicted to take what comes before and after the restorer, plus detection
    (also in frames without one, so that the number does not alternate with them), plus
    faces x cycles x the time of one cycle. Not thread-safe.
    """

    def __init__(self) -> None:
        """Start without measurements: the first frame gets one cycle."""
        self._cycle = RunningEstimate()
        self._detect = RunningEstimate()
        self._rest = RunningEstimate()
        self._after = RunningEstimate()
        self._allowed: int | None = None
        self._fitting = 0

    @property
    def cycle_ms(self) -> float | None:
        """Estimated time of one cycle of one face, None before the first."""
        return self._cycle.value

    @property
    def overhead_ms(self) -> float:
        """Estimated time of everything but the cycles, of a frame with detection."""
        return sum(e.value or 0.0 for e in (self._detect, self._rest, self._after))

    def allow(self, asked: int, faces: int, budget_ms: float, spent_ms: float = 0.0) -> int:
        """Tell how many cycles each face of this frame may have.

        Args:
            asked: the most that is wanted, 1 or above.
            faces: faces that are to be restored, 0 or above.
            budget_ms: time for the whole frame in milliseconds, 0 for no limit.
            spent_ms: what of it is gone already.

        Returns:
            1..asked. One cycle is always allowed: a budget that does not hold it is not
            kept.

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
        # A frame that is late already cannot be helped by what others took.
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
                # Not one by one: after a short spike the old number is back at once.
                spare = (left - UP_MARGIN * budget_ms) // max(faces * cycle, 1e-6)
                current, self._fitting = int(np.clip(spare, 1, asked)), 0
        self._allowed = current
        return current

    def observe(self, cycle_ms: Sequence[float], detect_ms: float | None, rest_ms: float) -> None:
        """Take the times of a frame up to the end of the restorer.

        Args:
            cycle_ms: of each cycle of each face; empty if none was restored.
            detect_ms: of the detector, None if it did not run.
            rest_ms: of everything else.

        """
        if cycle_ms:
            self._cycle.add(float(np.median(cycle_ms)))
        if detect_ms is not None:
            self._detect.add(detect_ms)
        self._rest.add(rest_ms)

    def observe_after(self, ms: float) -> None:
        """Take the time that the frame took after the restorer: blending, publishing."""
        self._after.add(ms)
