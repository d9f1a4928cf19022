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

"""Bags with images, written for tests without DDS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import Header

from cfrnet_ros.node.images.messages import to_image_msg
from cfrnet_ros.replay.bag_reader import RAW, BagReader
from cfrnet_ros.replay.bag_writer import BagWriter

START_NS, PERIOD_NS = 1_700_000_000_000_000_000, 100_000_000


def write_bag(path: Path, cameras: Mapping[str, Sequence[NDArray[np.uint8]]]) -> Path:
    """Write a bag with raw images at 10 Hz on each topic; returns its folder."""
    with BagWriter(path) as bag:
        for topic in cameras:
            bag.add_topic(topic, RAW)
        for number in range(max(map(len, cameras.values()))):
            now = START_NS + number * PERIOD_NS
            header = Header(frame_id='camera')
            header.stamp.sec, header.stamp.nanosec = divmod(now, 10**9)
            for topic, frames in cameras.items():
                if number < len(frames):
                    msg = to_image_msg(frames[number], header)
                    bag.write(topic, now, serialize_message(msg))
    return path


def messages_of(path: Path, topic: str, msg_type: Any) -> list[Any]:
    """Return the messages of a topic of a bag, in their order."""
    with BagReader(path) as bag:
        return [deserialize_message(message.data, msg_type) for message in bag.messages(topic)]
