"""The topics that the node publishes for a frame."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from cfrnet_ros.node import detections
from cfrnet_ros.node.image_conversion import to_image_msg
from cfrnet_ros.vision.compositor import blend_faces
from cfrnet_ros.vision.debug_view import draw_debug
from cfrnet_ros.vision.types import RestoredFace

FACE_TOPIC = '~/face/image'
RESTORED_TOPIC = '~/image_restored'
DEBUG_TOPIC = '~/image_debug'
DETECTIONS_TOPIC = '~/detections'


def output_qos() -> QoSProfile:
    """Reliable, so that recorders and viewers of any QoS match; only the newest is kept."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=1,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.VOLATILE,
    )


class Outputs:
    """Publishers for crops, detections, the restored frame and the debug view.

    The pictures cost time, so they are made only while somebody subscribes. The
    stages are timed in milliseconds.
    """

    def __init__(self, node: LifecycleNode) -> None:
        """Create the publishers; they send nothing before the node is active."""
        self._node = node
        self._face = self._create(Image, FACE_TOPIC)
        self._restored = self._create(Image, RESTORED_TOPIC)
        self._debug = self._create(Image, DEBUG_TOPIC)
        self._detections: Any = None
        if detections.available():
            self._detections = self._create(detections.Detection2DArray, DETECTIONS_TOPIC)

    def destroy(self) -> None:
        """Take the topics down."""
        for publisher in (self._face, self._restored, self._debug, self._detections):
            if publisher is not None:
                self._node.destroy_lifecycle_publisher(publisher)

    def publish_faces(self, faces: Sequence[RestoredFace], header: Header) -> None:
        """Send the crops, largest face first, and the detections in the same order."""
        if self._detections is not None:
            found = [face.face for face in faces]
            self._detections.publish(detections.to_detections_msg(found, header))
        for face in faces:
            self._face.publish(to_image_msg(face.crop, header))

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
            faces: what to blend in; without any the frame is sent as it is.
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

    def _create(self, msg_type: Any, topic: str) -> Any:
        return self._node.create_lifecycle_publisher(
            msg_type,
            topic,
            output_qos(),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
