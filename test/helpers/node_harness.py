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

"""The real node in a process of its own, and a peer that communicates with it over DDS."""

from __future__ import annotations

import signal
import threading
import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from numpy.typing import NDArray
from rcl_interfaces.msg import ParameterDescriptor, SetParametersResult
from rcl_interfaces.srv import DescribeParameters, GetParameters, SetParameters
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from cfrnet_ros.replay import node_process

ROOT = Path(__file__).resolve().parents[2]
#: Longest time in seconds that a test waits: a busy machine with two cores must not fail a test.
TIMEOUT_S = 60.0

TRANSITIONS = {
    'configure': Transition.TRANSITION_CONFIGURE,
    'activate': Transition.TRANSITION_ACTIVATE,
    'deactivate': Transition.TRANSITION_DEACTIVATE,
    'cleanup': Transition.TRANSITION_CLEANUP,
    'shutdown': Transition.TRANSITION_UNCONFIGURED_SHUTDOWN,
}


def wait_until(
    condition: Callable[[], Any], what: str, timeout_s: float = TIMEOUT_S, period_s: float = 0.02
) -> Any:
    """Return the first true value of the condition; fail with `what` after the timeout."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f'waited {timeout_s:.0f} s without reaching: {what}')
        time.sleep(period_s)


def bgr8_message(pixels: NDArray[np.uint8], frame_id: str = 'camera') -> Image:
    """Convert (H, W, 3) uint8 BGR pixels to an Image without padding and with a zero stamp."""
    msg = Image()
    msg.header.frame_id = frame_id
    msg.height, msg.width = pixels.shape[:2]
    msg.encoding, msg.step = 'bgr8', 3 * pixels.shape[1]
    data: array[int] = array('B')
    data.frombytes(np.ascontiguousarray(pixels).tobytes())
    msg.data = data
    return msg


def pixels_of(msg: Image) -> NDArray[np.uint8]:
    """Return the (H, W, 3) uint8 pixels of a bgr8 message without padding."""
    assert msg.encoding == 'bgr8'
    assert msg.step == 3 * msg.width
    return np.frombuffer(msg.data, np.uint8).reshape(msg.height, msg.width, 3)


class NodeProcess(node_process.NodeProcess):
    """The executable `restorer` in a domain and a folder of its own, with its output in a file."""

    def __init__(
        self,
        directory: Path,
        domain: int,
        ros_args: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        program: Sequence[str] = ('cfrnet_ros.node.main',),
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        super().__init__(
            directory / 'stderr.txt',
            name='',
            arguments=ros_args,
            folder=directory,
            environment={
                'ROS_DOMAIN_ID': str(domain),
                'ROS_LOG_DIR': str(directory / 'log'),
                **(environment or {}),
            },
            program=program,
        )

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def wait_for_log(self, text: str, times: int = 1) -> None:
        def seen() -> bool:
            if self.log.count(text) >= times:
                return True
            if self.exit_code is not None:
                raise AssertionError(f'the node ended before it logged {text!r}:\n{self.log}')
            return False

        wait_until(seen, f'{text!r} in the log')

    def end(self, number: int = signal.SIGINT) -> int:
        """Send a signal and return the exit code."""
        self.send_signal(number)
        return self.wait(TIMEOUT_S)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)
        self.wait()


class Peer:
    """A ROS node in the test's process, spun in a thread."""

    def __init__(self, domain: int, node_name: str = '/cfrnet') -> None:
        self.context = Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = rclpy.create_node('test_peer', context=self.context)
        self.target = node_name
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self._clients: dict[str, Any] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()
        self.diagnostics: list[dict[str, DiagnosticStatus]] = []
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)

    def close(self) -> None:
        self._stop.set()
        self.executor.wake()
        self._thread.join(TIMEOUT_S)
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)

    def _spin(self) -> None:
        while not self._stop.is_set():
            self.executor.spin_once(timeout_sec=0.2)

    # -- images

    def collect(self, topic: str, depth: int = 20, msg_type: Any = Image) -> Subscription:
        return Subscription(self, topic, depth, msg_type)

    def publisher(self, topic: str = 'image', msg_type: Any = Image, match: bool = True) -> Any:
        """Create a best-effort publisher of depth 1, like a camera driver's.

        With `match` this waits until the node subscribes.
        """
        qos = QoSProfile(
            history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.BEST_EFFORT
        )
        publisher = self.node.create_publisher(msg_type, topic, qos)
        if match:
            wait_until(lambda: publisher.get_subscription_count() > 0, f'a subscriber on {topic}')
        return publisher

    def now(self) -> Any:
        return self.node.get_clock().now().to_msg()

    # -- services

    def call(self, srv_type: Any, service: str, request: Any, again: bool = True) -> Any:
        """Call a service of the node.

        DDS discovers the two directions at different times, so an answer that is sent before the
        node has discovered the client is lost. Therefore a request that may be executed twice
        (`again`) is repeated, and any other request is sent only after such a request has been
        answered.
        """
        client = self._clients.get(service)
        if client is None:
            client = self.node.create_client(srv_type, f'{self.target}/{service}')
            assert client.wait_for_service(TIMEOUT_S), f'service {service} does not exist'
            self._clients[service] = client
            if not again:
                self.state()
            time.sleep(0.3)
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            future = client.call_async(request)
            patience = min(deadline, time.monotonic() + 2.0) if again else deadline
            while not future.done() and time.monotonic() < patience:
                time.sleep(0.002)
            if future.done():
                return future.result()
        raise AssertionError(f'service {service} did not answer')

    def set_parameter(self, name: str, value: Any) -> SetParametersResult:
        request = SetParameters.Request(
            parameters=[Parameter(name, value=value).to_parameter_msg()]
        )
        return self.call(SetParameters, 'set_parameters', request).results[0]

    def get_parameter(self, name: str) -> Any:
        response = self.call(GetParameters, 'get_parameters', GetParameters.Request(names=[name]))
        return rclpy.parameter.parameter_value_to_python(response.values[0])

    def describe(self, names: list[str]) -> list[ParameterDescriptor]:
        request = DescribeParameters.Request(names=names)
        response = self.call(DescribeParameters, 'describe_parameters', request)
        return list(response.descriptors)

    def state(self) -> str:
        response = self.call(GetState, 'get_state', GetState.Request())
        return str(response.current_state.label)

    def transition(self, name: str) -> bool:
        request = ChangeState.Request()
        request.transition.id = TRANSITIONS[name]
        return bool(self.call(ChangeState, 'change_state', request, again=False).success)

    # -- diagnostics

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        prefix = self.target.lstrip('/') + ': '
        statuses = {
            status.name.removeprefix(prefix): status
            for status in msg.status
            if status.name.startswith(prefix)
        }
        if statuses:
            self.diagnostics.append(statuses)

    def wait_for_diagnostics(
        self, condition: Callable[[dict[str, DiagnosticStatus]], Any], what: str
    ) -> dict[str, DiagnosticStatus]:
        """Return the first diagnostics, of those received from now on, that meet the condition."""
        start = len(self.diagnostics)

        def find() -> dict[str, DiagnosticStatus] | None:
            return next((d for d in self.diagnostics[start:] if condition(d)), None)

        found: dict[str, DiagnosticStatus] = wait_until(find, f'diagnostics: {what}')
        return found


