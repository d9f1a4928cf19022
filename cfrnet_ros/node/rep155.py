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

"""Publishes the faces under the names of REP-155 (ROS for human-robot interaction)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from cfrnet_ros.node import hri_messages
from cfrnet_ros.node.images.messages import to_image_msg
from cfrnet_ros.node.qos import output_qos
from cfrnet_ros.vision.types import Face, RestoredFace

#: Seconds after which the topics of a face that is no longer seen are destroyed.
LINGER_S = 5.0


@dataclass
class _Topics:
    """Publishers of one face by the last part of their topic's name, and when it was last seen."""

    publishers: dict[str, Any]
    seen_s: float = 0.0


class Rep155Outputs:
    """Publishes the topics of each face below `/humans/faces/<id>`, and `/humans/faces/tracked`.

    `cropped` is the upright square around the face's box in the camera's image, black outside
    the frame. `aligned` is the restored crop. `roi` and `landmarks` say where the face is in the
    camera's image, and `tracked` is the list of the ids; these three need hri_msgs.
    """

    def __init__(self, node: LifecycleNode) -> None:
        """Create the topic `tracked` if hri_msgs is installed; `publish` creates the others."""
        self._node = node
        # Ids are global in REP-155, and a part of a topic's name must not begin with a digit.
        self._prefix = str(node.get_fully_qualified_name()).strip('/').replace('/', '_')
        self._types = {'cropped': Image, 'aligned': Image}
        self._faces: dict[int, _Topics] = {}
        self._tracked: Any = None
        if hri_messages.available():
            self._types |= {
                'roi': hri_messages.NormalizedRegionOfInterest2D,
                'landmarks': hri_messages.FacialLandmarks,
            }
            self._tracked = node.create_lifecycle_publisher(
                hri_messages.IdsList, '/humans/faces/tracked', output_qos()
            )

    def destroy(self) -> None:
        """Destroy all publishers."""
        if self._tracked is not None:
            self._node.destroy_lifecycle_publisher(self._tracked)
        for track_id in list(self._faces):
            self._remove(track_id)

    def publish(
        self,
        upright: NDArray[np.uint8],
        faces: Sequence[RestoredFace],
        in_camera: Sequence[RestoredFace],
        camera_size: tuple[int, int],
        header: Header,
    ) -> None:
        """Publish the faces of a frame; untracked faces have no id and are skipped.

        Args:
            upright: (H, W, 3) uint8 BGR image, turned upright, the source of the faces.
            faces: Faces of the frame, restored or passed on unrestored, in pixels of `upright`.
            in_camera: The same faces in pixels of the image as the camera sent it.
            camera_size: Width and height in pixels of the image as the camera sent it.
            header: Header of the source image.

        """
        now_s = time.monotonic()
        if self._tracked is not None:
            ids = [self._id(face.face.track_id) for face in faces if face.face.track_id >= 0]
            self._tracked.publish(hri_messages.ids_msg(ids, header))
        for face, seen in zip(faces, in_camera):
            track_id = face.face.track_id
            if track_id < 0:
                continue
            topics = self._faces.get(track_id) or self._add(track_id)
            topics.seen_s = now_s
            publishers = topics.publishers
            publishers['aligned'].publish(to_image_msg(face.crop, header))
            if publishers['cropped'].get_subscription_count():
                square = upright_crop(upright, face.face, face.crop.shape[0])
                publishers['cropped'].publish(to_image_msg(square, header))
            if 'roi' in publishers:
                publishers['roi'].publish(hri_messages.roi_msg(seen.face, *camera_size, header))
            if 'landmarks' in publishers and publishers['landmarks'].get_subscription_count():
                publishers['landmarks'].publish(
                    hri_messages.landmarks_msg(seen.face, *camera_size, header)
                )
        for track_id, topics in list(self._faces.items()):
            if now_s - topics.seen_s > LINGER_S:
                self._remove(track_id)

    def _id(self, track_id: int) -> str:
        return f'{self._prefix}_{track_id}'

    def _add(self, track_id: int) -> _Topics:
        topics = _Topics(
            {
                name: self._node.create_publisher(
                    kind, f'/humans/faces/{self._id(track_id)}/{name}', output_qos()
                )
                for name, kind in self._types.items()
            }
        )
        self._faces[track_id] = topics
        return topics

    def _remove(self, track_id: int) -> None:
        for publisher in self._faces.pop(track_id).publishers.values():
            self._node.destroy_publisher(publisher)


def upright_crop(frame: NDArray[np.uint8], face: Face, size: int) -> NDArray[np.uint8]:
    """Cut the upright square around a face's box out of the frame and scale it.

    Args:
        frame: (H, W, 3) uint8 BGR image.
        face: Face in the frame.
        size: Side length of the result in pixels.

    Returns:
        (size, size, 3) uint8 BGR image, black outside the frame.

    """
    scale = size / max(face.width, face.height, 1.0)
    centre = np.asarray(face.box, np.float64).reshape(2, 2).mean(axis=0)
    offset = size / 2 - 0.5 - scale * centre
    matrix = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]])
    return np.asarray(cv2.warpAffine(frame, matrix, (size, size), flags=cv2.INTER_LINEAR)).astype(
        np.uint8, copy=False
    )
