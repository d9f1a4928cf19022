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

"""One connected browser: what it looks at, and what is sent to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from typing import Any

from aiohttp import WSMsgType, web

from cfrnet_ros.apps.view.hub import Hub
from cfrnet_ros.apps.view.watch import KINDS

_log = logging.getLogger(__name__)


class Browser:
    """A WebSocket to a page.

    The page says when it has shown a picture, and only then gets the newest one. So a slow browser
    or network gets fewer pictures and never old ones, and nothing queues up for it.

    Attributes:
        node: Full name of the node that was chosen; '' before a choice.
        whole: Whether the page shows whole frames now.
        faces: Whether the page shows faces now.

    """

    def __init__(self, hub: Hub, socket: web.WebSocketResponse) -> None:
        """Start with an open socket."""
        self.node = ''
        self.whole = self.faces = False
        self._hub, self._socket = hub, socket
        self._wake = asyncio.Event()
        self._state_due = True
        self._replies: list[dict[str, Any]] = []
        self._ready = dict.fromkeys(KINDS, True)
        self._sent: dict[str, tuple[object, int]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Look whether there is something to send."""
        self._wake.set()

    def state_changed(self) -> None:
        """Send the state anew."""
        self._state_due = True
        self._wake.set()

    async def close(self) -> None:
        """Disconnect."""
        await self._socket.close()

    async def run(self) -> None:
        """Serve the page until it disconnects."""
        await self._hub.join(self)
        writer = asyncio.create_task(self._write())
        try:
            async for message in self._socket:
                if message.type != WSMsgType.TEXT:
                    break
                self._receive(message.data)
        finally:
            for task in (writer, *self._tasks):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                    await task
            await self._hub.leave(self)

    def _receive(self, text: str) -> None:
        try:
            message = json.loads(text)
            kind = message['type']
            if kind == 'shown':
                self._ready[str(message['kind'])] = True
                self._wake.set()
            elif kind == 'look':
                self.node = str(message['node'])
                self.whole, self.faces = bool(message['whole']), bool(message['faces'])
                self._hub.update_soon()
                self.state_changed()
            elif kind == 'set':
                name, value = str(message['name']), str(message['value'])
                self._start(self._set(name, value, int(message['id'])))
        except (ValueError, KeyError, TypeError) as error:
            _log.warning('a message of the page is ignored: %r', error)

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _set(self, name: str, value: str, number: int) -> None:
        watch = self._hub.watch_of(self)
        reason = 'no node is there' if watch is None else await watch.set(name, value)
        self._replies.append({'type': 'set', 'id': number, 'name': name, 'reason': reason})
        self._wake.set()

    async def _write(self) -> None:
        while not self._socket.closed:
            await self._wake.wait()
            self._wake.clear()
            while self._replies:
                await self._socket.send_json(self._replies.pop(0))
            if self._state_due:
                self._state_due = False
                await self._socket.send_json(self._hub.state_for(self))
            for kind in KINDS:
                await self._send_newest(kind)

    async def _send_newest(self, kind: str) -> None:
        watch = self._hub.watch_of(self)
        if watch is None or not self._ready[kind] or not getattr(self, kind):
            return
        number = watch.newest[kind].number
        if number == 0 or self._sent.get(kind) == (watch, number):
            return
        self._sent[kind] = (watch, number)
        try:
            number, message = await watch.message(kind)
        except Exception as error:  # A picture that is damaged must not end the page.
            _log.warning('a picture cannot be shown: %r', error)
            return
        self._sent[kind] = (watch, number)
        self._ready[kind] = False
        await self._socket.send_bytes(message)
