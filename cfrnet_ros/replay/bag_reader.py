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

"""Reading ROS 2 bags (sqlite3 and MCAP) without a ROS 2 installation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

from cfrnet_ros.replay.bag_faults import fault_of, journal_fault
from cfrnet_ros.replay.errors import BagError

RAW = 'sensor_msgs/msg/Image'
COMPRESSED = 'sensor_msgs/msg/CompressedImage'


@dataclass(frozen=True)
class BagMessage:
    """One message of a bag.

    Attributes:
        topic: Name of the topic.
        msgtype: Type of the message, such as 'sensor_msgs/msg/Image'.
        time_ns: Time of recording, in nanoseconds since the epoch.
        data: Serialised message (CDR), as it was transmitted.

    """

    topic: str
    msgtype: str
    time_ns: int
    data: bytes


class BagReader(AbstractContextManager['BagReader']):
    """A bag, open for reading; use it in a `with` statement."""

    def __init__(self, path: str | Path) -> None:
        """Open a bag.

        Args:
            path: Folder with a metadata.yaml, or a single .mcap or .db3 file.

        Raises:
            BagError: The bag does not exist or cannot be read.

        """
        self.path = Path(path).expanduser()
        if not self.path.exists():
            raise BagError(f"there is no bag '{path}'; give its folder, or a .mcap or .db3 file")
        try:
            # Not AnyReader, which reads ROS 1 bags too and refuses a bag for the definition of
            # any type in it: messages are only passed on here.
            self._reader = Reader(self.path)
            self._reader.open()
        except Exception as error:  # rosbags lets the exceptions of its parsers through
            fault = fault_of(self.path) or f'{type(error).__name__}: {error}'
            raise BagError(f"'{path}' cannot be read as a ROS 2 bag: {fault}") from error
        unsaved = journal_fault(self.path)
        if unsaved is not None:
            self._reader.close()
            raise BagError(f"'{path}' cannot be read as a ROS 2 bag: {unsaved}")

    def __exit__(self, *exc: object) -> None:
        """Close the bag."""
        self._reader.close()

    @property
    def topics(self) -> dict[str, str]:
        """Return the message type of each topic, by topic name.

        Of a topic with several types only one is read: Image is preferred to CompressedImage, and
        CompressedImage to any other type.
        """
        kinds: dict[str, str] = {}
        for connection in self._reader.connections:
            known = kinds.setdefault(connection.topic, connection.msgtype)
            if _preference(connection.msgtype) < _preference(known):
                kinds[connection.topic] = connection.msgtype
        return kinds

    @property
    def duration_s(self) -> float:
        """Return the time from the first message to the last, in seconds."""
        return float(self._reader.duration) / 1e9

    def count(self, topic: str) -> int:
        """Count the messages of a topic; returns 0 if there is no such topic."""
        return sum(connection.msgcount for connection in self._connections(topic))

    def image_topic(self, wanted: str | None = None) -> str:
        """Choose the topic whose images are played.

        Args:
            wanted: Name of a topic. None chooses the only topic with images; where the bag has
                raw and compressed images, the raw ones.

        Raises:
            BagError: The topic does not exist or has no images, or there are several to choose
                from.

        """
        images = {name: kind for name, kind in self.topics.items() if kind in (RAW, COMPRESSED)}
        listed = ', '.join(sorted(images)) or 'none'
        if wanted is not None:
            if wanted not in images:
                raise BagError(f"'{self.path}' has no images on {wanted!r}; it has: {listed}")
            return wanted
        for kind in (RAW, COMPRESSED):
            names = [name for name, found in images.items() if found == kind]
            if len(names) == 1:
                return names[0]
            if names:
                raise BagError(f"'{self.path}' has several image topics; choose one of: {listed}")
        others = ', '.join(f'{name} ({kind})' for name, kind in sorted(self.topics.items()))
        raise BagError(
            f"'{self.path}' has no topic with images of {RAW} or {COMPRESSED};"
            f' it has: {others or "no topics"}'
        )

    def messages(self, *topics: str) -> Iterator[BagMessage]:
        """Yield the messages of some topics, or of all, in the order of recording.

        Raises:
            BagError: The bag ends in the middle of a message or is damaged.

        """
        connections = [found for name in topics for found in self._connections(name)]
        if topics and not connections:
            return
        found = False
        try:
            for connection, time_ns, data in self._reader.messages(connections):
                found = True
                yield BagMessage(connection.topic, connection.msgtype, time_ns, bytes(data))
        except Exception as error:
            raise BagError(f"'{self.path}' cannot be read to its end: {error}") from error
        counted = sum(connection.msgcount for connection in connections)
        if counted and not found:
            raise BagError(
                f"metadata.yaml of '{self.path}' counts {counted} messages on {', '.join(topics)},"
                ' but the files beside it hold none of that name, type and quality of service:'
                ' metadata.yaml was edited or is of another bag; write a new one by'
                f" `ros2 bag reindex {self.path}`, or give one of the bag's files"
            )

    def _connections(self, topic: str) -> list[Connection]:
        kind = self.topics.get(topic)
        return [
            found
            for found in self._reader.connections
            if found.topic == topic and found.msgtype == kind
        ]


def _preference(msgtype: str) -> int:
    """Return the rank of a message type among those of one topic, 0 for the first."""
    order = (RAW, COMPRESSED)
    return order.index(msgtype) if msgtype in order else len(order)


def check_image(message: BagMessage) -> None:
    """Check that a message can be read as the image that its type declares.

    Raises:
        BagError: It cannot: it is damaged, or was serialised otherwise than ROS 2 does.

    """
    try:
        get_typestore(Stores.ROS2_KILTED).deserialize_cdr(message.data, message.msgtype)
    except Exception as error:  # rosbags lets the exceptions of its parsers through
        raise BagError(
            f'an image on {message.topic} is no {message.msgtype} as ROS 2 serialises it'
            f' ({type(error).__name__}: {error}); the bag is damaged, or was converted wrongly'
        ) from error
