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

"""Sliding windows over time: durations with their percentiles, and counts of events.

Samples are kept in arrays of numbers, sorted by time, so that the cost of an account depends on the
number of samples in its window and not on how long the node has run. They are kept for as long as
the longest window that was asked for, so that memory does not depend on the rate of the camera for
minutes; a longer window than before is full when its time has passed.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

#: Least and longest time in seconds for which samples are kept: the default of
#: `diagnostics.window_s` and the largest value that it may have.
LEAST_S, LONGEST_S = 10.0, 300.0
#: Largest number of samples that a window keeps: 300 s at 120 Hz, so that memory stays bounded.
MAX_SAMPLES = 36000
#: Number of samples that are added before old ones are removed again.
_STEP = 256


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
        self._times = array('d')
        self._values = array('d')
        self._limit = _STEP
        self._keep_s = LEAST_S

    def add(self, now: float, milliseconds: float) -> None:
        """Record a duration that ended at the monotonic time `now` (seconds)."""
        self._times.append(now)
        self._values.append(milliseconds)
        if len(self._times) >= self._limit:
            old = _too_old(self._times, now, self._keep_s)
            del self._times[:old]
            del self._values[:old]
            self._limit = len(self._times) + _STEP

    def clear(self) -> None:
        """Forget all durations."""
        self._times, self._values, self._limit = array('d'), array('d'), _STEP

    def percentiles(self, now: float, window_s: float) -> Percentiles | None:
        """Summarise the durations of the last `window_s` seconds.

        Args:
            now: Current monotonic time in seconds.
            window_s: Length of the window in seconds, at most `LONGEST_S`.

        Returns:
            Percentiles, interpolated linearly between samples (NumPy's default); None if nothing
            was recorded in the window.

        """
        values = self._recent(now, window_s)
        if not values:
            return None
        p50, p95, p99 = (float(v) for v in np.percentile(np.array(values), (50, 95, 99)))
        return Percentiles(p50, p95, p99, max(values), len(values))

    def total(self, now: float, window_s: float) -> float:
        """Return the sum over the last `window_s` seconds.

        Args:
            now: Current monotonic time in seconds.
            window_s: Length of the window in seconds, at most `LONGEST_S`.

        """
        return sum(self._recent(now, window_s))

    def mean(self, now: float, window_s: float) -> float:
        """Return the mean over the last `window_s` seconds, 0 if nothing was recorded in them.

        Args:
            now: Current monotonic time in seconds.
            window_s: Length of the window in seconds, at most `LONGEST_S`.

        """
        values = self._recent(now, window_s)
        return sum(values) / len(values) if values else 0.0

    def _recent(self, now: float, window_s: float) -> array[float]:
        self._keep_s = min(max(self._keep_s, window_s), LONGEST_S)
        return self._values[bisect_left(self._times, now - window_s) :]


class EventWindow:
    """Sliding window of events, of which only the times are kept. Not thread-safe."""

    def __init__(self) -> None:
        """Start empty."""
        self._times = array('d')
        self._limit = _STEP
        self._keep_s = LEAST_S

    def add(self, now: float) -> None:
        """Record an event at the monotonic time `now` (seconds)."""
        self._times.append(now)
        if len(self._times) >= self._limit:
            del self._times[: _too_old(self._times, now, self._keep_s)]
            self._limit = len(self._times) + _STEP

    def clear(self) -> None:
        """Forget all events."""
        self._times, self._limit = array('d'), _STEP

    def count(self, now: float, window_s: float) -> int:
        """Return the number of events in the last `window_s` seconds.

        Args:
            now: Current monotonic time in seconds.
            window_s: Length of the window in seconds, at most `LONGEST_S`.

        """
        self._keep_s = min(max(self._keep_s, window_s), LONGEST_S)
        return len(self._times) - bisect_left(self._times, now - window_s)


def _too_old(times: array[float], now: float, keep_s: float) -> int:
    """Return the number of samples at the beginning that no window needs any more."""
    return max(bisect_left(times, now - keep_s), len(times) - MAX_SAMPLES)
