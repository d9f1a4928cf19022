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

"""Turns of several cameras at the engine that they share."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

#: Time in seconds after which a turn does not hold up the others any more. It is far above the
#: time of a frame: only an engine that hangs in native code takes so long.
PATIENCE_S = 10.0


class Turns:
    """Lets a limited number of cameras work at once, in the order in which they asked.

    Each camera asks for one frame at a time and asks again behind all others, so that no camera
    gets two turns while another one waits, however many frames it receives. Thread-safe.

    Attributes:
        at_once: Number of turns that may be taken at once.

    """

    at_once: int

    def __init__(self, at_once: int, patience_s: float = PATIENCE_S) -> None:
        """Create the turns.

        Args:
            at_once: Number of turns that may be taken at once, 1 or above.
            patience_s: Time in seconds after which a turn that has not ended stops counting, so
                that a camera whose engine hangs does not stop the others.

        """
        if at_once < 1:
            raise ValueError(f'at_once must be 1 or above, got {at_once}')
        self.at_once = at_once
        self._patience_s = patience_s
        self._changed = Condition()
        self._waiting: deque[object] = deque()
        self._since: dict[object, float] = {}

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn, and end it with the block."""
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            while self._waiting[0] is not ticket or self._taken() >= self.at_once:
                # Nobody notifies when a turn becomes too old.
                self._changed.wait(self._patience_s / 10 if self._since else None)
            self._waiting.popleft()
            self._since[ticket] = time.monotonic()
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                del self._since[ticket]
                self._changed.notify_all()

    def _taken(self) -> int:
        oldest = time.monotonic() - self._patience_s
        return sum(since > oldest for since in self._since.values())
