"""PERCLOS: the share of time that the eyes are at least 80 % closed."""

from __future__ import annotations

from collections import deque

#: Eyes are closed at or below this openness: the measure P80, see `Perclos`.
CLOSED_OPENNESS = 0.2


class Perclos:
    """PERCLOS P80 over a sliding window.

    Wierwille et al., "Research on vehicle-based driver status/performance monitoring",
    DOT HS 808 247, 1994; validated by Dinges and Grace, "PERCLOS: a valid psychophysiological
    measure of alertness as assessed by psychomotor vigilance", FHWA-MCRT-98-006, 1998. Usual
    windows are of 1 to 3 minutes.
    """

    def __init__(self, window_s: float = 60.0, longest_gap_s: float = 0.5) -> None:
        """Start without measures.

        Args:
            window_s: length of the window in seconds, above 0.
            longest_gap_s: a measure stands for the time up to the next one, if that comes no
                later than this many seconds after it; otherwise for none. Above 0.

        Raises:
            ValueError: out of range.

        """
        if window_s <= 0 or longest_gap_s <= 0:
            raise ValueError(f'needs times above 0, got {window_s} and {longest_gap_s}')
        self._window_s, self._longest_gap_s = window_s, longest_gap_s
        # Start, end, closed.
        self._spans: deque[tuple[float, float, bool]] = deque()
        self._last: tuple[float, bool] | None = None

    def reset(self) -> None:
        """Forget everything: another person, or another time."""
        self._spans.clear()
        self._last = None

    def add(self, time_s: float, openness: float) -> None:
        """Take the next measure.

        Args:
            time_s: when, in seconds of any clock; time that stands still or runs back starts
                everything anew.
            openness: 1 for open eyes, 0 for shut ones.

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
        """Seconds of the window that there are measures of, 0..window."""
        return self._seconds(closed_only=False)

    @property
    def value(self) -> float | None:
        """Share of the observed time with closed eyes, 0..1; None where nothing was observed."""
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
