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

"""Log in which each kind of message is throttled separately."""

from __future__ import annotations

import time
from threading import Lock

from rclpy.impl.rcutils_logger import RcutilsLogger


class ThrottledLog:
    """Logs each kind of message at most every few seconds, with the number of suppressed ones.

    rclpy throttles by the line of code, so frequent messages of one kind would suppress all other
    kinds that are logged from the same line. Thread-safe.
    """

    def __init__(self, logger: RcutilsLogger, interval_s: float = 5.0) -> None:
        """Set the logger and the throttling.

        Args:
            logger: Logger that writes the messages.
            interval_s: Shortest time in seconds between two messages of the same kind.

        """
        self._logger = logger
        self._interval_s = interval_s
        self._lock = Lock()
        self._last: dict[str, float] = {}
        self._kept_back: dict[str, int] = {}

    def warn(self, kind: str, text: str, interval_s: float | None = None) -> None:
        """Log a warning, or count it as suppressed.

        Args:
            kind: Name of the kind, by which messages are throttled.
            text: Text of the message.
            interval_s: Shortest time between two warnings of this kind in seconds, None for the
                usual interval.

        """
        message = self._admit(kind, text, interval_s)
        if message is not None:
            self._logger.warning(message)

    def error(self, kind: str, text: str) -> None:
        """Log an error, or count it as suppressed.

        Args:
            kind: Name of the kind, by which messages are throttled.
            text: Text of the message.

        """
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
