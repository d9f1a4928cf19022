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

"""Worker threads that carry the items of a mailbox through three steps.

The threads are the lanes of the worker. A lane takes an item and does all three steps of it:

1. `prepare`: one lane at a time, in the order in which items are taken. The lane that leads waits
   for the next item, takes it and prepares it; then it lets another lane lead ("leader and
   followers"). So an item is taken only when a lane is free for it, and it is the newest then.
2. `restore`: beside other lanes.
3. `complete`, or `crashed` if a step raised: one lane at a time, in the order in which the items
   were taken. A lane whose item is ready too early waits.

With one lane, one thread does all of this for one item after another.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from threading import Lock, Thread
from typing import Generic, Protocol, TypeVar

from cfrnet_ros.node.order import Order

T = TypeVar('T')
T_co = TypeVar('T_co', covariant=True)
T_contra = TypeVar('T_contra', contravariant=True)
W = TypeVar('W')


class Source(Protocol[T_co]):
    """Where the items come from, such as a `Mailbox`."""

    def wait(self) -> bool:
        """Wait for an item; return False once no more will come."""

    def take(self) -> T_co | None:
        """Return the item, None if it is not there any more."""


class Steps(Protocol[T_contra, W]):
    """What is done with an item."""

    def prepare(self, item: T_contra) -> W:
        """Do the first step; returns what the others need."""

    def restore(self, work: W, lane: int) -> None:
        """Do the second step in a lane, which is counted from 0."""

    def complete(self, work: W) -> None:
        """Do the last step."""

    def crashed(self, item: T_contra, error: Exception) -> None:
        """Give up an item for which one of the steps raised an exception."""


class Worker(Generic[T, W]):
    """Lanes that take items from a source and carry them through their steps.

    Attributes:
        threads: Threads of the lanes. Each ends with its item once the source is closed.

    """

    threads: tuple[Thread, ...]

    def __init__(
        self,
        source: Source[T],
        steps: Steps[T, W],
        name: str,
        lanes: int = 1,
        turn: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Start the threads.

        Args:
            source: Source of the items.
            steps: Steps of an item. One that raises ends with `crashed`, and no other item is
                affected.
            name: Name of the first thread, as debuggers and `top -H` show it; the others have a
                number after it.
            lanes: Number of items that may be worked on at once, 1 or above.
            turn: Function that returns a context in which an item is taken and processed, such as
                `Turns.turn`. An item that arrives while the lane waits for its turn replaces the
                one that waits.

        """
        self._source = source
        self._steps = steps
        self._turn = turn
        self._lead = Lock()
        self._order = Order()
        # Daemon threads, since an engine that hangs in native code must not keep a process alive
        # that was asked to end.
        self.threads = tuple(
            Thread(
                target=self._run,
                args=(lane,),
                name=f'{name}{lane + 1}' if lane else name,
                daemon=True,
            )
            for lane in range(lanes)
        )
        for thread in self.threads:
            thread.start()

    def _run(self, lane: int) -> None:
        while self._process_next(lane):
            pass

    def _process_next(self, lane: int) -> bool:
        """Carry the next item through its steps; return False once no more will come.

        The item is freed when this returns, since it may take megabytes while the next one is
        awaited.
        """
        with ExitStack() as turn:
            with self._lead:
                if not self._source.wait():
                    return False
                turn.enter_context(self._turn())
                item = self._source.take()
                if item is None:
                    # Another thread has taken it back while this one waited for its turn.
                    return True
                number = self._order.draw()
                work = self._prepared(item)
            if not isinstance(work, Exception):
                work = self._restored(work, lane)
            with self._order.turn(number):
                error = work if isinstance(work, Exception) else self._completed(work)
                if error is not None:
                    self._steps.crashed(item, error)
        return True

    # An error is returned and raised no further, since each item must have its turn in the order.

    def _prepared(self, item: T) -> W | Exception:
        try:
            return self._steps.prepare(item)
        except Exception as error:
            return error

    def _restored(self, work: W, lane: int) -> W | Exception:
        try:
            self._steps.restore(work, lane)
        except Exception as error:
            return error
        return work

    def _completed(self, work: W) -> Exception | None:
        try:
            self._steps.complete(work)
        except Exception as error:
            return error
        return None
