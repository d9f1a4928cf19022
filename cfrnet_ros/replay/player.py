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

"""Publishes a bag's images over DDS."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from cfrnet_ros.replay.bag_reader import COMPRESSED, RAW, BagMessage
from cfrnet_ros.replay.errors import ReplayError
from cfrnet_ros.replay.stamps import read_stamp, restamp

_TYPES = {RAW: Image, COMPRESSED: CompressedImage}


@dataclass(frozen=True)
class PlayedFrame:
    """An image that was sent.

    Attributes:
        index: Number of the image in the bag, from 0.
        bag_stamp_ns: Header stamp in the bag, in nanoseconds.
        stamp_ns: Header stamp that was sent, in nanoseconds.
        sent_ns: Time of sending, in nanoseconds since the epoch.
        bag_time_ns: Time when the image was recorded, in nanoseconds since the epoch.

    """

    index: int
    bag_stamp_ns: int
    stamp_ns: int
    sent_ns: int
    bag_time_ns: int


class Player:
    """Publishes serialised images like a camera."""

    def __init__(self, node: Node, topic: str, msgtype: str) -> None:
        """Create the publisher.

        Args:
            node: ROS node of the replay, spun by another thread.
            topic: Topic to publish on.
            msgtype: Type of the images, 'sensor_msgs/msg/Image' or
                'sensor_msgs/msg/CompressedImage'.

        """
        self._node = node
        self._topic = topic
        # A reliable publisher matches subscribers of both kinds. To a subscriber that asks for
        # best effort, as the restorer does by default, it sends with best effort.
        qos = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
        self._publisher = node.create_publisher(_TYPES[msgtype], topic, qos)

    def wait_for_subscriber(self, timeout_s: float = 10.0) -> None:
        """Wait for a subscriber: images that are sent before are lost.

        Raises:
            ReplayError: No node subscribed within the timeout (seconds).

        """
        end = time.monotonic() + timeout_s
        while self._publisher.get_subscription_count() == 0:
            if time.monotonic() > end:
                raise ReplayError(f'no node subscribed to {self._topic} within {timeout_s:g} s')
            time.sleep(0.02)

    def wait_for_no_subscriber(self, timeout_s: float = 10.0) -> None:
        """Wait until no subscriber is left: a node that has ended stays known for a while.

        Raises:
            ReplayError: A subscriber is left after the timeout (seconds).

        """
        end = time.monotonic() + timeout_s
        while self._publisher.get_subscription_count() > 0:
            if time.monotonic() > end:
                raise ReplayError(
                    f'another node subscribes to {self._topic}; choose another ROS_DOMAIN_ID'
                )
            time.sleep(0.02)

    def send(self, message: BagMessage, index: int, stamp_ns: int | None = None) -> PlayedFrame:
        """Send one image.

        Args:
            message: Message from the bag.
            index: Number of the message in the bag.
            stamp_ns: Header stamp in nanoseconds; None for the time of sending.

        Returns:
            Image that was sent, with its stamps.

        Raises:
            ReplayError: The message is too short to be an image.

        """
        try:
            bag_stamp = read_stamp(message.data)
        except ValueError as error:
            raise ReplayError(f'image {index} on {message.topic} is damaged: {error}') from error
        now = time.time_ns()
        stamp = now if stamp_ns is None else stamp_ns
        self._publisher.publish(restamp(message.data, stamp))
        return PlayedFrame(index, bag_stamp, stamp, now, message.time_ns)

    def play(
        self,
        messages: Iterable[BagMessage],
        rate: float = 1.0,
        on_start: Callable[[], None] = lambda: None,
        stop: threading.Event | None = None,
    ) -> Iterator[PlayedFrame]:
        """Send the messages at the pace at which they were recorded; yields after each.

        The header stamps are set to the time of sending, as a live camera does, so that the
        age of an answer is a true latency.

        Args:
            messages: Messages in the order of recording.
            rate: Speed relative to the recording: 2 is twice as fast.
            on_start: Function called just before the first message is sent.
            stop: Event that ends the playback early.

        Raises:
            ValueError: The rate is not above 0.
            ReplayError: A message is not an image.

        """
        if not rate > 0:
            raise ValueError(f'rate must be above 0, got {rate}')
        stop = stop or threading.Event()
        start: float | None = None
        first_ns = 0
        for index, message in enumerate(messages):
            if start is None:
                on_start()
                start, first_ns = time.monotonic(), message.time_ns
            # Relative to the start, so that delays do not add up.
            due = start + (message.time_ns - first_ns) / 1e9 / rate
            if stop.wait(max(0.0, due - time.monotonic())):
                return
            yield self.send(message, index)
