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

"""Writing MCAP bags that `ros2 bag` and Foxglove read, without a ROS 2 installation."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from threading import Lock

from ament_index_python.packages import get_package_share_directory
from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from cfrnet_ros.replay.errors import BagError

_FOREVER = QosTime(9223372036, 854775807)

#: Offered QoS, for whoever replays the bag; reliable, so that subscribers of any kind match.
OFFERED = Qos(
    history=QosHistory.KEEP_LAST,
    depth=10,
    reliability=QosReliability.RELIABLE,
    durability=QosDurability.VOLATILE,
    deadline=_FOREVER,
    lifespan=_FOREVER,
    liveliness=QosLiveliness.AUTOMATIC,
    liveliness_lease_duration=_FOREVER,
    avoid_ros_namespace_conventions=False,
)


class BagWriter(AbstractContextManager['BagWriter']):
    """A new bag that contains its message definitions; safe to use from several threads."""

    def __init__(self, path: str | Path) -> None:
        """Create a bag.

        Args:
            path: Folder to create; it must not exist yet.

        Raises:
            BagError: The folder exists already or cannot be created.

        """
        self.path = Path(path)
        self.counts: dict[str, int] = {}
        self._lock = Lock()
        self._types = get_typestore(Stores.ROS2_KILTED)
        self._connections: dict[str, Connection] = {}
        self._open = False
        self._failure = ''
        try:
            # Version 9 is what ROS 2 Jazzy and later write; Humble and Iron read it too.
            self._writer = Writer(self.path, version=9, storage_plugin=StoragePlugin.MCAP)
            self._writer.open()
        except Exception as error:
            raise BagError(f"cannot write a bag to '{path}': {error}") from error
        self._open = True

    def __exit__(self, *exc: object) -> None:
        """Close the bag."""
        self.close()

    def add_topic(self, topic: str, msgtype: str) -> None:
        """Add a topic to the bag.

        Args:
            topic: Absolute name of the topic.
            msgtype: Type of its messages, such as 'sensor_msgs/msg/Image'.

        Raises:
            BagError: The definition of the message type is not installed.

        """
        _learn_type(self._types, msgtype)
        with self._lock:
            self._connections[topic] = self._writer.add_connection(
                topic, msgtype, typestore=self._types, offered_qos_profiles=[OFFERED]
            )
            self.counts[topic] = 0

    def write(self, topic: str, time_ns: int, data: bytes) -> None:
        """Append a serialised (CDR) message.

        Nothing is written once the bag is closed or a message could not be written, for instance
        because the disk is full. The latter is reported by `check`, since messages are often
        written by a thread that can only pass them on.
        """
        with self._lock:
            if not self._open or self._failure:
                return
            try:
                self._writer.write(self._connections[topic], time_ns, data)
            except OSError as error:
                self._fail(error)
                return
            self.counts[topic] += 1

    def check(self) -> None:
        """Raise an error if a message could not be written.

        Raises:
            BagError: The bag is incomplete; the text names the reason.

        """
        if self._failure:
            raise BagError(self._failure)

    def _fail(self, error: OSError) -> None:
        self._failure = (
            f"cannot write to '{self.path}': {error}; free some space or choose another --out"
        )

    def write_canonical(self, topic: str, time_ns: int, data: bytes) -> None:
        """Append a serialised message whose padding bytes are set to zero.

        CDR aligns numbers, and Fast CDR leaves in the gaps what was in memory before. So two
        serialisations of the same message need not be equal.

        Raises:
            BagError: The message cannot be read or written.

        """
        msgtype = self._connections[topic].msgtype
        try:
            message = self._types.deserialize_cdr(data, msgtype)
            data = bytes(self._types.serialize_cdr(message, msgtype))
        except Exception as error:  # rosbags lets the exceptions of its parsers through
            raise BagError(f'a message on {topic} is not a {msgtype}: {error}') from error
        self.write(topic, time_ns, data)
        self.check()

    def close(self) -> None:
        """Write the index and metadata.yaml, and close the bag.

        Raises:
            BagError: The bag is incomplete, since the disk is full or another error occurred.

        """
        with self._lock:
            if not self._open:
                return
            self._open = False
            try:
                self._writer.close()
            except OSError as error:
                self._fail(error)
        self.check()


def _learn_type(types: Typestore, msgtype: str) -> None:
    """Register all message types of a type's package, from its installed .msg files."""
    if msgtype in types.fielddefs:
        return
    package = msgtype.split('/')[0]
    try:
        folder = Path(get_package_share_directory(package)) / 'msg'
    except (LookupError, OSError) as error:  # not found, or no index at all (pip)
        raise BagError(f'the definition of {msgtype} is not installed') from error
    found = {}
    for file in sorted(folder.glob('*.msg')):
        found.update(get_types_from_msg(file.read_text(), f'{package}/msg/{file.stem}'))
    types.register(found)
    if msgtype not in types.fielddefs:
        raise BagError(f'the definition of {msgtype} is not installed')
