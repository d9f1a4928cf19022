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

"""Cameras that send images over DDS, and what the nodes say about their frames."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from numpy.typing import NDArray
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from cfrnet_ros.node.images.messages import to_image_msg
from cfrnet_ros.node.qos import input_qos
from cfrnet_ros.node.transport import NODE_PROFILE, choose_profile


@dataclass(frozen=True)
class Use:
    """Processor time and memory of some processes.

    Attributes:
        cpu_s: Processor seconds since their start.
        memory_mb: Proportional set size in MB: a page that several processes share counts once.

    """

    cpu_s: float
    memory_mb: float


def use_of(processes: Sequence[Any]) -> Use:
    """Return what processes with a `pid` have used."""
    ticks, kib = 0, 0
    for process in processes:
        folder = Path('/proc') / str(process.pid)
        # The name of the program, in parentheses, may hold blanks.
        fields = (folder / 'stat').read_text().rpartition(')')[2].split()
        ticks += int(fields[11]) + int(fields[12])
        for line in (folder / 'smaps_rollup').read_text().splitlines():
            if line.startswith('Pss:'):
                kib += int(line.split()[1])
    return Use(ticks / os.sysconf('SC_CLK_TCK'), kib * 1024 / 1e6)


class CameraLoad(AbstractContextManager['CameraLoad']):
    """Sends images to `/<name>/image` and collects `/<name>/cfrnet/frame/status`."""

    def __init__(self, names: Sequence[str], frames: NDArray[np.uint8], rate_hz: float) -> None:
        """Start to send.

        Args:
            names: Namespaces of the cameras.
            frames: (T, H, W, 3) uint8 BGR images; each camera begins at another one.
            rate_hz: Images a second of each camera.

        """
        self._names = list(names)
        self._lock = threading.Lock()
        self._done: dict[str, list[float]] = {name: [] for name in names}
        self._stop = threading.Event()
        choose_profile(NODE_PROFILE)
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node('camera_load', context=self._context)
        self._publishers = [
            self._node.create_publisher(Image, f'/{name}/image', input_qos(False)) for name in names
        ]
        for name in names:
            topic = f'/{name}/cfrnet/frame/status'
            self._node.create_subscription(DiagnosticArray, topic, partial(self._take, name), 50)
        self._messages = [to_image_msg(frame, Header(frame_id='camera')) for frame in frames]
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._threads = [
            threading.Thread(target=self._send, args=(rate_hz,), daemon=True),
            threading.Thread(target=self._spin, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def __exit__(self, *exc: object) -> None:
        """Stop sending."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    def wait_until_all_work(self, timeout_s: float) -> None:
        """Wait until each camera has had a frame processed.

        Raises:
            TimeoutError: That took too long.

        """
        end = time.monotonic() + timeout_s
        while not all(self.done().values()):
            if time.monotonic() > end:
                raise TimeoutError(f'no frame of some camera after {timeout_s:g} s: {self.done()}')
            time.sleep(0.1)

    def clear(self) -> None:
        """Forget the frames so far."""
        with self._lock:
            for each in self._done.values():
                each.clear()

    def done(self) -> dict[str, list[float]]:
        """Return the times in ms from arrival to output of the frames of each camera."""
        with self._lock:
            return {name: list(each) for name, each in self._done.items()}

    def _take(self, name: str, msg: DiagnosticArray) -> None:
        values = {pair.key: pair.value for pair in msg.status[0].values}
        if 'latency/total_ms' in values and values.get('faces/restored') == '1':
            with self._lock:
                self._done[name].append(float(values['latency/total_ms']))

    def _send(self, rate_hz: float) -> None:
        step = len(self._messages) // len(self._publishers)
        started, number = time.monotonic(), 0
        while not self._stop.is_set():
            for index, publisher in enumerate(self._publishers):
                msg = self._messages[(number + index * step) % len(self._messages)]
                msg.header.stamp = self._node.get_clock().now().to_msg()
                publisher.publish(msg)
            number += 1
            time.sleep(max(0.0, started + number / rate_hz - time.monotonic()))

    def _spin(self) -> None:
        while not self._stop.is_set():
            self._executor.spin_once(timeout_sec=0.2)
