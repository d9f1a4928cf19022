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

"""Converts faces to vision_msgs/Detection2DArray if vision_msgs is installed.

The first result of a detection is the face with its detection score. Each further result is a
measurement (see `face_report.face_values`): `class_id` is `face/<name>` and `score` is the value,
which is usually not a probability. A result `face/unrestored/<reason>` with score 1 means that
the face was passed on unrestored for this reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from std_msgs.msg import Header

from cfrnet_ros.node.face_report import face_values
from cfrnet_ros.vision.frame_record import FaceRecord
from cfrnet_ros.vision.types import RestoredFace

try:
    from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesisWithPose
except ImportError:  # vision_msgs is not on the Python package index and optional in ROS 2.
    Detection2DArray = None

#: `class_id` of the first result of every detection.
CLASS_ID = 'face'

#: Names of the measurements that become further results if they were made.
MEASURED = (
    'cycles',
    'residual',
    'brightness',
    'yaw_deg',
    'symmetry',
    'upright',
    'sharpness_before',
    'sharpness_after',
    'identity_drift_deg',
    'eye_openness_before',
    'eye_openness_after',
    'eye_change',
)


def available() -> bool:
    """Return whether vision_msgs is installed, so that detections can be published."""
    return Detection2DArray is not None


def to_detections_msg(faces: Sequence[RestoredFace], header: Header) -> Any:
    """Convert the faces of a frame to one message, in the order of the frame's crops.

    Args:
        faces: Faces of the frame, with boxes in pixels of the source image.
        header: Header of the source image.

    Returns:
        vision_msgs/Detection2DArray. `id` is the track id, or '' for an untracked face.

    """
    msg = Detection2DArray()
    msg.header = header
    for item in faces:
        face = item.face
        x0, y0, x1, y1 = (float(v) for v in face.box)
        detection = Detection2D()
        detection.header = header
        detection.id = str(face.track_id) if face.track_id >= 0 else ''
        detection.bbox.center.position.x = (x0 + x1) / 2
        detection.bbox.center.position.y = (y0 + y1) / 2
        detection.bbox.size_x = x1 - x0
        detection.bbox.size_y = y1 - y0
        detection.results.append(_hypothesis(CLASS_ID, face.score))
        if item.reason:
            detection.results.append(_hypothesis(f'{CLASS_ID}/unrestored/{item.reason}', 1.0))
        values = face_values(FaceRecord.of(item))
        for name in MEASURED:
            if name in values:
                detection.results.append(_hypothesis(f'{CLASS_ID}/{name}', float(values[name])))
        msg.detections.append(detection)
    return msg


def _hypothesis(class_id: str, score: float) -> Any:
    result = ObjectHypothesisWithPose()
    result.hypothesis.class_id = class_id
    result.hypothesis.score = float(score)
    return result
