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

"""The ROS side of the page: one node in a thread of its own, and calls from asyncio into it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import rclpy
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

NODE_NAME = 'cfrnet_view'
#: Time in seconds after which an unanswered request is sent again: an answer that is sent before
#: the node has discovered this client is lost.
PATIENCE_S = 2.0

Result = TypeVar('Result')


class NoAnswerError(Exception):
    """A node has no such service or does not answer; the text says which."""


class RosThread:
    """A node without topics or parameters of its own, spun by a thread.

    Everything that touches the node runs in that thread: asyncio hands functions over.
    """

    def __init__(self, ros_args: Sequence[str] = ()) -> None:
        """Join the ROS graph; must be called while asyncio runs.

        Args:
            ros_args: Command line of the process, with what is behind --ros-args.

        """
        self.loop = asyncio.get_running_loop()
        self._context = Context()
        # Without the file in ROS's log folder: this process writes nothing to a disk.
        rclpy.init(
            args=[*ros_args, '--ros-args', '--disable-external-lib-logs'],
            context=self._context,
            signal_handler_options=SignalHandlerOptions.NO,
        )
        self.node = rclpy.create_node(
            NODE_NAME, context=self._context, start_parameter_services=False, enable_rosout=False
        )
        self.domain = self._context.get_domain_id()
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._clients: dict[str, Any] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._spin, name=NODE_NAME, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        with contextlib.suppress(ExternalShutdownException):
            while not self._stop.is_set():
                try:
                    self._executor.spin_once(timeout_sec=0.5)
                except ExternalShutdownException:
                    raise
                except Exception:
                    # A damaged message must not end the page.
                    text = traceback.format_exc().strip()
                    self.node.get_logger().error(f'a callback failed: {text}')

    def close(self) -> None:
        """Leave the ROS graph."""
        self._stop.set()
        self._executor.wake()
        self._thread.join(5.0)
        self._executor.shutdown(timeout_sec=1.0)
        self.node.destroy_node()
        self._context.try_shutdown()

    def tell(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function in asyncio's thread, from the thread of the node."""
        # At the end of the process the loop may be closed already.
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(function, *arguments)

    async def run(self, function: Callable[[], Result]) -> Result:
        """Call a function in the thread of the node and return what it returns."""
        answer: asyncio.Future[Result] = self.loop.create_future()

        def call() -> None:
            try:
                result = function()
            except Exception as error:
                self.tell(_fail, answer, error)
            else:
                self.tell(_answer, answer, result)

        self._executor.create_task(call)
        return await answer

    async def ask(self, kind: Any, service: str, request: Any, timeout_s: float = 5.0) -> Any:
        """Call a service.

        Args:
            kind: Type of the service.
            service: Full name of the service.
            request: Request; it may arrive twice.
            timeout_s: Longest time to wait, in seconds.

        Raises:
            NoAnswerError: There is no such service, or no answer in time.

        """
        deadline = self.loop.time() + timeout_s
        client = await self.run(lambda: self._client(kind, service))
        while not await self.run(client.service_is_ready):
            if self.loop.time() > deadline:
                raise NoAnswerError(f'there is no service {service}')
            await asyncio.sleep(0.1)
        while self.loop.time() < deadline:
            patience = max(0.1, min(PATIENCE_S, deadline - self.loop.time()))
            answer = await self._ask_once(client, request, patience)
            if answer.done():
                return answer.result()
        raise NoAnswerError(f'{service} does not answer within {timeout_s:g} s')

    async def _ask_once(self, client: Any, request: Any, patience_s: float) -> asyncio.Future[Any]:
        answer: asyncio.Future[Any] = self.loop.create_future()
        pending = await self.run(lambda: self._send(client, request, answer))
        # Not asyncio.wait_for: before Python 3.12 it loses a cancellation that comes together with
        # the answer (https://github.com/python/cpython/issues/86296).
        await asyncio.wait([answer], timeout=patience_s)
        if not answer.done():
            await self.run(lambda: client.remove_pending_request(pending))
        return answer

    def _client(self, kind: Any, service: str) -> Any:
        client = self._clients.get(service)
        if client is None:
            client = self._clients[service] = self.node.create_client(kind, service)
        return client

    def _send(self, client: Any, request: Any, answer: asyncio.Future[Any]) -> Any:
        pending = client.call_async(request)
        pending.add_done_callback(lambda done: self.tell(_answer, answer, done.result()))
        return pending

    async def forget_clients(self, prefix: str) -> None:
        """Destroy the clients of services whose names begin with a text."""

        def destroy() -> None:
            for service in [name for name in self._clients if name.startswith(prefix)]:
                self.node.destroy_client(self._clients.pop(service))

        await self.run(destroy)


def _answer(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
