"""Faces as vision_msgs/Detection2DArray, where vision_msgs is installed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from std_msgs.msg import Header

from cfrnet_ros.vision.types import Face

try:
    from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesisWithPose
except ImportError:  # not on the Python package index, optional in ROS 2
    Detection2DArray = None

#: `class_id` of every detection.
CLASS_ID = 'face'


def available() -> bool:
    """Whether detections can be published at all."""
    return Detection2DArray is not None


def to_detections_msg(faces: Sequence[Face], header: Header) -> Any:
    """Make one message of a frame's faces, in the order of its crops.

    Args:
        faces: boxes in pixels of the source image.
        header: of the source image.

    Returns:
        vision_msgs/Detection2DArray; `id` is the track id, '' for an untracked face.

    """
    msg = Detection2DArray()
    msg.header = header
    for face in faces:
        x0, y0, x1, y1 = (float(v) for v in face.box)
        detection = Detection2D()
        detection.header = header
        detection.id = str(face.track_id) if face.track_id >= 0 else ''
        detection.bbox.center.position.x = (x0 + x1) / 2
        detection.bbox.center.position.y = (y0 + y1) / 2
        detection.bbox.size_x = x1 - x0
        detection.bbox.size_y = y1 - y0
        result = ObjectHypothesisWithPose()
        result.hypothesis.class_id = CLASS_ID
        result.hypothesis.score = float(face.score)
        detection.results.append(result)
        msg.detections.append(detection)
    return msg
