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

"""Plays camera and consumer: sends images to a node over DDS and times its answers."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from numpy.typing import NDArray
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from cfrnet_ros.node.frame_report import record_of
from cfrnet_ros.node.images.messages import to_image_msg, to_jpeg_msg
from cfrnet_ros.replay.stamps import read_stamp
from cfrnet_ros.vision.frame_record import FrameRecord

#: Time in seconds after which an image counts as lost.
PATIENCE_S = 2.0
#: Least number of answers of a run with a busy node, and seconds that a slow machine may take
#: for them in addition.
LEAST_ANSWERS, MOST_EXTRA_S = 4, 30.0
#: Quality of the compressed images.
JPEG_QUALITY = 90


class Ros(AbstractContextManager['Ros']):
    """A ROS node of the benchmark, spun in a thread; to be used in a `with` statement.

    It has Fast DDS's default transports, as camera drivers have.
    """

    def __init__(self, domain: int) -> None:
        """Start the node in a domain."""
        for name in [n for n in os.environ if n.startswith(('FASTDDS_', 'FASTRTPS_'))]:
            del os.environ[name]
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain)
        self.node = Node('benchmark', context=self._context, enable_rosout=False)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            return

    def __exit__(self, *exc: object) -> None:
        """Stop the thread and destroy the node."""
        self._executor.shutdown(timeout_sec=2.0)
        self._thread.join(2.0)
        self.node.destroy_node()
        self._context.try_shutdown()


@dataclass
class _Answer:
    """What arrived for one image; times by `time.perf_counter`."""

    sent_s: float
    crops_s: list[float] = field(default_factory=list)
    frame_s: float | None = None
    status: FrameRecord | None = None
    status_s: float | None = None


@dataclass(frozen=True)
class Timed:
    """One image that was answered.

    Attributes:
        round_trip_ms: Milliseconds from sending the image to the arrival of its last crop, or of
            the restored frame where that is received.
        record: Account of the frame by the node, with its stages.

    """

    round_trip_ms: float
    record: FrameRecord


class Camera:
    """Sends images on one node's topic and listens to its crops and frame status."""

    def __init__(self, ros: Ros, name: str, compressed: bool, whole_frames: bool) -> None:
        """Create publisher and subscriptions.

        Args:
            ros: ROS node of the benchmark.
            name: Name of the restorer's node, whose images are expected on `/NAME/camera`.
            compressed: Whether JPEG is sent instead of bgr8.
            whole_frames: Whether the restored frames are received too.

        """
        self._node, self._whole = ros.node, whole_frames
        topic = f'/{name}/camera/compressed' if compressed else f'/{name}/camera'
        kind = CompressedImage if compressed else Image
        # As a camera driver sends: the newest image, without delivery being guaranteed.
        best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._publisher = ros.node.create_publisher(kind, topic, best_effort)
        self._compressed = compressed
        self._answers: dict[int, _Answer] = {}
        self._changed = threading.Condition()
        qos = QoSProfile(depth=16, reliability=ReliabilityPolicy.RELIABLE)
        # Serialised messages: the time in which Python would unpack them is not the node's.
        self._subscriptions = [
            ros.node.create_subscription(Image, f'/{name}/face/image', self._crop, qos, raw=True),
            ros.node.create_subscription(
                DiagnosticArray, f'/{name}/frame/status', self._status, qos, raw=True
            ),
        ]
        if whole_frames:
            self._subscriptions.append(
                ros.node.create_subscription(
                    Image, f'/{name}/image_restored', self._frame, qos, raw=True
                )
            )

    def wait(self, timeout_s: float = 30.0) -> None:
        """Wait until node and camera have found each other.

        Raises:
            TimeoutError: They have not.

        """
        end = time.monotonic() + timeout_s
        topics = [subscription.topic_name for subscription in self._subscriptions]
        while not (
            self._publisher.get_subscription_count()
            and all(self._node.count_publishers(topic) for topic in topics)
        ):
            if time.monotonic() > end:
                raise TimeoutError(f'no node subscribes to {self._publisher.topic_name}')
            time.sleep(0.02)

    def close(self) -> None:
        """Destroy publisher and subscriptions."""
        self._node.destroy_publisher(self._publisher)
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def messages(self, pictures: Sequence[NDArray[np.uint8]]) -> list[Any]:
        """Convert pictures to messages, in an order that can be repeated without a jump."""
        header = Header(frame_id='camera')
        made: list[Any] = [
            to_jpeg_msg(picture, header, JPEG_QUALITY)
            if self._compressed
            else to_image_msg(picture, header)
            for picture in pictures
        ]
        return made + made[-2:0:-1]

    def one_by_one(
        self, messages: Sequence[Any], count: int, seconds: float = math.inf
    ) -> tuple[list[Timed], int]:
        """Send images with one in flight: each after the answer to the one before.

        Args:
            messages: Messages that are sent again and again.
            count: Number of images.
            seconds: Seconds after which no further image is sent, but for `LEAST_ANSWERS`.

        Returns:
            Answered images, and the number of images that were lost.

        """
        timed, lost = [], 0
        end = time.perf_counter() + seconds
        for index in range(count):
            if index >= LEAST_ANSWERS and time.perf_counter() > end:
                break
            stamp = self._send(messages[index % len(messages)])
            _, answer = self._await(stamp)
            if answer is None or answer.status is None or answer.status_s is None:
                lost += 1
                continue
            arrived = answer.frame_s if self._whole else max(answer.crops_s, default=None)
            moment = answer.status_s if arrived is None else arrived
            timed.append(Timed((moment - answer.sent_s) * 1e3, answer.status))
        return timed, lost

    def saturate(
        self, messages: Sequence[Any], seconds: float, in_work: int = 1
    ) -> tuple[int, float]:
        """Keep the node busy: while it works on images, the next one waits in its mailbox.

        Args:
            messages: Messages that are sent again and again.
            seconds: Seconds after which no further image is sent, but for `LEAST_ANSWERS`.
            in_work: Number of images that the node works on at once.

        Returns:
            Number of images that were answered, and the seconds from the first answer to the last.

        """
        waiting: list[int] = []
        answered: list[float] = []
        start = time.perf_counter()
        index = 0
        while time.perf_counter() < start + seconds or len(answered) < LEAST_ANSWERS:
            if time.perf_counter() > start + seconds + MOST_EXTRA_S:
                raise TimeoutError(f'{len(answered)} of {index} images were answered in time')
            while len(waiting) < in_work + 1:
                waiting.append(self._send(messages[index % len(messages)]))
                index += 1
                if not answered:
                    # Or the next image would take the place of this one in the mailbox.
                    time.sleep(0.02)
            done, answer = self._await(*waiting)
            if answer is not None and answer.status_s is not None:
                answered.append(answer.status_s)
            # Images that were sent before the one that was answered have been lost.
            waiting = waiting[done:]
        self._forget(waiting)
        return len(answered) - 1, answered[-1] - answered[0]

    # -- sending and hearing

    def _send(self, message: Any) -> int:
        stamp = time.time_ns()
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp, 10**9)
        with self._changed:
            self._answers[stamp] = _Answer(time.perf_counter())
        self._publisher.publish(message)
        return stamp

    def _await(self, *stamps: int) -> tuple[int, _Answer | None]:
        """Wait for the first complete answer to one of several images.

        Returns:
            Number of images up to the one that was answered, and its answer; all of them and None
            if none was answered in time.

        """
        with self._changed:
            answers = [self._answers[stamp] for stamp in stamps]

            def complete() -> int:
                return next((n for n, a in enumerate(answers, 1) if self._complete(a)), 0)

            done = self._changed.wait_for(complete, PATIENCE_S)
            answer = answers[done - 1] if done else None
        self._forget(stamps[: done or len(stamps)])
        return done or len(stamps), answer

    def _complete(self, answer: _Answer) -> bool:
        return (
            answer.status is not None
            and len(answer.crops_s) >= answer.status.passed_on
            and (not self._whole or answer.frame_s is not None)
        )

    def _forget(self, stamps: Sequence[int]) -> None:
        with self._changed:
            for stamp in stamps:
                del self._answers[stamp]

    def _crop(self, data: bytes) -> None:
        now = time.perf_counter()
        with self._changed:
            answer = self._answers.get(read_stamp(data))
            if answer is not None:
                answer.crops_s.append(now)
                self._changed.notify_all()

    def _frame(self, data: bytes) -> None:
        now = time.perf_counter()
        with self._changed:
            answer = self._answers.get(read_stamp(data))
            if answer is not None:
                answer.frame_s = now
                self._changed.notify_all()

    def _status(self, data: bytes) -> None:
        now = time.perf_counter()
        message = deserialize_message(data, DiagnosticArray)
        values = {pair.key: pair.value for pair in message.status[0].values}
        record = record_of(values)
        with self._changed:
            answer = self._answers.get(read_stamp(data))
            if answer is not None:
                answer.status, answer.status_s = record, now
                self._changed.notify_all()
