"""A mailbox with one slot: the newest item wins."""

from __future__ import annotations

from threading import Condition
from typing import Generic, TypeVar

T = TypeVar('T')


class Mailbox(Generic[T]):
    """Hands the newest item from one thread to another.

    A newer item replaces one that nobody took; the replaced one is handed back
    to the sender, so that none disappears uncounted.
    """

    def __init__(self) -> None:
        """Open an empty mailbox."""
        self._changed = Condition()
        self._item: T | None = None
        self._closed = False

    def put(self, item: T) -> T | None:
        """Leave an item; never blocks.

        Returns:
            The item that will not be taken: the one replaced, or `item` itself
            if the mailbox is closed, or None.

        """
        with self._changed:
            if self._closed:
                return item
            replaced, self._item = self._item, item
            self._changed.notify()
            return replaced

    def take(self) -> T | None:
        """Wait for an item and take it; None once the mailbox is closed."""
        with self._changed:
            while self._item is None and not self._closed:
                self._changed.wait()
            item, self._item = self._item, None
            return None if self._closed else item

    def clear(self) -> T | None:
        """Remove the waiting item and return it, None if there is none."""
        with self._changed:
            item, self._item = self._item, None
            return item

    def close(self) -> T | None:
        """Refuse further items, wake the taker, and return the item that waited."""
        with self._changed:
            self._closed = True
            item, self._item = self._item, None
            self._changed.notify_all()
            return item
