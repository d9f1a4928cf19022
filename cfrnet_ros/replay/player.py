"""Playing a bag's images over DDS, at the pace at which they were recorded."""

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
    """What was sent.

    Attributes:
        index: number of the image in the bag, from 0.
        bag_stamp_ns: header stamp in the bag, nanoseconds.
        stamp_ns: header stamp that was sent: the moment of sending.

    """

    index: int
    bag_stamp_ns: int
    stamp_ns: int


class Player:
    """Publishes serialised images like a camera.

    The header stamps are set to the moment of sending, as a live camera does, so
    that the age of what comes back is a true latency.
    """

    def __init__(self, node: Node, topic: str, msgtype: str) -> None:
        """Announce the topic.

        Args:
            node: our own, spun by another thread.
            topic: to publish on.
            msgtype: 'sensor_msgs/msg/Image' or '.../CompressedImage'.

        """
        self._node = node
        self._topic = topic
        # Reliable matches subscribers of both kinds. To one that asks for best
        # effort, as the restorer does, it is best effort.
        qos = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
        self._publisher = node.create_publisher(_TYPES[msgtype], topic, qos)

    def wait_for_subscriber(self, timeout_s: float = 10.0) -> None:
        """Wait for somebody to listen: what is sent before is lost.

        Raises:
            ReplayError: nobody subscribed within the timeout (seconds).

        """
        end = time.monotonic() + timeout_s
        while self._publisher.get_subscription_count() == 0:
            if time.monotonic() > end:
                raise ReplayError(f'nobody subscribed to {self._topic} within {timeout_s:g} s')
            time.sleep(0.02)

    def play(
        self,
        messages: Iterable[BagMessage],
        rate: float = 1.0,
        on_frame: Callable[[PlayedFrame], None] = lambda frame: None,
        stop: threading.Event | None = None,
    ) -> Iterator[PlayedFrame]:
        """Send the messages; yields after each.

        Args:
            messages: in the order of recording.
            rate: 1 is the pace of recording, 2 twice as fast.
            on_frame: called just before a message goes out.
            stop: ends it early when set.

        Raises:
            ValueError: the rate is not above 0.

        """
        if not rate > 0:
            raise ValueError(f'rate must be above 0, got {rate}')
        stop = stop or threading.Event()
        start: float | None = None
        first_ns = 0
        for index, message in enumerate(messages):
            if start is None:
                start, first_ns = time.monotonic(), message.time_ns
            # Against the start, so that delays do not add up.
            due = start + (message.time_ns - first_ns) / 1e9 / rate
            if stop.wait(max(0.0, due - time.monotonic())):
                return
            now = time.time_ns()
            frame = PlayedFrame(index, read_stamp(message.data), now)
            on_frame(frame)
            self._publisher.publish(restamp(message.data, now))
            yield frame
