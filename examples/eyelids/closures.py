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

"""Detects closures of the eyes (blinks and longer ones) in eye aspect ratios over time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from examples.eyelids.open_level import Level, OpenLevel

#: Longest blink in seconds. Blinks of people who are awake last 0.1 to 0.4 s; a closure of more
#: than 0.5 s counts as a microsleep (Caffier, Erdmann, Ullsperger, "Experimental evaluation of
#: eye-blink parameters as a drowsiness measure", European Journal of Applied Physiology 89, 2003;
#: Schleicher et al., "Blinks and saccades as indicators of fatigue in sleepiness warnings",
#: Ergonomics 51, 2008).
LONGEST_BLINK_S = 0.5


#: Length in seconds of the period over which measurements are averaged: about as long as the
#: lids are down in a blink.
AVERAGED_S = 0.2


@dataclass(frozen=True)
class Closure:
    """A completed closure: the eyes were shut and are open again.

    Attributes:
        start_s: Time midway between the last measurement of open eyes and the first of shut ones.
        end_s: Time midway between the last measurement of shut eyes and the first of open ones.
        lowest: Lowest eye aspect ratio during the closure.
        measures: Number of measurements during the closure.

    """

    start_s: float
    end_s: float
    lowest: float
    measures: int

    @property
    def duration_s(self) -> float:
        """Duration of the closure in seconds."""
        return self.end_s - self.start_s

    @property
    def is_blink(self) -> bool:
        """Whether the closure was no longer than a blink."""
        return self.duration_s <= LONGEST_BLINK_S


@dataclass(frozen=True)
class DetectorSettings:
    """Settings that decide when eyes count as shut.

    Attributes:
        least_drop: Share of the open level by which the aspect ratio must fall below it, 0.05..0.9.
            A glance down takes about 0.1, a blink that a good camera sees takes 0.7.
        noise_factor: Number of standard deviations of the noise by which it must fall, too, 0..20.
        release: Share of that drop at which shut eyes count as open again, 0.1..1; below 1, so
            that noise at the limit does not split one blink into two.
        longest_gap_s: Longest time without measurements in seconds; after a longer one nothing is
            known about the time in between.
        longest_closure_s: Longest closure in seconds. After that time the face is assumed to
            measure differently instead of having its eyes shut, and the level is learned anew.

    Raises:
        ValueError: A value is out of range.

    """

    least_drop: float = 0.2
    noise_factor: float = 4.0
    release: float = 0.6
    longest_gap_s: float = 0.5
    longest_closure_s: float = 20.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, low, high in (
            ('least_drop', 0.05, 0.9),
            ('noise_factor', 0.0, 20.0),
            ('release', 0.1, 1.0),
            ('longest_gap_s', 0.01, 10.0),
            ('longest_closure_s', 1.0, 600.0),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f'{name} must be from {low} to {high}, got {value}')


class ClosureDetector:
    """Detects, measurement by measurement, when one person's eyes were shut.

    The detector has two limits below the level of open eyes (a Schmitt trigger), which adapt to
    the person and to the noise of the picture. A drop that no single measurement shows can show
    in the mean of the last few, which has less noise. Only past measurements are used, so the
    detector can run live.
    """

    def __init__(self, settings: DetectorSettings | None = None) -> None:
        """Start without measurements; the settings default to `DetectorSettings()`."""
        self._settings = settings or DetectorSettings()
        self._open_level = OpenLevel()
        self._last_s: float | None = None
        self._shut: _Shut | None = None
        # Ratio of each of the last few measurements, and the time midway to the one before.
        self._recent: deque[tuple[float, float]] = deque()
        self.level: Level | None = None

    @property
    def shut_since_s(self) -> float | None:
        """Time since when the eyes have been shut; None while they are open."""
        return None if self._shut is None else self._shut.start_s

    def reset(self) -> None:
        """Forget everything, for another person or after a jump in time."""
        self._open_level.reset()
        self._recent.clear()
        self._last_s, self._shut, self.level = None, None, None

    def add(self, time_s: float, ratio: float) -> Closure | None:
        """Add the next measurement.

        If the time does not advance, everything starts anew. A closure that had begun before a gap
        is dropped, because the time of its end is unknown.

        Args:
            time_s: Time of the measurement, in seconds of any clock.
            ratio: Eye aspect ratio, 0 or above.

        Returns:
            Closure that ended with this measurement, or None.

        Raises:
            ValueError: The ratio is negative or not a finite number.

        """
        if not 0 <= ratio < float('inf'):
            raise ValueError(f'an eye aspect ratio is 0 or above, got {ratio}')
        settings = self._settings
        last_s = self._last_s
        if last_s is not None and time_s <= last_s:
            self.reset()
            last_s = None
        if last_s is not None and time_s - last_s > settings.longest_gap_s:
            self._shut, last_s = None, None
            self._recent.clear()
        self._last_s = time_s
        self.level = self._open_level.add(time_s, ratio)
        if self.level is None:
            return None
        between = time_s if last_s is None else (last_s + time_s) / 2
        self._recent.append((between, ratio))
        while self._recent[0][0] < between - AVERAGED_S:
            self._recent.popleft()
        if self._shut is None:
            self._shut = self._closing(self.level)
            return None
        return self._opening(self.level, self._shut, between, ratio)

    def _closing(self, level: Level) -> _Shut | None:
        """Return the closure that has begun by now, if there is one."""
        settings = self._settings
        total = highest = 0.0
        # The latest measurement alone, then the mean of the last two, three and so on.
        for count, (between, ratio) in enumerate(reversed(self._recent), start=1):
            total, highest = total + ratio, max(highest, ratio)
            noise = settings.noise_factor * level.noise / count**0.5
            drop = max(settings.least_drop * level.open, noise)
            # Every one of them must be low: one very low value must not include its neighbours.
            open_above = level.open - settings.release * drop
            if total / count < level.open - drop and highest <= open_above:
                lowest = min(measure for _, measure in list(self._recent)[-count:])
                return _Shut(between, open_above, lowest, count)
        return None

    def _opening(self, level: Level, shut: _Shut, between: float, ratio: float) -> Closure | None:
        """Return the closure that has ended by now, if the shut eyes are open again."""
        if ratio <= shut.open_above:
            shut.lowest = min(shut.lowest, ratio)
            shut.measures += 1
            shut.rising_s = None
            if between - shut.start_s > self._settings.longest_closure_s:
                self.reset()
            return None
        if shut.rising_s is None:
            shut.rising_s = between
            # A single measurement below those of open eyes may be noise.
            if ratio < level.open - level.noise:
                return None
        self._shut = None
        self._recent.clear()
        return Closure(shut.start_s, shut.rising_s, shut.lowest, shut.measures)


@dataclass
class _Shut:
    start_s: float
    open_above: float
    lowest: float
    measures: int
    rising_s: float | None = None
