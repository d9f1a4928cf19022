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

#: What a replay of the bag offers; reliable, so that subscribers of any kind match.
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
    """A new bag, with its message definitions inside; safe to use from several threads."""

    def __init__(self, path: str | Path) -> None:
        """Create a bag.

        Args:
            path: folder to make; it must not exist.

        Raises:
            BagError: it exists, or cannot be made.

        """
        self.path = Path(path)
        self.counts: dict[str, int] = {}
        self._lock = Lock()
        self._types = get_typestore(Stores.ROS2_KILTED)
        self._connections: dict[str, Connection] = {}
        self._open = False
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
        """Announce a topic.

        Args:
            topic: absolute name.
            msgtype: such as 'sensor_msgs/msg/Image'.

        Raises:
            BagError: the definition of the type is not to be had.

        """
        _learn_type(self._types, msgtype)
        with self._lock:
            self._connections[topic] = self._writer.add_connection(
                topic, msgtype, typestore=self._types, offered_qos_profiles=[OFFERED]
            )
            self.counts[topic] = 0

    def write(self, topic: str, time_ns: int, data: bytes) -> None:
        """Append a serialised (CDR) message; nothing happens once the bag is closed."""
        with self._lock:
            if self._open:
                self._writer.write(self._connections[topic], time_ns, data)
                self.counts[topic] += 1

    def write_canonical(self, topic: str, time_ns: int, data: bytes) -> None:
        """Append a serialised message with zeros for padding.

        CDR aligns numbers, and Fast CDR leaves in the gaps what was in memory: two
        serialisations of one message need not be equal.

        Raises:
            BagError: the message cannot be read.

        """
        msgtype = self._connections[topic].msgtype
        try:
            message = self._types.deserialize_cdr(data, msgtype)
            data = bytes(self._types.serialize_cdr(message, msgtype))
        except Exception as error:  # rosbags raises whatever its parsers raise
            raise BagError(f'a message on {topic} is no {msgtype}: {error}') from error
        self.write(topic, time_ns, data)

    def close(self) -> None:
        """Write the index and metadata.yaml."""
        with self._lock:
            if self._open:
                self._open = False
                self._writer.close()


def _learn_type(types: Typestore, msgtype: str) -> None:
    """Add a type's package to the known ones, from its installed .msg files."""
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
