"""The thread that takes frames out of the mailbox."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Generic, TypeVar

from cfrnet_ros.node.mailbox import Mailbox

T = TypeVar('T')


class Worker(Generic[T]):
    """Calls a function with every item that it gets out of a mailbox, in a thread of its own."""

    def __init__(
        self,
        mailbox: Mailbox[T],
        handle: Callable[[T], None],
        on_crash: Callable[[T, Exception], None],
        name: str,
    ) -> None:
        """Start the thread.

        Args:
            mailbox: closing it ends the thread after the item in hand.
            handle: called with each item.
            on_crash: called with an item whose handling raised, so that one bad
                frame never ends the flow.
            name: of the thread, as debuggers and `top -H` show it.

        """
        self._mailbox = mailbox
        self._handle = handle
        self._on_crash = on_crash
        # A daemon: an engine that hangs in native code must not keep a process
        # alive that was asked to end.
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread's end after the mailbox was closed.

        Returns:
            False if it still works on an item after `timeout_s` seconds.

        """
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            item = self._mailbox.take()
            if item is None:
                return
            try:
                self._handle(item)
            except Exception as error:
                self._on_crash(item, error)
            # Not held until the next frame arrives: it may be megabytes.
            del item
