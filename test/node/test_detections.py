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

from __future__ import annotations

import numpy as np
import pytest
from std_msgs.msg import Header

from cfrnet_ros.node import detections
from cfrnet_ros.vision.types import Face, Restoration, RestoredFace


def test_detections_have_boxes_in_source_pixels() -> None:
    pytest.importorskip('vision_msgs', reason='vision_msgs is not on the Python package index')
    landmarks = np.zeros((5, 2), np.float32)
    crop = np.zeros((64, 64, 3), np.uint8)
    affine = np.eye(2, 3)
    faces = [
        RestoredFace(
            Face(np.array([10, 20, 50, 80], np.float32), landmarks, 0.75, track_id=7),
            crop,
            affine,
            Restoration(crop, 2, (1.0, 1.0), (0.2, 0.125)),
            identity_drift_deg=12.5,
        ),
        RestoredFace(
            Face(np.array([-4, 0, 6, 20], np.float32), landmarks, 0.5),
            crop,
            affine,
            Restoration(crop, 0, (), ()),
            'too_small',
        ),
    ]
    msg = detections.to_detections_msg(faces, Header(frame_id='camera'))
    first, second = msg.detections
    assert (msg.header.frame_id, first.header.frame_id) == ('camera', 'camera')
    assert (first.bbox.center.position.x, first.bbox.center.position.y) == (30, 50)
    assert (first.bbox.size_x, first.bbox.size_y) == (40, 60)
    assert first.results[0].hypothesis.score == 0.75
    assert first.results[0].hypothesis.class_id == 'face'
    assert (first.id, second.id) == ('7', '')
    values = {r.hypothesis.class_id: r.hypothesis.score for r in first.results}
    assert values == {
        'face': 0.75,
        'face/cycles': 2,
        'face/residual': 0.125,
        'face/identity_drift_deg': 12.5,
    }
    assert [r.hypothesis.class_id for r in second.results][1] == 'face/unrestored/too_small'
