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

"""Topics with one message per face, and topics about all faces of a frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Point32, PolygonStamped
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from cfrnet_ros.node import detections
from cfrnet_ros.node.camera_info import CameraInfoHolder, crop_camera_info
from cfrnet_ros.node.face_report import to_status_msg
from cfrnet_ros.node.image_output import ImageOutput
from cfrnet_ros.node.images.messages import to_image_msg
from cfrnet_ros.node.publishers import create_output
from cfrnet_ros.node.qos import FACE_DEPTH
from cfrnet_ros.vision.types import RestoredFace
from cfrnet_ros.vision.views.crop_geometry import corners_in_frame

FACE_TOPIC = '~/face/image'
CAMERA_INFO_TOPIC = '~/face/camera_info'
OUTLINE_TOPIC = '~/face/outline'
FUSED_TOPIC = '~/face/fused'
STATUS_TOPIC = '~/face/status'
DETECTIONS_TOPIC = '~/detections'


class FaceOutputs:
    """Publishes the crops, their positions in the frame, and the measurements of the faces.

    All messages carry the header of the source image, and each is made only if somebody subscribes
    to it. For each face, in the same order, these are the crop, its outline, the crop before
    restoration and, if the source's intrinsics are known, the crop's intrinsics. For each frame
    these are the status of the faces and, if vision_msgs is installed, the detections.
    """

    def __init__(self, node: LifecycleNode, camera: CameraInfoHolder) -> None:
        """Create the publishers; they send nothing before the node is active.

        Args:
            node: Node that publishes.
            camera: Holder of the source's intrinsics.

        """
        self._node = node
        self._name = node.get_fully_qualified_name().lstrip('/')
        self._camera = camera
        self._image = ImageOutput(node, FACE_TOPIC, FACE_DEPTH)
        self._camera_info = create_output(node, CameraInfo, CAMERA_INFO_TOPIC, FACE_DEPTH)
        self._outline = create_output(node, PolygonStamped, OUTLINE_TOPIC, FACE_DEPTH)
        self._fused = create_output(node, Image, FUSED_TOPIC, FACE_DEPTH)
        self._status = create_output(node, DiagnosticArray, STATUS_TOPIC)
        self._detections: Any = None
        if detections.available():
            self._detections = create_output(node, detections.Detection2DArray, DETECTIONS_TOPIC)

    def destroy(self) -> None:
        """Destroy the publishers."""
        self._image.destroy()
        publishers = (
            self._camera_info,
            self._outline,
            self._fused,
            self._status,
            self._detections,
        )
        for publisher in publishers:
            if publisher is not None:
                self._node.destroy_lifecycle_publisher(publisher)

    def publish(
        self,
        frame: NDArray[np.uint8],
        faces: Sequence[RestoredFace],
        header: Header,
        jpeg_quality: int,
    ) -> None:
        """Publish all messages about the faces of a frame, in the order of the faces.

        Args:
            frame: (H, W, 3) uint8 BGR image, the source of the faces.
            faces: Faces of the frame, restored or passed on unrestored.
            header: Header of the source image.
            jpeg_quality: Quality of the compressed crops, 1..100.

        """
        if self._detections is not None and self._detections.get_subscription_count():
            self._detections.publish(detections.to_detections_msg(faces, header))
        # The status is mostly text, so it is built only if there is a subscriber.
        if self._status.get_subscription_count():
            self._status.publish(to_status_msg(faces, header, self._name))
        info = None
        if faces and self._camera_info.get_subscription_count():
            info = self._camera.of_image(frame.shape[1], frame.shape[0])
        fused = bool(self._fused.get_subscription_count())
        outlined = bool(self._outline.get_subscription_count())
        for face in faces:
            size = face.crop.shape[0]
            if outlined:
                self._outline.publish(outline_msg(face.affine, size, header))
            if info is not None:
                self._camera_info.publish(crop_camera_info(info, face.affine, size, header))
            if fused:
                self._fused.publish(to_image_msg(face.fused, header))
            self._image.publish(face.crop, header, jpeg_quality)


def outline_msg(affine: NDArray[np.float64], size: int, header: Header) -> PolygonStamped:
    """Describe the position of a crop in its frame.

    Args:
        affine: (2, 3) matrix from frame pixels to crop pixels.
        size: Side length of the crop in pixels.
        header: Header of the source image.

    Returns:
        PolygonStamped with the positions of the crop's corner pixels in the frame, in pixels, as
        `vision.views.crop_geometry.corners_in_frame` computes them; `affine_from_corners` is its
        inverse. z is 0.

    """
    msg = PolygonStamped(header=header)
    msg.polygon.points = [
        Point32(x=float(x), y=float(y)) for x, y in corners_in_frame(affine, size, size)
    ]
    return msg
