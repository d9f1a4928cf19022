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

"""`~/face/status` and the detections' measurements of one face."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from node_harness import values_of
from std_msgs.msg import Header

from cfrnet_ros.node.face_report import to_status_msg
from cfrnet_ros.vision.types import EyeChange, Face, Restoration, RestoredFace

CROP = np.zeros((64, 64, 3), np.uint8)
RESTORED = RestoredFace(
    Face(np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 0.9, track_id=3),
    CROP,
    np.eye(2, 3),
    Restoration(CROP, 2, (1.0, 1.0), (0.2, 0.1)),
)
EYES = EyeChange(before=0.02, after=0.31, change=0.2, exceeded=True)


def status_of(face: RestoredFace) -> DiagnosticStatus:
    (status,) = to_status_msg([face], Header(), 'cfrnet').status
    return status


def test_a_face_whose_eyes_were_not_measured_says_nothing_of_them() -> None:
    status = status_of(RESTORED)
    assert (status.level, status.message) == (DiagnosticStatus.OK, 'restored')
    assert not [key for key in values_of(status) if key.startswith('eye')]


def test_flagged_eyes_make_the_status_of_a_restored_face_a_warning() -> None:
    status = status_of(replace(RESTORED, eyes=EYES))
    assert (status.level, status.message) == (DiagnosticStatus.WARN, 'restored, eyes_changed')
    values = values_of(status)
    assert values['restored'] == values['eyes_flagged'] == 'true'
    assert float(values['eye_openness_before']) == 0.02
    assert float(values['eye_openness_after']) == 0.31
    assert float(values['eye_change']) == 0.2
    within = status_of(replace(RESTORED, eyes=replace(EYES, exceeded=False)))
    assert (within.level, values_of(within)['eyes_flagged']) == (DiagnosticStatus.OK, 'false')


def test_a_face_refused_for_its_eyes_is_not_flagged_as_well() -> None:
    status = status_of(replace(RESTORED, eyes=EYES, reason='eyes_changed'))
    assert (status.level, status.message) == (DiagnosticStatus.WARN, 'eyes_changed')
    assert values_of(status)['eyes_flagged'] == 'false'
