"""The node's subscriptions: the images and the camera's intrinsics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from cfrnet_ros.node.camera_info import camera_info_topic
from cfrnet_ros.node.qos import input_qos


def image_topic(node: Node, image_transport: str) -> str:
    """Return the resolved name of the topic with the images.

    Args:
        node: Node whose `image` may be remapped.
        image_transport: Transport of the images, 'raw' or 'compressed'. The latter appends
            `/compressed` to the name unless the name already ends with it.

    """
    topic = str(node.resolve_topic_name('image'))
    if image_transport == 'raw' or topic.endswith('/compressed'):
        return topic
    return f'{topic}/compressed'


class Inputs:
    """Subscriptions that exist only while the node is active.

    An inactive node receives no images, so the camera's stream needs no bandwidth.
    """

    def __init__(self, node: Node) -> None:
        """Keep the node; `open` creates the subscriptions."""
        self._node = node
        self._subscriptions: list[Subscription[Any]] = []

    def open(
        self,
        image_transport: str,
        on_image: Callable[[Image | CompressedImage], None],
        on_camera_info: Callable[[CameraInfo], None],
    ) -> None:
        """Subscribe.

        Args:
            image_transport: Transport of the images: 'raw' for sensor_msgs/Image, 'compressed' for
                sensor_msgs/CompressedImage.
            on_image: Function that is called with each image.
            on_camera_info: Function that is called with the camera's intrinsics.

        """
        msg_type = Image if image_transport == 'raw' else CompressedImage
        topic = image_topic(self._node, image_transport)
        # The intrinsics come first, so that they are known when the first image arrives.
        for kind, name, callback in (
            (CameraInfo, camera_info_topic(self._node, topic), on_camera_info),
            (msg_type, topic, on_image),
        ):
            self._subscriptions.append(
                self._node.create_subscription(
                    kind,
                    name,
                    callback,
                    input_qos(),
                    qos_overriding_options=QoSOverridingOptions.with_default_policies(),
                )
            )
        self._node.get_logger().info(f'waiting for {msg_type.__name__} on {topic}')

    def close(self) -> None:
        """Unsubscribe."""
        while self._subscriptions:
            self._node.destroy_subscription(self._subscriptions.pop())
