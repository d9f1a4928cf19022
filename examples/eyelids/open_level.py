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

"""Estimates the eye aspect ratio of a person's open eyes, and the noise of that measurement."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

#: Quantile of the measurements in the window that is taken for open eyes. People who are awake
#: have their eyes open for far more than half of the time; 0.7 is also the middle of the open ones
#: if eyes are shut for 40 % of it.
OPEN_QUANTILE = 0.7

#: Distance in seconds of the measurements that are compared to estimate the noise: far enough for
#: slow noise to show, and near enough for the head to stay in its place.
NOISE_LAG_S = 0.2

# Ratio of the standard deviation of a normal distribution to its median absolute deviation.
_MAD_TO_SIGMA = 1.4826

# An estimate from few measurements can be far too small: at this number it is doubled.
_FEW = 20.0


@dataclass(frozen=True)
class Level:
    """Level of open eyes.

    Attributes:
        open: Eye aspect ratio of open eyes, above 0.
        noise: Standard deviation of a single measurement, 0 or above.

    """

    open: float
    noise: float


class OpenLevel:
    """Follows the eye aspect ratio of one person's open eyes over a sliding window.

    Eyes differ between people by more than a factor of two, and with the angle of the camera,
    so a fixed limit cannot separate open from shut eyes.
    """

    def __init__(self, window_s: float = 20.0, warm_up_s: float = 1.0) -> None:
        """Start without measurements.

        Args:
            window_s: Length of the window in seconds, above `warm_up_s`.
            warm_up_s: Length of the warm-up in seconds, above 0; until its end the level is
                unknown.

        Raises:
            ValueError: A value is out of range.

        """
        if not 0 < warm_up_s < window_s:
            raise ValueError(f'expected 0 < warm_up_s < window_s, got {warm_up_s} and {window_s}')
        self._window_s, self._warm_up_s = window_s, warm_up_s
        self._measures: deque[tuple[float, float]] = deque()

    def reset(self) -> None:
        """Forget everything."""
        self._measures.clear()

    def add(self, time_s: float, ratio: float) -> Level | None:
        """Add the next measurement.

        Args:
            time_s: Time of the measurement, later than that of the previous one.
            ratio: Eye aspect ratio, 0 or above.

        Returns:
            Level including this measurement; None before the end of the warm-up.

        """
        self._measures.append((time_s, ratio))
        while self._measures[0][0] < time_s - self._window_s:
            self._measures.popleft()
        if time_s - self._measures[0][0] < self._warm_up_s or len(self._measures) < 5:
            return None
        measures = np.array(self._measures)
        times, ratios = measures[:, 0], measures[:, 1]
        level = float(np.quantile(ratios, OPEN_QUANTILE))
        # The median of differences ignores blinks, because few differences contain one.
        earlier = np.searchsorted(times, times - NOISE_LAG_S + 1e-6) - 1
        known = earlier >= 0
        noise = 0.0
        if known.any():
            changes = ratios[known] - ratios[earlier[known]]
            noise = _MAD_TO_SIGMA * float(np.median(np.abs(changes))) / 2**0.5
            noise *= 1.0 + _FEW / len(changes)
        return Level(max(level, 1e-6), noise)
