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

"""Worker thread that processes the items of a mailbox."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from threading import Thread
from typing import Generic, TypeVar

from cfrnet_ros.node.mailbox import Mailbox

T = TypeVar('T')


class Worker(Generic[T]):
    """Calls a function with every item that it takes from a mailbox, in a thread of its own.

    Attributes:
        thread: Thread in which the function is called. It ends once the mailbox is closed.

    """

    def __init__(
        self,
        mailbox: Mailbox[T],
        handle: Callable[[T], None],
        on_crash: Callable[[T, Exception], None],
        name: str,
        turn: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Start the thread.

        Args:
            mailbox: Mailbox of the items. After it is closed, the thread ends with its current
                item.
            handle: Function that is called with each item.
            on_crash: Function that is called with an item and the exception that `handle` raised
                for it, so that one bad item never ends the thread.
            name: Name of the thread, as debuggers and `top -H` show it.
            turn: Function that returns a context in which an item is taken and processed, such as
                `Turns.turn`. An item that arrives while the thread waits for its turn replaces the
                one that waits.

        """
        self._mailbox = mailbox
        self._handle = handle
        self._on_crash = on_crash
        self._turn = turn
        # A daemon thread, since an engine that hangs in native code must not keep a process alive
        # that was asked to end.
        self.thread = Thread(target=self._run, name=name, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        while self._mailbox.wait():
            with self._turn():
                item = self._mailbox.take()
                # Another thread may have taken it back while this one waited for its turn.
                if item is not None:
                    try:
                        self._handle(item)
                    except Exception as error:
                        self._on_crash(item, error)
            # The item is freed before the next one arrives, since it may take megabytes.
            del item
