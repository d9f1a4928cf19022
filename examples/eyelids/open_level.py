"""How a person's open eyes measure, and how much that measure trembles."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

#: Of the measures in the window, the one that so many lie below is taken for open eyes. People
#: who are awake have their eyes open for far more than half of the time; 0.7 is also the
#: middle of the open ones where eyes are shut for 40 % of it.
OPEN_QUANTILE = 0.7

#: Measures this far apart in seconds are compared for their noise: far enough for slow noise
#: to show, and near enough for the head to stay where it is.
NOISE_LAG_S = 0.2

# The standard deviation of a normal distribution is this many times its median absolute
# deviation.
_MAD_TO_SIGMA = 1.4826

# An estimate from few measures can be far too small: twice as much is assumed at this many.
_FEW = 20.0


@dataclass(frozen=True)
class Level:
    """What open eyes measure.

    Attributes:
        open: eye aspect ratio of open eyes, above 0.
        noise: standard deviation of a single measure, 0 and above.

    """

    open: float
    noise: float


class OpenLevel:
    """Follows the eye aspect ratio of one person's open eyes over a sliding window.

    Eyes differ between people by more than a factor of two, and with the angle of the camera,
    so that no fixed limit can tell open from shut.
    """

    def __init__(self, window_s: float = 20.0, warm_up_s: float = 1.0) -> None:
        """Start without measures.

        Args:
            window_s: length of the window in seconds, above `warm_up_s`.
            warm_up_s: seconds of measures that it takes to know anything, above 0.

        Raises:
            ValueError: out of range.

        """
        if not 0 < warm_up_s < window_s:
            raise ValueError(f'needs 0 < warm_up_s < window_s, got {warm_up_s} and {window_s}')
        self._window_s, self._warm_up_s = window_s, warm_up_s
        self._measures: deque[tuple[float, float]] = deque()

    def reset(self) -> None:
        """Forget everything."""
        self._measures.clear()

    def add(self, time_s: float, ratio: float) -> Level | None:
        """Take the next measure.

        Args:
            time_s: when, later than the one before.
            ratio: eye aspect ratio, 0 and above.

        Returns:
            The level, this measure included; None before the end of the warm-up.

        """
        self._measures.append((time_s, ratio))
        while self._measures[0][0] < time_s - self._window_s:
            self._measures.popleft()
        if time_s - self._measures[0][0] < self._warm_up_s or len(self._measures) < 5:
            return None
        measures = np.array(self._measures)
        times, ratios = measures[:, 0], measures[:, 1]
        level = float(np.quantile(ratios, OPEN_QUANTILE))
        # Differences and their median: blinks are too few in them to count.
        earlier = np.searchsorted(times, times - NOISE_LAG_S + 1e-6) - 1
        known = earlier >= 0
        noise = 0.0
        if known.any():
            changes = ratios[known] - ratios[earlier[known]]
            noise = _MAD_TO_SIGMA * float(np.median(np.abs(changes))) / 2**0.5
            noise *= 1.0 + _FEW / len(changes)
        return Level(max(level, 1e-6), noise)
