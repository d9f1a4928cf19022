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

"""Reads what a replay recorded and matches it with what was played."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String

from cfrnet_ros.node.images.decoder import ImageDecoder
from cfrnet_ros.node.images.errors import ImageError
from cfrnet_ros.replay.bag_reader import COMPRESSED, RAW, BagMessage, BagReader
from cfrnet_ros.replay.errors import BagError
from cfrnet_ros.replay.pictures import Picture
from cfrnet_ros.replay.plan import DIAGNOSTICS_TOPIC, ReplayLog

#: Most pixels of an image; a larger image is a sign of a damaged bag.
_MAX_PX = 2**26


def image_decoder() -> ImageDecoder:
    """Return a decoder that works as the node's; it remembers the range of 16-bit images."""
    return ImageDecoder(_MAX_PX)


def decode_image(message: BagMessage, decoder: ImageDecoder | None = None) -> Picture:
    """Decode an image exactly as the node does.

    Args:
        message: Message from a bag.
        decoder: Decoder of the previous frames; None for an image on its own.

    Returns:
        (H, W, 3) uint8 BGR image.

    Raises:
        BagError: The message is not an image, or the image is damaged.

    """
    kinds = {RAW: Image, COMPRESSED: CompressedImage}
    if message.msgtype not in kinds:
        raise BagError(f'{message.topic} holds {message.msgtype}, not images')
    try:
        decoder = decoder or image_decoder()
        return decoder.decode(deserialize_message(message.data, kinds[message.msgtype]))
    except ImageError as error:
        raise BagError(f'an image on {message.topic} cannot be decoded: {error}') from error


@dataclass(frozen=True)
class StatusSample:
    """One diagnostic status at one moment.

    Attributes:
        time_ns: Time of reception, in nanoseconds since the epoch.
        level: Level: 0 for OK, 1 for WARN, 2 for ERROR.
        message: Status in words.
        values: Values by key.

    """

    time_ns: int
    level: int
    message: str
    values: Mapping[str, str] = field(default_factory=dict)

    def number(self, key: str) -> float:
        """Return a value as a number, or NaN if it is missing or not a number."""
        try:
            return float(self.values[key])
        except (KeyError, ValueError):
            return float('nan')


def load_diagnostics(log: ReplayLog) -> dict[str, list[StatusSample]]:
    """Load the diagnostics by the status's short name: 'restoration', 'input', 'engine'."""
    found: dict[str, list[StatusSample]] = {}
    with BagReader(log.plan.measurements) as bag:
        for message in bag.messages(DIAGNOSTICS_TOPIC):
            for status in deserialize_message(message.data, DiagnosticArray).status:
                found.setdefault(status.name.rpartition(': ')[2], []).append(
                    StatusSample(
                        message.time_ns,
                        status.level[0],
                        status.message,
                        {value.key: value.value for value in status.values},
                    )
                )
    return found


@dataclass(frozen=True)
class Segment:
    """A named part of a bag: the frames from `start` up to, but not including, `end`."""

    name: str
    start: int
    end: int


def find_segments(log: ReplayLog, label_topic: str | None, parts: int = 6) -> list[Segment]:
    """Divide a bag by the labels in it (std_msgs/String), or into equal parts.

    Args:
        log: Log of the replay.
        label_topic: Topic whose messages name the part that follows them; None for equal
            parts.
        parts: Number of equal parts.

    Raises:
        BagError: The topic does not exist or has messages of another type.

    """
    with BagReader(log.plan.bag) as bag:
        if label_topic is None:
            count = bag.count(log.topic)
            edges = np.linspace(0, count, min(parts, max(1, count)) + 1).round().astype(int)
            return [
                Segment(f'frames {a} to {b - 1}', int(a), int(b))
                for a, b in itertools.pairwise(edges)
            ]
        if bag.topics.get(label_topic) != 'std_msgs/msg/String':
            raise BagError(f"'{log.plan.bag}' has no std_msgs/String on {label_topic!r}")
        return list(_labelled(bag, log.topic, label_topic))


def _labelled(bag: BagReader, topic: str, label_topic: str) -> Iterator[Segment]:
    count, start, name = 0, 0, ''
    for message in bag.messages(topic, label_topic):
        if message.topic == topic:
            count += 1
            continue
        if count > start:
            yield Segment(name, start, count)
        start, name = count, deserialize_message(message.data, String).data
    if count > start:
        yield Segment(name, start, count)
