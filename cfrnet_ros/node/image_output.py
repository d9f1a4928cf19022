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

"""Publishes one kind of picture raw and as JPEG, each only while somebody subscribes to it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from cfrnet_ros.node.images.messages import to_image_msg, to_jpeg_msg
from cfrnet_ros.node.publishers import create_output

#: What image_transport appends to the name of a topic for compressed images.
COMPRESSED = '/compressed'


class ImageOutput:
    """A topic of images, and beside it the topic of the same images as JPEG."""

    def __init__(self, node: LifecycleNode, topic: str, depth: int = 1) -> None:
        """Create both publishers; they send nothing before the node is active.

        Args:
            node: Node that publishes.
            topic: Name of the topic, relative to the node.
            depth: Number of messages that are kept for slow subscribers.

        """
        self._node = node
        self._raw = create_output(node, Image, topic, depth)
        self._jpeg = create_output(node, CompressedImage, f'{topic}{COMPRESSED}', depth)

    def destroy(self) -> None:
        """Destroy the publishers."""
        for publisher in (self._raw, self._jpeg):
            self._node.destroy_lifecycle_publisher(publisher)

    @property
    def watched(self) -> bool:
        """Whether somebody subscribes to either topic."""
        raw, jpeg = (p.get_subscription_count() for p in (self._raw, self._jpeg))
        return bool(raw or jpeg)

    def publish(self, image: NDArray[np.uint8], header: Header, jpeg_quality: int) -> None:
        """Publish a picture on the topics that have subscribers.

        Args:
            image: (H, W, 3) uint8 BGR picture.
            header: Header of the source image.
            jpeg_quality: Quality of JPEG, 1..100.

        """
        if self._raw.get_subscription_count():
            self._raw.publish(to_image_msg(image, header))
        if self._jpeg.get_subscription_count():
            self._jpeg.publish(to_jpeg_msg(image, header, jpeg_quality))
