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

"""The command `cfrnet-view` in a process of its own, and what a page does with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, WSMsgType
from loop_thread import LoopThread
from node_harness import ROOT, TIMEOUT_S, wait_until

from cfrnet_ros.apps.view.packets import unpack


class Viewer:
    """The command with a home folder and temporary folder of its own, on a free port."""

    def __init__(self, folder: Path, domain: int, *arguments: str) -> None:
        for name in ('home', 'tmp', 'cwd'):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._log = folder / 'viewer.log'
        port = [] if '--port' in arguments else ['--port', '0']
        with self._log.open('wb') as log:
            self.process = subprocess.Popen(
                [sys.executable, '-m', 'cfrnet_ros.apps.view', *port, *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                cwd=folder / 'cwd',
                env={
                    **os.environ,
                    'ROS_DOMAIN_ID': str(domain),
                    'HOME': str(folder / 'home'),
                    'TMPDIR': str(folder / 'tmp'),
                    'PYTHONPATH': str(ROOT),
                },
            )  # fmt: skip

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def url(self) -> str:
        """Address of the page, with the token if there is one."""

        def find() -> str | None:
            assert self.process.poll() is None, self.log
            found = re.search(r'^cfrnet-view: (http://\S+)\n', self.log, re.M)
            return found and found[1]

        return str(wait_until(find, 'the address of the page'))

    @property
    def origin(self) -> str:
        """Scheme, address and port of the page."""
        return self.url.partition('#')[0].rstrip('/')

    def end(self) -> int:
        """Press Ctrl-C; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(TIMEOUT_S)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def kept_files(self) -> list[str]:
        """Files that the process has left in its home, temporary and working folders."""
        places = (self.folder / name for name in ('home', 'tmp', 'cwd'))
        return [str(path) for place in places for path in place.rglob('*') if path.is_file()]


class Visitor:
    """What a page does: requests, and a WebSocket that says when a picture was shown.

    Attributes:
        states: States that came, the newest last.
        replies: Answers to `set`.
        pictures: Messages with pictures: what they are, and the files.

    """

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.states: list[dict[str, Any]] = []
        self.replies: list[dict[str, Any]] = []
        self.pictures: list[tuple[dict[str, Any], list[bytes]]] = []
        self.answers = True
        self._loop = LoopThread()
        self._session = self._loop.do(self._open())
        self._socket: Any = None
        self._reader: Any = None
        # Number of states that had come when the present connection began.
        self._earlier = 0

    async def _open(self) -> ClientSession:
        from aiohttp import CookieJar

        return ClientSession(cookie_jar=CookieJar(unsafe=True))

    def close(self) -> None:
        if self._socket is not None:
            self.disconnect()
        self._loop.do(self._session.close())
        self._loop.close()

    def request(
        self, path: str, method: str = 'GET', body: str = '', **headers: str
    ) -> tuple[int, Mapping[str, str], str]:
        """Return status, headers and text of an answer."""

        async def ask() -> tuple[int, Mapping[str, str], str]:
            async with self._session.request(
                method, self.origin + path, data=body or None, headers=headers
            ) as answer:
                return answer.status, answer.headers, await answer.text()

        return self._loop.do(ask())

    def connect(self, whole: bool = True, faces: bool = True, node: str = '') -> None:
        """Open the WebSocket and look at a node."""
        self._earlier = len(self.states)

        async def open_socket() -> None:
            self._socket = await self._session.ws_connect(
                f'{self.origin}/socket', headers={'Origin': self.origin}, max_msg_size=0
            )
            self._reader = asyncio.create_task(self._read())

        self._loop.do(open_socket())
        self.look(whole, faces, node)

    def disconnect(self) -> None:
        async def close() -> None:
            await self._socket.close()
            with contextlib.suppress(asyncio.CancelledError):
                self._reader.cancel()
                await self._reader

        self._loop.do(close())
        self._socket = None

    def send(self, **message: Any) -> None:
        self._loop.do(self._socket.send_json(message))

    def look(self, whole: bool = True, faces: bool = True, node: str = '') -> None:
        self.send(type='look', node=node, whole=whole, faces=faces)

    def set(self, name: str, value: str) -> str:
        """Set a parameter; returns why it was refused, '' if it was not."""
        number = len(self.replies) + 1
        self.send(type='set', name=name, value=value, id=number)
        reply = wait_until(
            lambda: next((r for r in self.replies if r['id'] == number), None), f'answer to {name}'
        )
        return str(reply['reason'])

    def wait_for_state(self, condition: Callable[[dict[str, Any]], Any], what: str) -> Any:
        """Return the first state, of those from now on, that meets the condition."""
        start = len(self.states)
        return wait_until(lambda: next(filter(condition, self.states[start:]), None), what)

    def wait_until_connected(self) -> dict[str, Any]:
        """Return the first state of the connection, which may have come already.

        Where no node is, it is the only one.
        """
        states: list[dict[str, Any]] = wait_until(lambda: self.states[self._earlier :], 'a state')
        return states[0]

    def wait_for_picture(
        self, condition: Callable[[dict[str, Any]], Any], what: str
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Return the first message with pictures, of those from now on, that meets it."""
        start = len(self.pictures)
        found: tuple[dict[str, Any], list[bytes]] = wait_until(
            lambda: next((p for p in self.pictures[start:] if condition(p[0])), None), what
        )
        return found

    async def _read(self) -> None:
        async for message in self._socket:
            if message.type == WSMsgType.BINARY:
                about, files = unpack(message.data)
                self.pictures.append((about, files))
                if self.answers:
                    await self._socket.send_json({'type': 'shown', 'kind': about['kind']})
            elif message.type == WSMsgType.TEXT:
                found = message.json()
                (self.states if found['type'] == 'state' else self.replies).append(found)


@contextlib.contextmanager
def visiting(origin: str) -> Iterator[Visitor]:
    visitor = Visitor(origin)
    try:
        yield visitor
    finally:
        visitor.close()