class Subscription:
    """Collects the messages of a topic until it is closed."""

    def __init__(self, peer: Peer, topic: str, depth: int, msg_type: Any) -> None:
        self.messages: list[Any] = []
        self._peer = peer
        self._topic = topic
        qos = QoSProfile(
            history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=ReliabilityPolicy.RELIABLE
        )
        self._subscription = peer.node.create_subscription(
            msg_type, topic, self.messages.append, qos
        )
        wait_until(lambda: peer.node.count_publishers(topic) > 0, f'a publisher on {topic}')

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self._peer.node.destroy_subscription(self._subscription)


#: Function that starts a node with arguments, and a peer in its domain.
Start = Callable[..., tuple[NodeProcess, Peer]]


def send_until(
    publisher: Any, msg: Image | CompressedImage, condition: Callable[[], Any], what: str
) -> Any:
    """Publish the message repeatedly until the condition is true, and return its value.

    Best-effort messages may be lost, and the node keeps only the newest one.
    """
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        publisher.publish(msg)
        until = time.monotonic() + 0.2
        while time.monotonic() < until:
            value = condition()
            if value:
                return value
            time.sleep(0.01)
    raise AssertionError(f'sent images for {TIMEOUT_S:.0f} s without reaching: {what}')


def values_of(status: DiagnosticStatus) -> dict[str, str]:
    return {pair.key: pair.value for pair in status.values}
