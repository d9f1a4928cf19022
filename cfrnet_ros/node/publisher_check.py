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

"""Reasons why no image arrives, as seen in the ROS graph: name, type or quality of service."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rclpy.node import Node
from rclpy.qos import QoSCompatibility, qos_check_compatible
from rclpy.topic_endpoint_info import TopicEndpointInfo

from cfrnet_ros.node.inputs import IMAGE_TYPES, image_topics, type_name

_TRANSPORTS = {type_name(msg_type): name for name, msg_type in IMAGE_TYPES.items()}


def explain_silence(node: Node, image_transport: str, loss_remedy: str) -> str:
    """Explain why no image arrives, with a remedy.

    Args:
        node: Node that subscribes to the images.
        image_transport: Transport that the node expects, 'raw' or 'compressed'.
        loss_remedy: What to do if the images get lost on the way, in the imperative.

    Returns:
        Reason and remedy in one sentence, such as "2 publishers on /cam/image_raw, of
        sensor_msgs/CompressedImage: set image_transport: compressed".

    """
    wanted = type_name(IMAGE_TYPES[image_transport])
    topics = image_topics(node, image_transport)
    found = {topic: node.get_publishers_info_by_topic(topic) for topic in topics}
    for topic, publishers in found.items():
        matching = [info for info in publishers if info.topic_type == wanted]
        if matching:
            return _explain_matching(node, topic, matching, loss_remedy)
    # A camera that sends both kinds has the compressed one on a topic of its own.
    sibling = f'{topics[0]}/compressed'
    if image_transport == 'raw':
        found[sibling] = node.get_publishers_info_by_topic(sibling)
    for topic, publishers in found.items():
        if publishers:
            return _explain_types(topic, publishers, wanted)
    return (
        f'nobody publishes on {" or ".join(topics)}: check the remapping of `image` and'
        ' ROS_DOMAIN_ID, and that FASTDDS_BUILTIN_TRANSPORTS=LARGE_DATA is set for both camera and'
        ' node or for neither, since otherwise they do not see each other'
    )


def _explain_matching(
    node: Node, topic: str, publishers: Sequence[TopicEndpointInfo], loss_remedy: str
) -> str:
    """Explain why images of the right type do not arrive."""
    who = f'{_count(publishers)} on {topic}'
    for own in node.get_subscriptions_info_by_topic(topic):
        if (own.node_namespace, own.node_name) != (node.get_namespace(), node.get_name()):
            continue
        for publisher in publishers:
            verdict, reason = qos_check_compatible(publisher.qos_profile, own.qos_profile)
            if verdict == QoSCompatibility.ERROR:
                return (
                    f'{who}, but its quality of service does not match that of this node'
                    f' ({reason.removeprefix("ERROR: ").rstrip(";")}): change qos_overrides'
                )
    return (
        f'{who}, of the right type: either it sends nothing, or its images get lost; {loss_remedy}'
    )


def _explain_types(topic: str, publishers: Sequence[TopicEndpointInfo], wanted: str) -> str:
    """Explain that messages of another type are published."""
    kinds = Counter(info.topic_type for info in publishers)
    # The kind that the node could read comes first, then the most frequent one.
    kind = max(kinds, key=lambda name: (name in _TRANSPORTS, kinds[name]))
    who = f'{_count(publishers)} on {topic}, of {" and ".join(map(_short, kinds))}'
    if kind in _TRANSPORTS:
        return f'{who}: set image_transport: {_TRANSPORTS[kind]}'
    return f"{who}, not of {_short(wanted)}: remap `image` to the camera's topic"


def _count(publishers: Sequence[TopicEndpointInfo]) -> str:
    return f'{len(publishers)} publisher{"" if len(publishers) == 1 else "s"}'


def _short(type_name: str) -> str:
    """Return 'sensor_msgs/Image' for 'sensor_msgs/msg/Image'."""
    return type_name.replace('/msg/', '/')
