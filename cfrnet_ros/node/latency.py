"""Sliding windows over time: latencies with percentiles, and event rates."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

#: Samples kept a window at most: 300 s at 120 Hz, so memory stays bounded.
MAX_SAMPLES = 36000


@dataclass(frozen=True)
class Percentiles:
    """Of one stage over the window, in milliseconds."""

    p50: float
    p95: float
    p99: float
    max: float
    count: int


class LatencyWindow:
    """Durations of one stage. Not thread-safe."""

    def __init__(self) -> None:
        """Start empty."""
        self._samples: deque[tuple[float, float]] = deque(maxlen=MAX_SAMPLES)

    def add(self, now: float, milliseconds: float) -> None:
        """Record a duration that ended at the monotonic time `now` (seconds)."""
        self._samples.append((now, milliseconds))

    def clear(self) -> None:
        """Forget all."""
        self._samples.clear()

    def percentiles(self, now: float, window_s: float) -> Percentiles | None:
        """Summarise the last `window_s` seconds, None if nothing was recorded in them.

        Percentiles are interpolated linearly between samples (NumPy's default).
        """
        values = [ms for time, ms in self._samples if time >= now - window_s]
        if not values:
            return None
        p50, p95, p99 = (float(v) for v in np.percentile(values, (50, 95, 99)))
        return Percentiles(p50, p95, p99, float(max(values)), len(values))

    def mean(self, now: float, window_s: float) -> float:
        """Mean of the last `window_s` seconds, 0 if nothing was recorded in them."""
        values = [value for time, value in self._samples if time >= now - window_s]
        return sum(values) / len(values) if values else 0.0


class EventWindow:
    """Points in time. Not thread-safe."""

    def __init__(self) -> None:
        """Start empty."""
        self._times: deque[float] = deque(maxlen=MAX_SAMPLES)

    def add(self, now: float) -> None:
        """Record an event at the monotonic time `now` (seconds)."""
        self._times.append(now)

    def clear(self) -> None:
        """Forget all."""
        self._times.clear()

    def count(self, now: float, window_s: float) -> int:
        """Events of the last `window_s` seconds."""
        total = 0
        for time in reversed(self._times):
            if time < now - window_s:
                break
            total += 1
        return total
