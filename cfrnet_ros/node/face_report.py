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

"""Values of each face for the diagnostics, `~/face/status` and the detections."""

from __future__ import annotations

from collections.abc import Sequence

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Header

from cfrnet_ros.vision.frame_record import FaceRecord
from cfrnet_ros.vision.quality.face_quality import EYES
from cfrnet_ros.vision.types import RestoredFace

FaceValue = bool | int | float | str


def face_values(face: FaceRecord) -> dict[str, FaceValue]:
    """List the values of a face by name.

    Args:
        face: Account of the face.

    Returns:
        Values by name: `track_id`, `score` (0..1), `restored`, `reason` (why the face was not
        restored, one of `face_quality.REASONS`), `reused`, `cycles`, `residual` (change by the
        last cycle, 0..1), `size_px`, `brightness` (0..255), `overexposed` (0..1), `yaw_deg`,
        `symmetry` (-1..1), `sharpness_before`, `upright` (-1..1), `sharpness_after`,
        `identity_drift_deg`, `eye_openness_before` and `eye_openness_after` (height over width),
        `eye_change` (above 0 for an eye that came out more open), `eyes_flagged` (whether the face
        was restored although its eyes changed too much), `fused_frames` (effective number of
        frames in the crop), `fused_moving` (share of the crop, 0..1, in which the newest frame
        was passed through) and `fine` (whether the fine stage followed the cycles).
        Values that were not measured are absent.

    """
    values: dict[str, FaceValue] = {
        'track_id': face.track_id,
        'score': face.score,
        'restored': face.restored,
        'reason': face.reason,
        'reused': face.reused,
        'cycles': face.cycles,
    }
    if face.residuals:
        values['residual'] = face.residuals[-1]
    if face.quality is not None:
        values |= {
            'size_px': face.quality.size_px,
            'brightness': face.quality.brightness,
            'overexposed': face.quality.overexposed,
            'yaw_deg': face.quality.yaw_deg,
            'symmetry': face.quality.symmetry,
            'sharpness_before': face.quality.sharpness,
        }
        if face.quality.upright is not None:
            values['upright'] = face.quality.upright
    if face.sharpness is not None:
        values['sharpness_after'] = face.sharpness
    if face.identity_drift_deg is not None:
        values['identity_drift_deg'] = face.identity_drift_deg
    if face.eyes is not None:
        values |= {
            'eye_openness_before': face.eyes.before,
            'eye_openness_after': face.eyes.after,
            'eye_change': face.eyes.change,
            'eyes_flagged': face.eyes_flagged,
        }
    if face.fused_frames is not None and face.fused_moving is not None:
        values |= {'fused_frames': face.fused_frames, 'fused_moving': face.fused_moving}
    if face.fine is not None:
        values['fine'] = face.fine
    return values


def value_text(value: object) -> str:
    """Format a value as text for a diagnostic message; None gives ''."""
    if isinstance(value, bool):
        return 'true' if value else 'false'
    if isinstance(value, float):
        return f'{value:.5f}' if abs(value) < 0.1 else f'{value:.3f}'
    return '' if value is None else str(value)


def to_status_msg(faces: Sequence[RestoredFace], header: Header, node_name: str) -> DiagnosticArray:
    """Convert the faces of a frame to one message, in the order of the frame's crops.

    Args:
        faces: Faces of the frame.
        header: Header of the source image.
        node_name: Name of the node. The names of the statuses begin with it.

    Returns:
        diagnostic_msgs/DiagnosticArray with one status for each face: OK if the face was restored
        and its eyes were not flagged, otherwise WARN with the reason as its message. The value
        `affine` is the (2, 3) matrix from frame pixels to crop pixels, row by row.

    """
    msg = DiagnosticArray(header=header)
    for face in faces:
        record = FaceRecord.of(face)
        known = face_values(record)
        values = {name: value_text(value) for name, value in known.items()}
        values['affine'] = ' '.join(f'{number:.9g}' for number in face.affine.ravel())
        fine = record.restored and not record.eyes_flagged
        msg.status.append(
            DiagnosticStatus(
                level=DiagnosticStatus.OK if fine else DiagnosticStatus.WARN,
                name=f'{node_name}: face {face.face.track_id}',
                message=face.reason or ('restored' if fine else f'restored, {EYES}'),
                values=[KeyValue(key=key, value=value) for key, value in values.items()],
            )
        )
    return msg
