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

"""A mailbox with one slot, which always contains the newest item."""

from __future__ import annotations

from threading import Condition
from typing import Generic, TypeVar

T = TypeVar('T')


class Mailbox(Generic[T]):
    """Hands the newest item from one thread to another.

    A newer item replaces an item that has not been taken yet. The replaced item is returned to
    the sender, so that every item can be counted.
    """

    def __init__(self) -> None:
        """Create an empty, open mailbox."""
        self._changed = Condition()
        self._item: T | None = None
        self._closed = False

    def put(self, item: T) -> T | None:
        """Put an item into the mailbox; this never blocks.

        Args:
            item: Item for the receiver.

        Returns:
            Item that will never be taken: the replaced item, or `item` itself if the mailbox is
            closed; None if there is no such item.

        """
        with self._changed:
            if self._closed:
                return item
            replaced, self._item = self._item, item
            self._changed.notify()
            return replaced

    def wait(self) -> bool:
        """Wait for an item, which stays in the mailbox; return False once it is closed."""
        with self._changed:
            while self._item is None and not self._closed:
                self._changed.wait()
            return not self._closed

    def take(self) -> T | None:
        """Remove the waiting item and return it; return None if there is none."""
        with self._changed:
            item, self._item = self._item, None
            return item

    def close(self) -> T | None:
        """Refuse further items, wake up `take`, and return the item that waited, if any."""
        with self._changed:
            self._closed = True
            item, self._item = self._item, None
            self._changed.notify_all()
            return item
