"""From eye aspect ratios over time to closures of the eyes: blinks, and longer ones."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from examples.eyelids.open_level import Level, OpenLevel

#: Closures up to this long in seconds are blinks. Blinks of people who are awake last
#: 0.1 to 0.4 s, longer than 0.5 s counts as a microsleep (Caffier, Erdmann, Ullsperger,
#: "Experimental evaluation of eye-blink parameters as a drowsiness measure", European
#: Journal of Applied Physiology 89, 2003; Schleicher et al., "Blinks and saccades as
#: indicators of fatigue in sleepiness warnings", Ergonomics 51, 2008).
LONGEST_BLINK_S = 0.5


#: Measures of this last stretch of time in seconds are averaged: about as long as the lids are
#: down in a blink.
AVERAGED_S = 0.2


@dataclass(frozen=True)
class Closure:
    """The eyes were shut, and are open again.

    Attributes:
        start_s: midway between the last measure of open eyes and the first of shut ones.
        end_s: midway between the last measure of shut eyes and the first of open ones.
        lowest: least eye aspect ratio in it.
        measures: how many there are in it.

    """

    start_s: float
    end_s: float
    lowest: float
    measures: int

    @property
    def duration_s(self) -> float:
        """How long the eyes were shut, in seconds."""
        return self.end_s - self.start_s

    @property
    def is_blink(self) -> bool:
        """Whether it was no longer than a blink."""
        return self.duration_s <= LONGEST_BLINK_S


@dataclass(frozen=True)
class DetectorSettings:
    """What counts as shut.

    Attributes:
        least_drop: the aspect ratio must fall below the open level by this share of it,
            0.05..0.9. A look down takes about a tenth, a blink seen by a good camera seven.
        noise_factor: and by this many standard deviations of the noise, 0..20.
        release: shut eyes are open again at this share of that drop, 0.1..1: so that noise
            at the limit does not make two blinks of one.
        longest_gap_s: without measures for longer, nothing is known of what was between.
        longest_closure_s: after this time it is not the eyes that are shut, but the face
            that measures otherwise: the level is learned anew.

    Raises:
        ValueError: a value is out of range.

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
    """Tells, measure by measure, when one person's eyes were shut.

    Two limits below the level of open eyes (a Schmitt trigger), which follow the person and
    the noise of the picture. What no single measure shows, the mean of the last few can: its
    noise is less. Uses what is past only, so it can run live.
    """

    def __init__(self, settings: DetectorSettings | None = None) -> None:
        """Start without measures, with the default settings unless told otherwise."""
        self._settings = settings or DetectorSettings()
        self._open_level = OpenLevel()
        self._last_s: float | None = None
        self._shut: _Shut | None = None
        # Time midway to the measure before, and ratio, of the last few measures.
        self._recent: deque[tuple[float, float]] = deque()
        self.level: Level | None = None

    @property
    def shut_since_s(self) -> float | None:
        """When the eyes that are shut now were shut; None while they are open."""
        return None if self._shut is None else self._shut.start_s

    def reset(self) -> None:
        """Forget everything: another person, or another time."""
        self._open_level.reset()
        self._recent.clear()
        self._last_s, self._shut, self.level = None, None, None

    def add(self, time_s: float, ratio: float) -> Closure | None:
        """Take the next measure.

        Time that stands still or runs back starts everything anew. After a gap a closure that
        had begun is given up, since nobody knows when it ended.

        Args:
            time_s: when, in seconds of any clock.
            ratio: eye aspect ratio, 0 and above.

        Returns:
            The closure that ended with this measure, if one did.

        Raises:
            ValueError: a ratio that is negative or not a finite number.

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
        """Look whether the eyes were shut by now."""
        settings = self._settings
        total = highest = 0.0
        # The latest measure alone, then the mean of two, of three and so on.
        for count, (between, ratio) in enumerate(reversed(self._recent), start=1):
            total, highest = total + ratio, max(highest, ratio)
            noise = settings.noise_factor * level.noise / count**0.5
            drop = max(settings.least_drop * level.open, noise)
            # All of them are low: one very low measure does not make its neighbours so.
            open_above = level.open - settings.release * drop
            if total / count < level.open - drop and highest <= open_above:
                lowest = min(measure for _, measure in list(self._recent)[-count:])
                return _Shut(between, open_above, lowest, count)
        return None

    def _opening(self, level: Level, shut: _Shut, between: float, ratio: float) -> Closure | None:
        """Look whether the eyes that were shut are open again."""
        if ratio <= shut.open_above:
            shut.lowest = min(shut.lowest, ratio)
            shut.measures += 1
            shut.rising_s = None
            if between - shut.start_s > self._settings.longest_closure_s:
                self.reset()
            return None
        if shut.rising_s is None:
            shut.rising_s = between
            # One measure may be noise, if it is not as high as those of open eyes.
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
