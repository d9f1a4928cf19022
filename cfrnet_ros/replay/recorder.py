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

"""Records topics into a bag as they arrive, without decoding the messages."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

from cfrnet_ros.replay.bag_writer import BagWriter
from cfrnet_ros.replay.errors import BagError

#: Callback with topic, time of reception (nanoseconds since the epoch) and CDR bytes.
Listener = Callable[[str, int, bytes], None]


def message_class(msgtype: str) -> Any:
    """Import the class of a message type such as 'sensor_msgs/msg/Image'.

    Raises:
        BagError: The package is not installed, or has no such message.

    """
    package, _, name = msgtype.split('/')
    try:
        return getattr(importlib.import_module(f'{package}.msg'), name)
    except (ImportError, AttributeError) as error:
        raise BagError(f'the message type {msgtype} is not installed') from error


class Recorder:
    """Subscribes to topics and writes every message to a bag, like `ros2 bag record`."""

    def __init__(
        self,
        node: Node,
        path: str | Path,
        topics: Mapping[str, str],
        listener: Listener = lambda topic, time_ns, data: None,
        max_hz: Mapping[str, float] | None = None,
        kept: Collection[str] | None = None,
    ) -> None:
        """Start recording.

        Args:
            node: ROS node of the replay, spun by another thread.
            path: Folder of the new bag.
            topics: Message type by absolute topic name.
            listener: Function that gets every message as well, in the spinning thread.
            max_hz: Most messages per second that are recorded, by topic.
            kept: Topics that are written to the bag, None for all; the listener alone gets the
                messages of the others.

        Raises:
            BagError: The bag cannot be created.

        """
        self._node = node
        self._listener = listener
        self._pause_ns = {topic: 1e9 / hz for topic, hz in (max_hz or {}).items()}
        self._last_ns: dict[str, int] = {}
        self.bag = BagWriter(path)
        qos = QoSProfile(depth=50, reliability=ReliabilityPolicy.RELIABLE)
        self._subscriptions = []
        self._kept = set(topics if kept is None else kept)
        for topic, msgtype in topics.items():
            if topic in self._kept:
                self.bag.add_topic(topic, msgtype)
            self._subscriptions.append(
                node.create_subscription(
                    message_class(msgtype), topic, partial(self._take, topic), qos, raw=True
                )
            )

    def _take(self, topic: str, data: bytes) -> None:
        now = time.time_ns()
        pause_ns = self._pause_ns.get(topic, 0)
        if topic in self._kept and now - self._last_ns.get(topic, 0) >= pause_ns:
            self._last_ns[topic] = now
            self.bag.write(topic, now, data)
        self._listener(topic, now, data)

    def wait_for_publishers(self, *topics: str, timeout_s: float = 10.0) -> bool:
        """Wait for a publisher on each topic; returns False after the timeout (seconds)."""
        end = time.monotonic() + timeout_s
        while not all(self._node.count_publishers(topic) for topic in topics):
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    def close(self) -> None:
        """Stop recording and finish the bag."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()
        self.bag.close()
