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

"""Measures one person's openness, blinks and PERCLOS from one eye aspect ratio per frame."""

from __future__ import annotations

import statistics
from collections import deque
from dataclasses import dataclass

from examples.eyelids.closures import Closure, ClosureDetector, DetectorSettings
from examples.eyelids.perclos import Perclos

#: Eye aspect ratio of shut eyes as a share of that of open ones, before the first blink was seen:
#: 0.28 on the undamaged portrait of the demo.
SHUT_RATIO = 0.3

# Number of blinks from which the level of shut eyes is learned: recent ones, to follow the light.
_LEARNED_FROM = 15


# Time in seconds over which the rate is measured, and the least number of measurements for it.
_RATE_OVER_S, _RATE_FROM = 5.0, 4


@dataclass(frozen=True)
class EyelidReading:
    """State of one person's eyes after a frame.

    Attributes:
        ratio: Eye aspect ratio of this frame.
        openness: Openness from 0 for shut eyes to 1 for this person's open ones; None during the
            warm-up.
        shut_for_s: Time in seconds for which the eyes have been shut by now, 0 while they are open.
        closure: Closure that ended with this frame, or None.
        blinks: Number of blinks since the person was first seen.
        long_closures: Number of closures longer than a blink since then.
        blinks_per_minute: Blink rate over the window's observed time; None before 10 s of it.
        perclos: PERCLOS, 0..1, over the window's observed time; None during the warm-up.
        observed_s: Part of the window, in seconds, that has measurements.
        rate_hz: Measurements per second over the last 5 s; None before the fourth.

    """

    ratio: float
    openness: float | None
    shut_for_s: float
    closure: Closure | None
    blinks: int
    long_closures: int
    blinks_per_minute: float | None
    perclos: float | None
    observed_s: float
    rate_hz: float | None = None


class EyelidMonitor:
    """Follows the eyelids of one person.

    PERCLOS depends on when eyes are 80 % closed, and the ratio of shut eyes depends on the
    picture: the more it is blurred, the less shut eyes differ from open ones. Blinks are
    complete closures with few exceptions, so the level of shut eyes is learned from the
    person's own blinks: from their lowest measurements, corrected for the effect of noise on
    the lowest of several (Blom, "Statistical estimates and transformed beta-variables", 1958).
    """

    def __init__(self, settings: DetectorSettings | None = None, window_s: float = 60.0) -> None:
        """Start without measurements.

        Args:
            settings: Settings of the detector of closures.
            window_s: Window for PERCLOS and the blink rate, in seconds above 0.

        Raises:
            ValueError: A value is out of range.

        """
        settings = settings or DetectorSettings()
        self._detector = ClosureDetector(settings)
        self._perclos = Perclos(window_s, settings.longest_gap_s)
        self._window_s = window_s
        self._last_s: float | None = None
        self._forget()

    def _forget(self) -> None:
        self._blink_ends: deque[float] = deque()
        # Without a median, noise would lift every other frame of a long closure above the limit.
        self._last_ones: deque[float] = deque(maxlen=3)
        self._shut_ratios: deque[float] = deque(maxlen=_LEARNED_FROM)
        self._times: deque[float] = deque()
        self._blinks = self._long_closures = 0

    def add(self, time_s: float, ratio: float) -> EyelidReading:
        """Add the measurement of the next frame.

        Args:
            time_s: Time of the frame, in seconds of any clock; everything starts anew if it does
                not advance.
            ratio: Eye aspect ratio, as `eye_landmarks.eye_aspect_ratio` computes it.

        Returns:
            State of the eyes after this frame.

        Raises:
            ValueError: The ratio is negative or not a finite number.

        """
        if self._last_s is not None and time_s <= self._last_s:
            self._perclos.reset()
            self._forget()
        self._last_s = time_s
        self._times.append(time_s)
        while self._times[0] < time_s - _RATE_OVER_S:
            self._times.popleft()
        closure = self._detector.add(time_s, ratio)
        openness = self._openness(ratio)
        if openness is not None:
            self._last_ones.append(openness)
            self._perclos.add(time_s, statistics.median(self._last_ones))
        if closure is not None:
            self._count(closure)
        while self._blink_ends and self._blink_ends[0] <= time_s - self._window_s:
            self._blink_ends.popleft()
        observed = self._perclos.observed_s
        since = self._detector.shut_since_s
        return EyelidReading(
            ratio=ratio,
            openness=openness,
            shut_for_s=0.0 if since is None else time_s - since,
            closure=closure,
            blinks=self._blinks,
            long_closures=self._long_closures,
            blinks_per_minute=60 * len(self._blink_ends) / observed if observed >= 10 else None,
            perclos=self._perclos.value,
            observed_s=observed,
            rate_hz=self._rate_hz(),
        )

    def _rate_hz(self) -> float | None:
        steps, passed = len(self._times) - 1, self._times[-1] - self._times[0]
        return steps / passed if steps + 1 >= _RATE_FROM and passed > 0 else None

    def _count(self, closure: Closure) -> None:
        level = self._detector.level
        if level is not None:
            # The lowest of several noisy measurements is below their true level.
            rank = (closure.measures - 0.375) / (closure.measures + 0.25)
            bias = max(statistics.NormalDist().inv_cdf(rank), 0.0)
            shut = (closure.lowest + bias * level.noise) / level.open
            self._shut_ratios.append(min(shut, 1.0))
        if closure.is_blink:
            self._blinks += 1
            self._blink_ends.append(closure.end_s)
        else:
            self._long_closures += 1

    def _openness(self, ratio: float) -> float | None:
        level = self._detector.level
        if level is None:
            return None
        # The median, and a margin below 1, keep a single shallow false closure from making open
        # eyes count as shut.
        shut = min(statistics.median(self._shut_ratios or [SHUT_RATIO]), 0.85)
        return min(max((ratio / level.open - shut) / (1.0 - shut), 0.0), 1.0)
