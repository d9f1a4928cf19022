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

"""The node's subscriptions: the images and the camera's intrinsics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rclpy.event_handler import (
    QoSMessageLostInfo,
    SubscriptionEventCallbacks,
    UnsupportedEventTypeError,
)
from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from cfrnet_ros.node.camera_info import camera_info_topic
from cfrnet_ros.node.parameters.overrides import QOS_PREFIX
from cfrnet_ros.node.qos import input_qos

#: Message type by `image_transport`.
IMAGE_TYPES: Mapping[str, type[Image | CompressedImage]] = {
    'raw': Image,
    'compressed': CompressedImage,
}


def image_topics(node: Node, image_transport: str) -> tuple[str, ...]:
    """Return the resolved names of the topics that may carry the images, the usual one first.

    Args:
        node: Node whose `image` may be remapped.
        image_transport: Transport of the images, 'raw' or 'compressed'. Compressed images usually
            arrive on `<image>/compressed`, but some drivers send them on `<image>` itself.

    """
    topic = str(node.resolve_topic_name('image'))
    if image_transport == 'raw' or topic.endswith('/compressed'):
        return (topic,)
    return (f'{topic}/compressed', topic)


def image_topic(node: Node, image_transport: str) -> str:
    """Return the topic with the images: the first of `image_topics` on which any are published.

    The usual topic is returned while no images are published.
    """
    topics = image_topics(node, image_transport)
    wanted = type_name(IMAGE_TYPES[image_transport])
    for topic in topics:
        if any(info.topic_type == wanted for info in node.get_publishers_info_by_topic(topic)):
            return topic
    return topics[0]


def type_name(msg_type: type[Image | CompressedImage]) -> str:
    """Return the name of a message type in the ROS graph, such as 'sensor_msgs/msg/Image'."""
    return f'sensor_msgs/msg/{msg_type.__name__}'


class Inputs:
    """Subscriptions that exist only while the node is active.

    An inactive node receives no images, so the camera's stream needs no bandwidth.
    """

    def __init__(self, node: Node, qos_overrides: Sequence[str] = ()) -> None:
        """Keep the node; `open` creates the subscriptions.

        Args:
            node: Node that subscribes.
            qos_overrides: Names of the QoS overrides that the user gave.

        """
        self._node = node
        self._qos_overrides = tuple(qos_overrides)
        self._reliable = False
        self._subscriptions: list[Subscription[Any]] = []
        self._topic = ''
        self._reopen: Callable[[], None] = lambda: None

    def open(
        self,
        image_transport: str,
        on_image: Callable[[Image | CompressedImage], None],
        on_camera_info: Callable[[CameraInfo], None],
        on_lost: Callable[[int], None],
    ) -> None:
        """Subscribe.

        Args:
            image_transport: Transport of the images: 'raw' for sensor_msgs/Image, 'compressed' for
                sensor_msgs/CompressedImage.
            on_image: Function that is called with each image.
            on_camera_info: Function that is called with the camera's intrinsics.
            on_lost: Function that is called with the number of images that the middleware has
                found to be lost since the call before.

        """
        msg_type = IMAGE_TYPES[image_transport]
        topic = image_topic(self._node, image_transport)
        # The intrinsics come first, so that they are known when the first image arrives.
        info_topic = camera_info_topic(self._node, topic)
        self._subscribe(CameraInfo, info_topic, on_camera_info)
        try:
            self._subscribe(msg_type, topic, on_image, _loss_events(on_lost), self._reliable)
        except UnsupportedEventTypeError:
            # Not every middleware tells of lost messages.
            self._subscribe(msg_type, topic, on_image, reliable=self._reliable)
        self._topic = topic
        self._reopen = lambda: self.open(image_transport, on_image, on_camera_info, on_lost)
        self._node.get_logger().info(f'waiting for {msg_type.__name__} on {topic}')

    def follow(self, image_transport: str) -> None:
        """Switch to the topic on which images are published, if it is another one.

        To subscribe to all topics that may hold images would be simpler, but a raw topic with a
        subscriber for compressed images has two types, and `ros2 topic echo` refuses those.
        """
        if not self._subscriptions:
            return
        moved = image_topic(self._node, image_transport) != self._topic
        if moved or (self._reliable and not self._all_reliable()):
            self._reliable = False
            self._open_again()

    def ask_for_reliable_delivery(self) -> bool:
        """Subscribe reliably from now on, if every publisher offers that.

        Returns:
            Whether the subscription has been changed. It is not where it is reliable already, or
            where the user has set its quality of service.

        """
        prefix = f'{QOS_PREFIX}{self._topic}.subscription.'
        if self._reliable or any(name.startswith(prefix) for name in self._qos_overrides):
            return False
        if not self._subscriptions or not self._all_reliable():
            return False
        self._reliable = True
        self._open_again()
        return True

    def _subscribe(
        self,
        kind: Any,
        topic: str,
        callback: Callable[..., None],
        events: SubscriptionEventCallbacks | None = None,
        reliable: bool = False,
    ) -> None:
        # The parameters of the first subscription, which is best effort, would set the second too.
        overriding = None if reliable else QoSOverridingOptions.with_default_policies()
        self._subscriptions.append(
            self._node.create_subscription(
                kind,
                topic,
                callback,
                input_qos(reliable),
                event_callbacks=events,
                qos_overriding_options=overriding,
            )
        )

    def _all_reliable(self) -> bool:
        publishers = self._node.get_publishers_info_by_topic(self._topic)
        return bool(publishers) and all(
            info.qos_profile.reliability == ReliabilityPolicy.RELIABLE for info in publishers
        )

    def _open_again(self) -> None:
        reopen = self._reopen
        self._destroy()
        reopen()

    def close(self) -> None:
        """Unsubscribe."""
        self._destroy()
        self._reliable = False

    def _destroy(self) -> None:
        while self._subscriptions:
            self._node.destroy_subscription(self._subscriptions.pop())


def _loss_events(on_lost: Callable[[int], None]) -> SubscriptionEventCallbacks:
    def report(info: QoSMessageLostInfo) -> None:
        on_lost(info.total_count_change)

    return SubscriptionEventCallbacks(message_lost=report)
