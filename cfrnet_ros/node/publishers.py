"""Creates the node's publishers."""

from __future__ import annotations

from typing import Any

from rclpy.lifecycle import LifecycleNode
from rclpy.qos_overriding_options import QoSOverridingOptions

from cfrnet_ros.node.qos import output_qos


def create_output(node: LifecycleNode, msg_type: Any, topic: str, depth: int = 1) -> Any:
    """Create a lifecycle publisher whose quality of service can be overridden by parameters.

    Args:
        node: Node that publishes.
        msg_type: Type of the messages.
        topic: Name of the topic, relative to the node.
        depth: Number of messages that are kept for slow subscribers.

    Returns:
        Lifecycle publisher, which sends nothing before the node is active.

    """
    return node.create_lifecycle_publisher(
        msg_type,
        topic,
        output_qos(depth),
        qos_overriding_options=QoSOverridingOptions.with_default_policies(),
    )
