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

"""A headless Chromium, driven over its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, WSMsgType
from loop_thread import LoopThread

#: Names of the executable in Debian, Ubuntu and elsewhere.
NAMES = (
    'chromium-headless-shell', 'chrome-headless-shell', 'chromium', 'chromium-browser',
    'google-chrome',
)  # fmt: skip
EXECUTABLE = next((path for path in map(shutil.which, NAMES) if path), None)
TIMEOUT_S = 60.0

needs_chromium = pytest.mark.skipif(
    EXECUTABLE is None,
    reason='no Chromium here; Debian and Ubuntu: apt-get install chromium',
)


class Page:
    """A browser with one page; to be closed in the end.

    Attributes:
        problems: Errors that the page wrote to the console, and exceptions in it.

    """

    def __init__(self, folder: Path, names: str = '') -> None:
        """Start the browser with an empty profile in a folder.

        Args:
            folder: Folder for the profile.
            names: Rules for names, such as 'MAP evil.example 127.0.0.1'.

        """
        self.problems: list[str] = []
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._thread = LoopThread()
        profile = folder / 'chromium'
        assert EXECUTABLE is not None
        self._process = subprocess.Popen(
            [
                EXECUTABLE, '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic',
                '--no-first-run', '--disable-background-networking', '--disable-component-update',
                '--disable-sync', '--disable-dev-shm-usage', '--remote-debugging-port=0',
                f'--user-data-dir={profile}', f'--host-resolver-rules={names}', 'about:blank',
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            port = self._port(profile / 'DevToolsActivePort')
            self._thread.do(self._connect(port))
        except BaseException:
            self._kill()
            raise

    def close(self) -> None:
        """End the browser."""
        self._kill()
        self._thread.do(self._session.close())
        self._thread.close()

    def _kill(self) -> None:
        # Debian's executable is a script that starts the browser, which starts several processes.
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    # -- what tests do

    def open(self, url: str) -> None:
        """Load a page."""
        answer = self.call('Page.navigate', url=url)
        assert 'errorText' not in answer, f'{url}: {answer["errorText"]}'
        self.wait('document.readyState === "complete"', f'{url} is loaded')

    def look(self, width: int, height: int, dark: bool = False, touch: bool = False) -> None:
        """Choose the size of the window in CSS pixels, and the preferred colours."""
        self.call(
            'Emulation.setDeviceMetricsOverride', width=width, height=height,
            deviceScaleFactor=1, mobile=touch,
        )  # fmt: skip
        scheme = {'name': 'prefers-color-scheme', 'value': 'dark' if dark else 'light'}
        self.call('Emulation.setEmulatedMedia', features=[scheme])

    def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression; promises are awaited."""
        answer = self.call(
            'Runtime.evaluate', expression=script, awaitPromise=True, returnByValue=True
        )
        assert 'exceptionDetails' not in answer, answer['exceptionDetails']
        return answer['result'].get('value')

    def text(self, selector: str) -> str:
        """Return the visible text of an element, '' if there is none or it is hidden."""
        found = f'document.querySelector({json.dumps(selector)})'
        return str(self.run(f'{found}?.checkVisibility() ? {found}.innerText : ""'))

    def wait(self, script: str, what: str) -> None:
        """Wait until a JavaScript expression is true; fail with `what`."""
        deadline = time.monotonic() + TIMEOUT_S
        # An element, for one, is no value that could be returned.
        while not self.run(f'Boolean({script})'):
            if time.monotonic() > deadline:
                raise AssertionError(f'the page did not reach: {what}; {self.text("body")[:2000]}')
            time.sleep(0.05)

    def type_into(self, selector: str, text: str) -> None:
        """Replace the text of an input as a user does, and press Enter."""
        self.run(f'document.querySelector({json.dumps(selector)}).select()')
        self.call('Input.insertText', text=text)
        for kind in ('keyDown', 'keyUp'):
            self.call('Input.dispatchKeyEvent', type=kind, key='Enter', code='Enter', text='\r',
                      windowsVirtualKeyCode=13)  # fmt: skip

    def press(self, selector: str, key: str, code: int) -> None:
        """Focus an element and press a key, by its name and number in the DOM."""
        self.run(f'document.querySelector({json.dumps(selector)}).focus()')
        for kind in ('keyDown', 'keyUp'):
            self.call('Input.dispatchKeyEvent', type=kind, key=key, code=key,
                      windowsVirtualKeyCode=code)  # fmt: skip

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Press the mouse at a place, move it and release it; in CSS pixels of the window."""
        for kind, (x, y) in (
            ('mousePressed', start), ('mouseMoved', end), ('mouseReleased', end),
        ):  # fmt: skip
            self.call('Input.dispatchMouseEvent', type=kind, x=x, y=y, button='left', buttons=1,
                      clickCount=1)  # fmt: skip

    def screenshot(self, path: Path, whole: bool = False) -> None:
        """Write what is seen, or with `whole` all of the page, as PNG."""
        answer = self.call('Page.captureScreenshot', captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(answer['data']))

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol."""
        return self._thread.do(self._call(method, parameters))

    # -- the protocol

    def _port(self, file: Path) -> int:
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            lines = file.read_text().splitlines() if file.exists() else []
            if lines:
                return int(lines[0])
            assert self._process.poll() is None, 'Chromium ended at once'
            time.sleep(0.05)
        raise AssertionError('Chromium does not answer')

    async def _connect(self, port: int) -> None:
        self._session = ClientSession()
        async with self._session.get(f'http://127.0.0.1:{port}/json/list') as answer:
            pages = [target for target in await answer.json() if target['type'] == 'page']
        self._socket: Any = await self._session.ws_connect(
            pages[0]['webSocketDebuggerUrl'], max_msg_size=0
        )
        self._reader = asyncio.create_task(self._read())
        for domain in ('Page', 'Runtime', 'Log', 'Network'):
            await self._call(f'{domain}.enable', {})

    async def _call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        number = next(self._numbers)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        await self._socket.send_json({'id': number, 'method': method, 'params': parameters})
        message = await asyncio.wait_for(answer, TIMEOUT_S)
        assert 'error' not in message, f'{method}: {message["error"]}'
        found: dict[str, Any] = message['result']
        return found

    async def _read(self) -> None:
        async for received in self._socket:
            if received.type != WSMsgType.TEXT:
                break
            message = json.loads(received.data)
            if 'id' in message:
                waiting = self._answers.pop(message['id'], None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(message)
            elif message['method'] == 'Runtime.exceptionThrown':
                self.problems.append(json.dumps(message['params']))
            elif message['method'] == 'Log.entryAdded':
                entry = message['params']['entry']
                if entry['level'] == 'error':
                    self.problems.append(f'{entry["text"]} {entry.get("url", "")}')
