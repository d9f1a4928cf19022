"""Finds overrides of the quality of service that have no effect."""

from __future__ import annotations

from collections.abc import Iterable

from rclpy.node import Node

from cfrnet_ros.node.camera_info import camera_info_topic
from cfrnet_ros.node.inputs import image_topics


def unused_overrides(node: Node, names: Iterable[str], image_transport: str) -> list[str]:
    """Return a sentence for each override of a topic that the node does not have.

    Args:
        node: Node whose publishers exist.
        names: Names of the overrides, `qos_overrides.<topic>.<kind>.<policy>`.
        image_transport: Transport of the images, 'raw' or 'compressed'.

    """
    images = image_topics(node, image_transport)
    topics = {publisher.topic_name for publisher in node.publishers}
    topics |= {*images, *(camera_info_topic(node, image) for image in images)}
    found = []
    for name in names:
        topic = name.split('.')[1] if name.count('.') >= 2 else ''
        if topic not in topics:
            found.append(
                f'{name} has no effect: this node has no topic {topic!r}; its topics are'
                f' {", ".join(sorted(topics))}'
            )
    return found
