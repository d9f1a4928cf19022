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

"""One node that browsers look at: its newest pictures and its parameters."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from cfrnet_ros.apps.view.frame_source import FrameSource, Wanted
from cfrnet_ros.apps.view.parameters import Parameters
from cfrnet_ros.apps.view.pictures import PictureMaker
from cfrnet_ros.apps.view.ros_thread import RosThread

#: Kinds of messages with pictures.
WHOLE, FACES = KINDS = ('whole', 'faces')
#: Time in seconds between two readings of the parameters.
PERIOD_S = 1.0


class Newest:
    """The newest parts of one kind, and the message that was made of them.

    Attributes:
        number: Number of the parts, counted from 1; 0 while there are none.

    """

    def __init__(self) -> None:
        """Start without parts."""
        self.number = 0
        self._parts: Any = None
        self._made = 0
        self._message = b''
        self._lock = asyncio.Lock()

    def put(self, parts: Any) -> None:
        """Replace the parts."""
        self._parts = parts
        self.number += 1

    async def message(self, make: Callable[[Any], Any]) -> tuple[int, bytes]:
        """Return the number of the newest parts and their message, made once for all browsers."""
        async with self._lock:
            if self._made != self.number:
                number, parts = self.number, self._parts
                self._message = await make(parts)
                self._made = number
            return self._made, self._message


class Watch:
    """Follows a node while at least one browser looks at it."""

    def __init__(
        self, ros: RosThread, name: str, workers: Executor, changed: Callable[[], None],
        pictures: Callable[[], None],
    ) -> None:  # fmt: skip
        """Start to read the parameters.

        Args:
            ros: ROS side of this process.
            name: Full name of the node.
            workers: Threads that encode pictures.
            changed: Called when parameters have changed.
            pictures: Called when there are new pictures.

        """
        self.name = name
        self.newest = {kind: Newest() for kind in KINDS}
        self.parameters = Parameters(ros, name)
        self._ros, self._workers = ros, workers
        self._changed, self._pictures = changed, pictures
        self._maker = PictureMaker()
        self._encoding = asyncio.Lock()
        self._source = FrameSource(ros, name, self._put(WHOLE), self._put(FACES))
        self._read_now: asyncio.Future[None] = ros.loop.create_future()
        self._reader = asyncio.create_task(self._read())

    async def want(self, wanted: Wanted) -> None:
        """Subscribe to what is wanted, and to nothing else."""
        await self._ros.run(lambda: self._source.want(wanted))

    async def set(self, name: str, text: str) -> str:
        """Set a parameter, see `Parameters.set`; the values are read again at once."""
        reason = await self.parameters.set(name, text)
        if not self._read_now.done():
            self._read_now.set_result(None)
        return reason

    async def message(self, kind: str) -> tuple[int, bytes]:
        """Return the number and the bytes of the newest message of a kind."""
        make = self._maker.whole if kind == WHOLE else self._maker.faces

        async def encode(parts: Any) -> bytes:
            # One at a time: the two kinds share the decoded frame.
            async with self._encoding:
                loop = asyncio.get_running_loop()
                quality = self.parameters.quality
                return await loop.run_in_executor(self._workers, make, parts, quality)

        return await self.newest[kind].message(encode)

    async def close(self) -> None:
        """End all subscriptions and clients."""
        self._reader.cancel()
        await asyncio.wait([self._reader])
        await self.want(Wanted())
        await self._ros.forget_clients(f'{self.name}/')

    def _put(self, kind: str) -> Callable[[Any], None]:
        def put(parts: Any) -> None:
            self.newest[kind].put(parts)
            self._pictures()

        return put

    async def _read(self) -> None:
        while True:
            if await self.parameters.read():
                self._changed()
            await asyncio.wait([self._read_now], timeout=PERIOD_S)
            self._read_now = self._ros.loop.create_future()
