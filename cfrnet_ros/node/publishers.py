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

"""Creates the node's publishers."""

from __future__ import annotations

from typing import Any

from rclpy.event_handler import PublisherEventCallbacks
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
    # The default events only log that a subscriber asks for another quality of service, which that
    # subscriber's node logs as well. The executor would look at all of them around each image.
    no_events = PublisherEventCallbacks(use_default_callbacks=False)
    return node.create_lifecycle_publisher(
        msg_type,
        topic,
        output_qos(depth),
        qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        event_callbacks=no_events,
    )
