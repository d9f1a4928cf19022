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

"""All topics that the node publishes for a frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import Header

from cfrnet_ros.node.camera_info import CameraInfoHolder
from cfrnet_ros.node.face_outputs import FaceOutputs
from cfrnet_ros.node.frame_report import to_frame_msg
from cfrnet_ros.node.image_output import ImageOutput
from cfrnet_ros.node.publishers import create_output
from cfrnet_ros.node.qos import FACE_DEPTH
from cfrnet_ros.node.rep155 import Rep155Outputs
from cfrnet_ros.vision.camera_rotation import face_in_camera
from cfrnet_ros.vision.frame_record import FrameRecord
from cfrnet_ros.vision.types import RestoredFace

RESTORED_TOPIC = '~/image_restored'
DEBUG_TOPIC = '~/image_debug'
FRAME_STATUS_TOPIC = '~/frame/status'


class Outputs:
    """Publishes the results of a frame: faces, restored frame, debug view and status.

    The restored frame and the debug view take time, so they are made only while somebody
    subscribes to them.
    """

    def __init__(
        self,
        node: LifecycleNode,
        camera: CameraInfoHolder,
        rep155: bool,
        whole_frames: bool = True,
    ) -> None:
        """Create the publishers; they send nothing before the node is active.

        Args:
            node: Node that publishes.
            camera: Holder of the source's intrinsics.
            rep155: Whether the faces are also published under the names of REP-155.
            whole_frames: Whether the restored frame and the debug view have topics.

        """
        self._node = node
        self._faces = FaceOutputs(node, camera)
        self._rep155 = Rep155Outputs(node) if rep155 else None
        self._restored = ImageOutput(node, RESTORED_TOPIC) if whole_frames else None
        self._debug = ImageOutput(node, DEBUG_TOPIC) if whole_frames else None
        self._frame_status = create_output(node, DiagnosticArray, FRAME_STATUS_TOPIC, FACE_DEPTH)
        self._name = node.get_fully_qualified_name().lstrip('/')

    def destroy(self) -> None:
        """Destroy the publishers."""
        self._faces.destroy()
        if self._rep155 is not None:
            self._rep155.destroy()
        for views in (self._restored, self._debug):
            if views is not None:
                views.destroy()
        self._node.destroy_lifecycle_publisher(self._frame_status)

    def publish_faces(
        self,
        camera_image: NDArray[np.uint8],
        upright: NDArray[np.uint8],
        faces: Sequence[RestoredFace],
        header: Header,
        rotation: int,
        jpeg_quality: int,
    ) -> None:
        """Publish the faces of a frame.

        Args:
            camera_image: (H, W, 3) uint8 BGR image as the camera sent it.
            upright: The same image, turned clockwise by `rotation`.
            faces: Faces of the frame, restored or passed on unrestored, in pixels of the upright
                image. They are published in pixels of the camera's image.
            header: Header of the source image.
            rotation: Angle of the parameter `camera_rotation`: 0, 90, 180 or 270 degrees.
            jpeg_quality: Quality of the compressed crops, 1..100.

        """
        height, width = camera_image.shape[:2]
        seen = [face_in_camera(face, rotation, width, height) for face in faces]
        self._faces.publish(camera_image, seen, header, jpeg_quality)
        if self._rep155 is not None:
            self._rep155.publish(upright, faces, seen, (width, height), header)

    def publish_frame_status(self, header: Header, record: FrameRecord, rejected: str = '') -> None:
        """Publish the status of a frame.

        Args:
            header: Header of the source image.
            record: Account of the frame.
            rejected: Reason for which the frame was rejected, '' if it was processed.

        """
        # The status is mostly text, so it is built only if there is a subscriber.
        if self._frame_status.get_subscription_count():
            self._frame_status.publish(to_frame_msg(self._name, header, record, rejected))

    def watched(self) -> tuple[bool, bool]:
        """Return whether the restored frame and whether the debug view have a subscriber."""
        return (
            self._restored is not None and self._restored.watched,
            self._debug is not None and self._debug.watched,
        )

    def publish_views(
        self,
        restored: NDArray[np.uint8] | None,
        debug: NDArray[np.uint8] | None,
        header: Header,
        jpeg_quality: int,
    ) -> None:
        """Publish the restored frame and the debug view.

        Args:
            restored: (H, W, 3) uint8 BGR restored frame, None if it was not made.
            debug: (H', W', 3) uint8 BGR debug view, None if it was not made.
            header: Header of the source image.
            jpeg_quality: Quality of the compressed pictures, 1..100.

        """
        if restored is not None and self._restored is not None:
            self._restored.publish(restored, header, jpeg_quality)
        if debug is not None and self._debug is not None:
            self._debug.publish(debug, header, jpeg_quality)
