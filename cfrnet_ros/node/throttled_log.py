"""Warnings that cannot flood the log, each kind throttled on its own."""

from __future__ import annotations

import time
from threading import Lock

from rclpy.impl.rcutils_logger import RcutilsLogger


class ThrottledLog:
    """Logs a kind of message at most every few seconds and tells how many it kept back.

    rclpy throttles by the place in the code, so a stream of one kind would
    silence all others that are logged from the same line. Thread-safe.
    """

    def __init__(self, logger: RcutilsLogger, interval_s: float = 5.0) -> None:
        """Log to `logger`, each kind at most once in `interval_s` seconds."""
        self._logger = logger
        self._interval_s = interval_s
        self._lock = Lock()
        self._last: dict[str, float] = {}
        self._kept_back: dict[str, int] = {}

    def warn(self, kind: str, text: str, interval_s: float | None = None) -> None:
        """Log a warning, or count it for the next of its kind.

        Args:
            kind: Name that warnings of one kind share.
            text: Text of the warning.
            interval_s: Seconds between two warnings of this kind, None for the usual ones.

        """
        message = self._admit(kind, text, interval_s)
        if message is not None:
            self._logger.warning(message)

    def error(self, kind: str, text: str) -> None:
        """Log an error, or count it for the next of its kind."""
        message = self._admit(kind, text)
        if message is not None:
            self._logger.error(message)

    def _admit(self, kind: str, text: str, interval_s: float | None = None) -> str | None:
        with self._lock:
            now = time.monotonic()
            last = self._last.get(kind)
            if last is not None and now - last < (interval_s or self._interval_s):
                self._kept_back[kind] = self._kept_back.get(kind, 0) + 1
                return None
            self._last[kind] = now
            more = self._kept_back.pop(kind, 0)
            return f'{text} [{more} more like this since the last message]' if more else text
