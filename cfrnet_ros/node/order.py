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

"""Lets what finishes in any order be completed in the order in which it began."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class Order:
    """Numbers that are drawn one after another, and turns in the order of the numbers.

    Every number that is drawn must have its turn, or all later ones wait for ever. Thread-safe.
    """

    def __init__(self) -> None:
        """Start with no number drawn."""
        self._changed = Condition()
        self._drawn = 0
        self._over = 0

    def draw(self) -> int:
        """Return the next number."""
        with self._changed:
            number = self._drawn
            self._drawn += 1
            return number

    @contextmanager
    def turn(self, number: int) -> Iterator[None]:
        """Wait until the turns of all lower numbers are over; this one ends with the block.

        Args:
            number: Number from `draw`, used once.

        """
        with self._changed:
            while self._over != number:
                self._changed.wait()
        try:
            yield
        finally:
            with self._changed:
                self._over += 1
                self._changed.notify_all()
