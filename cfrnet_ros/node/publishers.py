"""How the node makes a publisher."""

from __future__ import annotations

from typing import Any

from rclpy.lifecycle import LifecycleNode
from rclpy.qos_overriding_options import QoSOverridingOptions

from cfrnet_ros.node.qos import output_qos


def create_output(node: LifecycleNode, msg_type: Any, topic: str, depth: int = 1) -> Any:
    """Create a lifecycle publisher whose quality of service parameters can override.

    Args:
        node: Node that publishes.
        msg_type: Type of the messages.
        topic: Name of the topic, relative to the node.
        depth: Number of messages kept for slow readers.

    Returns:
        The publisher; it sends nothing before the node is active.

    """
    return node.create_lifecycle_publisher(
        msg_type,
        topic,
        output_qos(depth),
        qos_overriding_options=QoSOverridingOptions.with_default_policies(),
    )
