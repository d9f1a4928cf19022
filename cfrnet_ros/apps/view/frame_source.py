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

"""Subscribes to the pictures of one node, and puts together what belongs to one frame."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage, Image

from cfrnet_ros.apps.view.matching import FaceMatcher, RecentImages
from cfrnet_ros.apps.view.ros_thread import RosThread
from cfrnet_ros.replay.stamps import read_stamp

#: Time in seconds without a pair of pictures after which one is shown without the other.
#: A node on a busy machine may take two seconds for a frame.
ALONE_AFTER_S = 3.0
#: Time in seconds between two camera pictures that are shown alone.
ALONE_PERIOD_S = 0.1

_CAMERA_QOS = QoSProfile(depth=4, reliability=ReliabilityPolicy.BEST_EFFORT)
#: The node's own topics are reliable; 8 is its depth for topics with a message for each face.
_NODE_QOS = QoSProfile(depth=8, reliability=ReliabilityPolicy.RELIABLE)


@dataclass(frozen=True)
class Wanted:
    """What is to be subscribed to.

    Attributes:
        camera_topic: Topic of the camera's images; '' for none.
        compressed: Whether they are sensor_msgs/CompressedImage.
        whole: Whether the restored whole frames are wanted.
        faces: Whether the faces are wanted.

    """

    camera_topic: str = ''
    compressed: bool = False
    whole: bool = False
    faces: bool = False


@dataclass(frozen=True)
class CameraImage:
    """A serialised image of the camera, sensor_msgs/CompressedImage or sensor_msgs/Image."""

    stamp_ns: int
    data: bytes
    compressed: bool


@dataclass(frozen=True)
class WholeParts:
    """Pictures of a whole frame.

    Attributes:
        camera: Image of the camera, None if it did not arrive.
        restored: Serialised sensor_msgs/CompressedImage, None if the node sent none.

    """

    camera: CameraImage | None
    restored: bytes | None


@dataclass(frozen=True)
class FaceParts:
    """Faces of a frame.

    Attributes:
        camera: Image of the camera, None if it did not arrive.
        faces: Values of `~/face/status` of each face.
        crops: Serialised sensor_msgs/CompressedImage of each face, in the same order.

    """

    camera: CameraImage | None
    faces: list[Mapping[str, str]]
    crops: list[bytes]


class FrameSource:
    """Subscriptions to one node and its camera. All methods run in the thread of `RosThread`."""

    def __init__(
        self,
        ros: RosThread,
        name: str,
        on_whole: Callable[[WholeParts], None],
        on_faces: Callable[[FaceParts], None],
    ) -> None:
        """Start without subscriptions.

        Args:
            ros: ROS side of this process.
            name: Full name of the node.
            on_whole: Called in asyncio's thread with the pictures of a whole frame.
            on_faces: Called in asyncio's thread with the faces of a frame.

        """
        self._ros, self._name = ros, name
        self._on_whole, self._on_faces = on_whole, on_faces
        self._wanted = Wanted()
        self._subscriptions: dict[str, Any] = {}
        self._images = RecentImages()
        self._matcher = FaceMatcher()
        self._held: bytes | None = None
        self._pair_s = self._alone_s = self._faces_s = 0.0

    def want(self, wanted: Wanted) -> None:
        """Subscribe to what is wanted, and to nothing else."""
        if wanted == self._wanted:
            return
        before, self._wanted = self._wanted, wanted
        if (before.camera_topic, before.compressed) != (wanted.camera_topic, wanted.compressed):
            self._drop('camera')
            self._images.clear()
            if wanted.camera_topic:
                kind = CompressedImage if wanted.compressed else Image
                self._add('camera', kind, wanted.camera_topic, self._camera, _CAMERA_QOS)
        if before.whole != wanted.whole:
            self._drop('whole')
            self._held = None
            if wanted.whole:
                self._pair_s = time.monotonic()
                topic = f'{self._name}/image_restored/compressed'
                self._add('whole', CompressedImage, topic, self._restored)
        if before.faces != wanted.faces:
            self._drop('crops')
            self._drop('status')
            self._matcher = FaceMatcher()
            if wanted.faces:
                self._faces_s = time.monotonic()
                topic = f'{self._name}/face/image/compressed'
                self._add('crops', CompressedImage, topic, self._crop)
                self._add('status', DiagnosticArray, f'{self._name}/face/status', self._status)

    def _add(
        self,
        key: str,
        kind: Any,
        topic: str,
        callback: Callable[[bytes], None],
        qos: QoSProfile = _NODE_QOS,
    ) -> None:
        # Raw, since most images are never looked at: a newer one comes before the browser is ready.
        self._subscriptions[key] = self._ros.node.create_subscription(
            kind, topic, callback, qos, raw=True
        )

    def _drop(self, key: str) -> None:
        subscription = self._subscriptions.pop(key, None)
        if subscription is not None:
            self._ros.node.destroy_subscription(subscription)

    def _camera(self, data: bytes) -> None:
        stamp_ns, now_s = read_stamp(data), time.monotonic()
        self._images.add(stamp_ns, data)
        if self._held is not None and read_stamp(self._held) == stamp_ns:
            self._restored(self._held)
        elif (
            self._wanted.whole
            and now_s - self._pair_s > ALONE_AFTER_S
            and now_s - self._alone_s > ALONE_PERIOD_S
        ):
            self._alone_s = now_s
            self._ros.tell(self._on_whole, WholeParts(self._image(stamp_ns), None))

    def _restored(self, data: bytes) -> None:
        camera, now_s = self._image(read_stamp(data)), time.monotonic()
        self._held = None
        if camera is not None:
            self._pair_s = now_s
        elif now_s - self._pair_s < ALONE_AFTER_S:
            # The camera's image may still be on its way.
            self._held = data
            return
        self._ros.tell(self._on_whole, WholeParts(camera, data))

    def _crop(self, data: bytes) -> None:
        self._emit(read_stamp(data), self._matcher.add_crop(read_stamp(data), data))

    def _status(self, data: bytes) -> None:
        message = deserialize_message(data, DiagnosticArray)
        faces: list[Mapping[str, str]] = [
            {pair.key: pair.value for pair in status.values} for status in message.status
        ]
        self._emit(read_stamp(data), self._matcher.add_status(read_stamp(data), faces))

    def _emit(self, stamp_ns: int, parts: Any) -> None:
        if parts is None:
            return
        camera, now_s = self._image(stamp_ns), time.monotonic()
        if camera is not None:
            self._faces_s = now_s
        elif now_s - self._faces_s < ALONE_AFTER_S:
            # One image of the camera was lost: a frame less is better than a face that flickers.
            return
        found = FaceParts(camera, parts.faces, parts.crops[: len(parts.faces)])
        self._ros.tell(self._on_faces, found)

    def _image(self, stamp_ns: int) -> CameraImage | None:
        data = self._images.find(stamp_ns)
        return None if data is None else CameraImage(stamp_ns, data, self._wanted.compressed)
