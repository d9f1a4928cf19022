"""Publishes the faces under the names of REP-155 (ROS for human-robot interaction)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from cfrnet_ros.node.images.messages import to_image_msg
from cfrnet_ros.node.qos import output_qos
from cfrnet_ros.vision.types import Face, RestoredFace

try:
    from hri_msgs.msg import IdsList
except ImportError:  # hri_msgs is not on the Python package index and optional in ROS 2.
    IdsList = None

#: Seconds after which the topics of a face that is no longer seen are destroyed.
LINGER_S = 5.0


class Rep155Outputs:
    """Publishes `/humans/faces/<id>/cropped` and `aligned`, and `/humans/faces/tracked`.

    `cropped` is the upright square around the face's box in the camera's image, black outside
    the frame. `aligned` is the restored crop. `tracked` is the list of the ids; it needs hri_msgs.
    """

    def __init__(self, node: LifecycleNode) -> None:
        """Create the topic `tracked` if hri_msgs is installed; `publish` creates the others."""
        self._node = node
        # Ids are global in REP-155, and a part of a topic's name must not begin with a digit.
        self._prefix = str(node.get_fully_qualified_name()).strip('/').replace('/', '_')
        self._faces: dict[int, tuple[Any, Any, float]] = {}
        self._tracked: Any = None
        if IdsList is not None:
            self._tracked = node.create_lifecycle_publisher(
                IdsList, '/humans/faces/tracked', output_qos()
            )

    def destroy(self) -> None:
        """Destroy all publishers."""
        if self._tracked is not None:
            self._node.destroy_lifecycle_publisher(self._tracked)
        for track_id in list(self._faces):
            self._remove(track_id)

    def publish(
        self, frame: NDArray[np.uint8], faces: Sequence[RestoredFace], header: Header
    ) -> None:
        """Publish the faces of a frame; untracked faces have no id and are skipped.

        Args:
            frame: (H, W, 3) uint8 BGR image, the source of the faces.
            faces: Faces of the frame, restored or passed on unrestored.
            header: Header of the source image.

        """
        now = time.monotonic()
        if self._tracked is not None:
            ids = [self._id(face.face.track_id) for face in faces if face.face.track_id >= 0]
            self._tracked.publish(IdsList(header=header, ids=ids))
        for face in faces:
            track_id = face.face.track_id
            if track_id < 0:
                continue
            cropped, aligned, _ = self._faces.get(track_id) or self._add(track_id)
            self._faces[track_id] = (cropped, aligned, now)
            aligned.publish(to_image_msg(face.crop, header))
            if cropped.get_subscription_count():
                square = upright_crop(frame, face.face, face.crop.shape[0])
                cropped.publish(to_image_msg(square, header))
        for track_id, (_, _, seen) in list(self._faces.items()):
            if now - seen > LINGER_S:
                self._remove(track_id)

    def _id(self, track_id: int) -> str:
        return f'{self._prefix}_{track_id}'

    def _add(self, track_id: int) -> tuple[Any, Any, float]:
        cropped, aligned = (
            self._node.create_publisher(
                Image, f'/humans/faces/{self._id(track_id)}/{name}', output_qos()
            )
            for name in ('cropped', 'aligned')
        )
        return cropped, aligned, 0.0

    def _remove(self, track_id: int) -> None:
        for publisher in self._faces.pop(track_id)[:2]:
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
