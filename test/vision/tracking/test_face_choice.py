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

"""The choice of the faces that are passed on."""

from __future__ import annotations

import numpy as np
import pytest

from cfrnet_ros.vision.tracking.face_choice import WHOLE_FRAME, check_region, choose_faces
from cfrnet_ros.vision.types import Face

MARKS = np.zeros((5, 2), np.float32)


def face(x: float, y: float, side: float, track_id: int) -> Face:
    half = side / 2
    return Face(
        np.array([x - half, y - half, x + half, y + half], np.float32), MARKS, 0.9, track_id
    )


FACES = [face(150, 200, 60, 0), face(480, 220, 120, 1), face(300, 100, 90, 2)]


def ids(**arguments: object) -> list[int]:
    arguments = {'most': 10, **arguments}
    return [f.track_id for f in choose_faces(FACES, 640, 480, **arguments)]  # type: ignore[arg-type]


def test_largest_first_and_no_more_than_asked() -> None:
    assert ids() == [1, 2, 0]
    assert ids(most=1) == [1]
    assert ids(most=0) == []


def test_only_faces_with_their_centre_in_the_region() -> None:
    assert ids(region=(0.0, 0.0, 0.5, 1.0)) == [2, 0]
    assert ids(region=(0.0, 0.3, 0.5, 1.0)) == [0]
    assert ids(region=(0.9, 0.9, 1.0, 1.0)) == []


@pytest.mark.parametrize(('x', 'y'), [(160, 240), (480, 240), (320, 120), (320, 360)])
def test_a_face_on_the_edge_of_the_region_counts_as_inside(x: float, y: float) -> None:
    on_edge = face(x, y, 60, 5)
    region = (0.25, 0.25, 0.75, 0.75)
    assert choose_faces([on_edge], 640, 480, 1, region=region) == [on_edge]


def test_the_driver_is_nearest_to_the_regions_centre_however_small() -> None:
    left = (0.0, 0.2, 0.5, 0.8)
    assert ids(choice='driver', region=left, most=1) == [0]
    assert ids(choice='largest', region=left, most=1) == [2]
    # No other person becomes the driver when the seat is empty.
    assert ids(choice='driver', region=(0.9, 0.0, 1.0, 1.0), most=1) == []


def test_a_face_cut_by_the_border_counts_as_in_the_frame() -> None:
    cut = face(-10, 200, 80, 5)
    assert choose_faces([cut], 640, 480, 1, region=WHOLE_FRAME) == [cut]


@pytest.mark.parametrize(
    ('region', 'reason'),
    [
        ((0.1, 0.1, 0.9), 'four numbers'),
        ((0.0, 0.0, 640.0, 480.0), 'not pixels'),
        ((-0.1, 0.0, 1.0, 1.0), 'from 0 to 1'),
        ((0.0, float('nan'), 1.0, 1.0), 'from 0 to 1'),
        ((0.6, 0.0, 0.4, 1.0), 'empty'),
        ((0.0, 0.5, 1.0, 0.5), 'empty'),
    ],
)
def test_wrong_regions_are_refused_with_the_reason(region: tuple[float, ...], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_region(region)
