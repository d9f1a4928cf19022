"""The topics that the node publishes for a frame."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from cfrnet_ros.node.camera_info import CameraInfoHolder
from cfrnet_ros.node.face_outputs import FaceOutputs
from cfrnet_ros.node.frame_report import to_frame_msg
from cfrnet_ros.node.images.messages import to_image_msg
from cfrnet_ros.node.publishers import create_output
from cfrnet_ros.node.qos import FACE_DEPTH
from cfrnet_ros.node.rep155 import Rep155Outputs
from cfrnet_ros.vision.types import RestoredFace
from cfrnet_ros.vision.views.compositor import blend_faces
from cfrnet_ros.vision.views.debug_view import draw_debug

RESTORED_TOPIC = '~/image_restored'
DEBUG_TOPIC = '~/image_debug'
FRAME_STATUS_TOPIC = '~/frame/status'


class Outputs:
    """Everything that goes out for a frame: the faces, the restored frame, the debug view.

    The pictures cost time, so they are made only while somebody subscribes. The
    stages are timed in milliseconds.
    """

    def __init__(self, node: LifecycleNode, camera: CameraInfoHolder, rep155: bool) -> None:
        """Create the publishers; they send nothing before the node is active."""
        self._node = node
        self._faces = FaceOutputs(node, camera)
        self._rep155 = Rep155Outputs(node) if rep155 else None
        self._restored = create_output(node, Image, RESTORED_TOPIC)
        self._debug = create_output(node, Image, DEBUG_TOPIC)
        self._frame_status = create_output(node, DiagnosticArray, FRAME_STATUS_TOPIC, FACE_DEPTH)
        self._name = node.get_fully_qualified_name().lstrip('/')

    def destroy(self) -> None:
        """Take the topics down."""
        self._faces.destroy()
        if self._rep155 is not None:
            self._rep155.destroy()
        for publisher in (self._restored, self._debug, self._frame_status):
            self._node.destroy_lifecycle_publisher(publisher)

    def publish_faces(
        self, frame: NDArray[np.uint8], faces: Sequence[RestoredFace], header: Header
    ) -> None:
        """Send what was made of the faces of a frame; see `face_outputs.FaceOutputs`."""
        self._faces.publish(frame, faces, header)
        if self._rep155 is not None:
            self._rep155.publish(frame, faces, header)

    def publish_frame_status(
        self,
        header: Header,
        values: Mapping[str, object],
        stages_ms: Mapping[str, float],
        rejected: str = '',
    ) -> None:
        """Say what became of a frame; see `frame_report.to_frame_msg`."""
        # Mostly text, so only where somebody reads it.
        if self._frame_status.get_subscription_count():
            msg = to_frame_msg(self._name, header, values, stages_ms, rejected)
            self._frame_status.publish(msg)

    def watched(self) -> tuple[bool, bool]:
        """Whether anybody subscribes to the restored frame, and to the debug view."""
        return (
            self._restored.get_subscription_count() > 0,
            self._debug.get_subscription_count() > 0,
        )

    @staticmethod
    def restored_view(
        frame: NDArray[np.uint8], faces: Sequence[RestoredFace], stages_ms: dict[str, float]
    ) -> NDArray[np.uint8]:
        """Blend the faces back into the frame.

        Args:
            frame: (H, W, 3) uint8 BGR, not changed.
            faces: of the frame; those not restored are left as they are.
            stages_ms: receives the time as `blend`.

        """
        start = time.perf_counter()
        blended = blend_faces(frame, faces) if faces else frame
        stages_ms['blend'] = (time.perf_counter() - start) * 1e3
        return blended

    @staticmethod
    def debug_view(
        frame: NDArray[np.uint8],
        faces: Sequence[RestoredFace],
        info: Sequence[str],
        stages_ms: dict[str, float],
    ) -> NDArray[np.uint8]:
        """Draw boxes, landmarks and before/after.

        Args:
            frame: (H, W, 3) uint8 BGR, not changed.
            faces: what to draw.
            info: lines of text.
            stages_ms: receives the time as `debug`.

        """
        start = time.perf_counter()
        drawn = draw_debug(frame, faces, info)
        stages_ms['debug'] = (time.perf_counter() - start) * 1e3
        return drawn

    def publish_views(
        self,
        restored: NDArray[np.uint8] | None,
        debug: NDArray[np.uint8] | None,
        header: Header,
    ) -> None:
        """Send the pictures that were made."""
        if restored is not None:
            self._restored.publish(to_image_msg(restored, header))
        if debug is not None:
            self._debug.publish(to_image_msg(debug, header))
