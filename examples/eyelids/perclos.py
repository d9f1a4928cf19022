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

"""Computes PERCLOS: the share of time in which the eyes are at least 80 % closed."""

from __future__ import annotations

from collections import deque

#: Openness at or below which eyes count as closed: the measure P80 that `Perclos` describes.
CLOSED_OPENNESS = 0.2


class Perclos:
    """PERCLOS P80 over a sliding window.

    Source: Wierwille et al., "Research on vehicle-based driver status/performance monitoring",
    DOT HS 808 247, 1994; validated by Dinges and Grace, "PERCLOS: a valid psychophysiological
    measure of alertness as assessed by psychomotor vigilance", FHWA-MCRT-98-006, 1998. Usual
    windows are 1 to 3 minutes long.
    """

    def __init__(self, window_s: float = 60.0, longest_gap_s: float = 0.5) -> None:
        """Start without measurements.

        Args:
            window_s: Length of the window in seconds, above 0.
            longest_gap_s: Longest time in seconds from a measurement to the next, above 0. A
                measurement counts for the time until the next one if that comes no later; otherwise
                it counts for no time at all.

        Raises:
            ValueError: A value is out of range.

        """
        if window_s <= 0 or longest_gap_s <= 0:
            raise ValueError(f'both times must be above 0, got {window_s} and {longest_gap_s}')
        self._window_s, self._longest_gap_s = window_s, longest_gap_s
        # Start, end, and whether the eyes were closed.
        self._spans: deque[tuple[float, float, bool]] = deque()
        self._last: tuple[float, bool] | None = None

    def reset(self) -> None:
        """Forget everything, for another person or after a jump in time."""
        self._spans.clear()
        self._last = None

    def add(self, time_s: float, openness: float) -> None:
        """Add the next measurement.

        Args:
            time_s: Time of the measurement, in seconds of any clock; everything starts anew if it
                does not advance.
            openness: Openness, from 0 for shut eyes to 1 for open ones.

        """
        if self._last is not None and time_s <= self._last[0]:
            self.reset()
        if self._last is not None and time_s - self._last[0] <= self._longest_gap_s:
            self._spans.append((self._last[0], time_s, self._last[1]))
        self._last = (time_s, openness <= CLOSED_OPENNESS)
        while self._spans and self._spans[0][1] <= time_s - self._window_s:
            self._spans.popleft()

    @property
    def observed_s(self) -> float:
        """Part of the window that has measurements, in seconds, 0..window."""
        return self._seconds(closed_only=False)

    @property
    def value(self) -> float | None:
        """Share of the observed time with closed eyes, 0..1; None if no time was observed."""
        observed = self.observed_s
        return self._seconds(closed_only=True) / observed if observed > 0 else None

    def _seconds(self, *, closed_only: bool) -> float:
        if self._last is None:
            return 0.0
        begin = self._last[0] - self._window_s
        return sum(
            end - max(start, begin)
            for start, end, closed in self._spans
            if closed or not closed_only
        )
