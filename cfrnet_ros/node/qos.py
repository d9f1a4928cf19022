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

"""Quality of service of the node's subscriptions and publishers."""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

#: Number of messages that are kept for slow subscribers on topics with one message per face.
#: With a depth of 1 the faces of a frame would overwrite each other.
FACE_DEPTH = 8


def input_qos(reliable: bool = False) -> QoSProfile:
    """Return the QoS of subscriptions.

    Best effort matches every publisher. The depth is 1, since only the newest frame is processed.

    Args:
        reliable: Whether lost messages are asked for again, which best-effort publishers refuse.

    """
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=1,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.VOLATILE,
    )


def output_qos(depth: int = 1) -> QoSProfile:
    """Return the QoS of publishers: reliable, so that subscribers with any reliability match.

    Args:
        depth: Number of messages that are kept for slow subscribers.

    """
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.VOLATILE,
    )
