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

"""Sliding windows over time: durations with their percentiles, and counts of events."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

#: Largest number of samples that a window keeps: 300 s at 120 Hz, so that memory stays bounded.
MAX_SAMPLES = 36000


@dataclass(frozen=True)
class Percentiles:
    """Percentiles of the durations of one stage over the window.

    Attributes:
        p50: Median in milliseconds.
        p95: 95th percentile in milliseconds.
        p99: 99th percentile in milliseconds.
        max: Longest duration in milliseconds.
        count: Number of durations in the window.

    """

    p50: float
    p95: float
    p99: float
    max: float
    count: int


class LatencyWindow:
    """Sliding window of the durations of one stage. Not thread-safe."""

    def __init__(self) -> None:
        """Start empty."""
        self._samples: deque[tuple[float, float]] = deque(maxlen=MAX_SAMPLES)

    def add(self, now: float, milliseconds: float) -> None:
        """Record a duration that ended at the monotonic time `now` (seconds)."""
        self._samples.append((now, milliseconds))

    def clear(self) -> None:
        """Forget all durations."""
        self._samples.clear()

    def percentiles(self, now: float, window_s: float) -> Percentiles | None:
        """Summarise the durations of the last `window_s` seconds.

        Args:
            now: Current monotonic time in seconds.
            window_s: Length of the window in seconds.

        Returns:
            Percentiles, interpolated linearly between samples (NumPy's default); None if nothing
            was recorded in the window.

        """
        values = [ms for time, ms in self._samples if time >= now - window_s]
        if not values:
            return None
        p50, p95, p99 = (float(v) for v in np.percentile(values, (50, 95, 99)))
        return Percentiles(p50, p95, p99, float(max(values)), len(values))

    def total(self, now: float, window_s: float) -> float:
        """Return the sum over the last `window_s` seconds.

        Args:
            now: Current monotonic time in seconds.
            window_s: Length of the window in seconds.

        """
        return sum(value for time, value in self._samples if time >= now - window_s)

    def mean(self, now: float, window_s: float) -> float:
        """Return the mean over the last `window_s` seconds, 0 if nothing was recorded in them.

        Args:
            now: Current monotonic time in seconds.
            window_s: Length of the window in seconds.

        """
        values = [value for time, value in self._samples if time >= now - window_s]
        return sum(values) / len(values) if values else 0.0


class EventWindow:
    """Sliding window of events, of which only the times are kept. Not thread-safe."""

    def __init__(self) -> None:
        """Start empty."""
        self._times: deque[float] = deque(maxlen=MAX_SAMPLES)

    def add(self, now: float) -> None:
        """Record an event at the monotonic time `now` (seconds)."""
        self._times.append(now)

    def clear(self) -> None:
        """Forget all events."""
        self._times.clear()

    def count(self, now: float, window_s: float) -> int:
        """Return the number of events in the last `window_s` seconds.

        Args:
            now: Current monotonic time in seconds.
            window_s: Length of the window in seconds.

        """
        total = 0
        for time in reversed(self._times):
            if time < now - window_s:
                break
            total += 1
        return total
