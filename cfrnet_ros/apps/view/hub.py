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

"""Brings nodes and browsers together; subscribes to ROS only while a browser is connected."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from diagnostic_msgs.msg import DiagnosticArray

from cfrnet_ros.apps.view.frame_source import Wanted
from cfrnet_ros.apps.view.node_state import NodeState, Status, read_diagnostics
from cfrnet_ros.apps.view.parameters import WHOLE_FRAMES
from cfrnet_ros.apps.view.ros_thread import RosThread
from cfrnet_ros.apps.view.watch import Watch

if TYPE_CHECKING:
    from cfrnet_ros.apps.view.browser import Browser

#: Time in seconds after which a node that is lost, and that nobody looks at, is left out.
FORGET_AFTER_S = 60.0
#: Period in seconds in which it is looked at whether a node is lost.
PERIOD_S = 0.5


class Hub:
    """Knows all nodes and all connected browsers. All methods run in asyncio's thread."""

    def __init__(self, ros: RosThread) -> None:
        """Start without browsers and so without subscriptions."""
        self.nodes: dict[str, NodeState] = {}
        self._ros = ros
        self._browsers: set[Browser] = set()
        self._watches: dict[str, Watch] = {}
        self._diagnostics: Any = None
        self._workers = ThreadPoolExecutor(2, thread_name_prefix='encode')
        self._updating = asyncio.Lock()
        self._updates: set[asyncio.Task[None]] = set()
        self._lost: set[str] = set()
        self._ticker: asyncio.Task[None] | None = None

    @property
    def browsers(self) -> int:
        """Number of connected browsers."""
        return len(self._browsers)

    async def join(self, browser: Browser) -> None:
        """Add a browser."""
        self._browsers.add(browser)
        await self.update()

    async def leave(self, browser: Browser) -> None:
        """Remove a browser; does nothing for one that is not there."""
        self._browsers.discard(browser)
        await self.update()

    async def close(self) -> None:
        """Disconnect all browsers and end all subscriptions."""
        for browser in list(self._browsers):
            await browser.close()
        self._browsers.clear()
        await self.update()
        await asyncio.gather(*self._updates)
        self._workers.shutdown(wait=True, cancel_futures=True)

    def chosen(self, browser: Browser) -> str:
        """Return the node that a browser looks at; '' while there is none.

        A browser that has not chosen gets the first node that is not lost.
        """
        if browser.node:
            return browser.node
        now_s = self._ros.loop.time()
        alive = [name for name, state in self.nodes.items() if not state.lost(now_s)]
        return min(alive or self.nodes, default='')

    def watch_of(self, browser: Browser) -> Watch | None:
        """Return what is watched for a browser; None while there is nothing."""
        return self._watches.get(self.chosen(browser))

    def state_for(self, browser: Browser) -> dict[str, Any]:
        """Return what a browser shows beside the pictures, to be written as JSON."""
        name, now_s = self.chosen(browser), self._ros.loop.time()
        state, watch = self.nodes.get(name), self._watches.get(name)
        return {
            'type': 'state',
            'domain': self._ros.domain,
            'nodes': [
                {'name': each, 'lost': known.lost(now_s), 'level': known.level}
                for each, known in sorted(self.nodes.items())
            ],
            'node': name,
            'number': 0 if state is None else state.number,
            'silent_s': None if state is None else round(now_s - state.seen_s, 1),
            'statuses': {}
            if state is None
            else {
                part: {
                    'level': status.level,
                    'message': status.message,
                    'values': dict(status.values),
                }
                for part, status in state.statuses.items()
            },
            'sliders': [] if watch is None else watch.parameters.sliders(),
            'limits': {} if watch is None else watch.parameters.limits(),
            'whole_frames': watch is None or watch.parameters.values.get(WHOLE_FRAMES) is not False,
        }

    def update_soon(self) -> None:
        """Do `update` in a task that does not end with a browser.

        Half an update would leave subscriptions that nobody ends.
        """
        task = self._ros.loop.create_task(self.update())
        # asyncio keeps tasks by weak references only.
        self._updates.add(task)
        task.add_done_callback(self._updates.discard)

    async def update(self) -> None:
        """Subscribe to what the browsers look at, and to nothing else."""
        async with self._updating:
            await self._listen(bool(self._browsers))
            looks = [(self.chosen(browser), browser) for browser in self._browsers]
            for name in self._watches.keys() - {name for name, _ in looks}:
                await self._watches.pop(name).close()
            for name in {name for name, _ in looks if name in self.nodes}:
                watch = self._watches.get(name)
                if watch is None:
                    watch = self._watches[name] = Watch(
                        self._ros, name, self._workers, self._changed, self._pictures
                    )
                mine = [browser for chosen, browser in looks if chosen == name]
                whole, faces = any(b.whole for b in mine), any(b.faces for b in mine)
                topic, compressed = self.nodes[name].camera if whole or faces else ('', False)
                await watch.want(Wanted(topic, compressed, whole, faces))

    async def _listen(self, wanted: bool) -> None:
        node = self._ros.node
        if wanted and self._diagnostics is None:
            self._diagnostics = await self._ros.run(
                lambda: node.create_subscription(DiagnosticArray, '/diagnostics', self._receive, 20)
            )
            self._ticker = asyncio.create_task(self._tick())
        elif not wanted and self._diagnostics is not None:
            subscription, self._diagnostics = self._diagnostics, None
            await self._ros.run(lambda: node.destroy_subscription(subscription))
            if self._ticker is not None:
                self._ticker.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._ticker
            self.nodes.clear()
            self._lost.clear()

    def _receive(self, message: Any) -> None:
        found = read_diagnostics(message)
        if found:
            self._ros.tell(self._heard, found)

    def _heard(self, found: dict[str, dict[str, Status]]) -> None:
        if self._diagnostics is None:
            return
        for name, statuses in found.items():
            before = self.nodes.get(name)
            number = 1 if before is None else before.number + 1
            self.nodes[name] = NodeState(statuses, number, self._ros.loop.time())
            # A node that is new or back, or has another camera, is subscribed to anew.
            if before is None or before.camera != self.nodes[name].camera:
                self.update_soon()
        self._changed()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(PERIOD_S)
            now_s = self._ros.loop.time()
            chosen = {self.chosen(browser) for browser in self._browsers}
            for name, state in list(self.nodes.items()):
                if now_s - state.seen_s > FORGET_AFTER_S and name not in chosen:
                    del self.nodes[name]
            lost = {name for name, state in self.nodes.items() if state.lost(now_s)}
            if lost or lost != self._lost:
                self._lost = lost
                # Of browsers that have not chosen, some may look at another node now.
                self.update_soon()
                self._changed()

    def _changed(self) -> None:
        for browser in self._browsers:
            browser.state_changed()

    def _pictures(self) -> None:
        for browser in self._browsers:
            browser.wake()
