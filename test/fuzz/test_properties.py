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

"""What holds for any input: alignment, tracker and budget."""

from __future__ import annotations

import math

import numpy as np
import pytest
from fuzzing import counted, fuzz
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cfrnet_ros.vision.preprocessing.align import DEFAULT_TEMPLATE, similarity_transform
from cfrnet_ros.vision.restoration.budget import CycleBudget
from cfrnet_ros.vision.tracking.tracker import FaceTracker
from cfrnet_ros.vision.types import Face

SIZE = 256
TURN = st.floats(-math.pi, math.pi)
SCALE = st.floats(0.05, 20)
SHIFT = st.floats(-2000, 2000)


def moved(
    points: NDArray[np.float64], turn: float, scale: float, x: float, y: float
) -> NDArray[np.float64]:
    """Turn (N, 2) points by an angle in radians, scale and shift them."""
    c, s = scale * math.cos(turn), scale * math.sin(turn)
    return points @ np.array([[c, s], [-s, c]]) + [x, y]


# -- alignment


@fuzz()
@given(TURN, SCALE, SHIFT, SHIFT)
@counted
def test_a_face_that_is_the_template_moved_is_aligned_exactly(
    turn: float, scale: float, x: float, y: float
) -> None:
    wanted = DEFAULT_TEMPLATE * SIZE - 0.5
    affine = similarity_transform(moved(wanted, turn, scale, x, y), SIZE)
    back = moved(wanted, turn, scale, x, y) @ affine[:, :2].T + affine[:, 2]
    assert back == pytest.approx(wanted, abs=1e-4)
    # A similarity keeps angles: its columns are orthogonal and of one length.
    assert affine[0, 0] == pytest.approx(affine[1, 1], rel=1e-6)
    assert affine[0, 1] == pytest.approx(-affine[1, 0], rel=1e-6, abs=1e-9)


@fuzz()
@given(
    st.lists(st.tuples(SHIFT, SHIFT), min_size=5, max_size=5), TURN, st.floats(0.2, 5), SHIFT, SHIFT
)
@counted
def test_a_moved_face_gives_the_same_crop(
    points: list[tuple[float, float]], turn: float, scale: float, x: float, y: float
) -> None:
    face = np.array(points)
    try:
        affine = similarity_transform(face, SIZE)
        other = similarity_transform(moved(face, turn, scale, x, y), SIZE)
    except ValueError:
        # Points that coincide or do not resemble a face at all are refused.
        return
    # Where the fit is nearly degenerate its direction is not determined.
    assume(np.hypot(*affine[:, 0]) > 1e-3)
    crop = face @ affine[:, :2].T + affine[:, 2]
    again = moved(face, turn, scale, x, y) @ other[:, :2].T + other[:, 2]
    assert again == pytest.approx(crop, abs=1e-2)


# -- tracker


@st.composite
def detections(draw: st.DrawFn) -> list[Face] | None:
    """Draw the faces of a frame of 160 x 120, None where the detector does not run."""
    if draw(st.integers(0, 3)) == 0:
        return None
    faces = []
    for _ in range(draw(st.integers(0, 3))):
        x, y = draw(st.integers(-20, 150)), draw(st.integers(-20, 110))
        side = draw(st.integers(1, 60))
        marks = (DEFAULT_TEMPLATE * side + [x, y]).astype(np.float32)
        box = np.array([x, y, x + side, y + side], np.float32)
        faces.append(Face(box, marks, draw(st.floats(0, 1))))
    return faces


@fuzz(0.5)
@given(
    st.lists(st.tuples(detections(), st.integers(-1000, 3000)), min_size=1, max_size=8),
    st.integers(0, 2**32 - 1),
)
@counted
def test_faces_of_a_frame_have_ids_of_their_own_and_none_comes_twice(
    frames: list[tuple[list[Face] | None, int]], seed: int
) -> None:
    tracker, rng, now, highest = FaceTracker(), np.random.default_rng(seed), 0.0, -1
    gray = rng.integers(0, 256, (120, 160), np.uint8)
    for found, step in frames:
        now += step / 1000
        faces = tracker.update(np.roll(gray, rng.integers(-2, 3), axis=1), found, now)
        ids = [face.track_id for face in faces]
        assert len(set(ids)) == len(ids)
        assert all(track_id >= 0 for track_id in ids)
        # New ids continue the numbering; others are those of earlier faces.
        fresh = sorted(track_id for track_id in ids if track_id > highest)
        assert not fresh or fresh[0] >= highest + 1
        highest = max([highest, *ids])
        areas = [face.area for face in faces]
        assert areas == sorted(areas, reverse=True)
        assert all(np.isfinite(face.box).all() for face in faces)
        assert tracker.active == len(faces)


# -- budget

MS = st.floats(0, 1e4)


@fuzz()
@given(
    st.lists(
        st.tuples(
            st.integers(1, 8),
            st.integers(0, 4),
            st.floats(0, 1e3),
            MS,
            st.lists(MS, max_size=8),
            st.one_of(st.none(), MS),
            MS,
        ),
        max_size=12,
    )
)
@counted
def test_the_budget_allows_one_cycle_to_those_asked_for(
    frames: list[tuple[int, int, float, float, list[float], float | None, float]],
) -> None:
    budget = CycleBudget()
    for asked, faces, limit_ms, spent_ms, cycle_ms, detect_ms, rest_ms in frames:
        allowed = budget.allow(asked, faces, limit_ms, spent_ms)
        assert 1 <= allowed <= asked
        if limit_ms == 0:
            assert allowed == asked
        budget.observe(cycle_ms, detect_ms, rest_ms)
        budget.observe_after(rest_ms)


@fuzz()
@given(st.floats(0.05, 100), st.floats(0, 50), st.integers(1, 3), st.floats(1, 1000))
@counted
def test_a_steady_load_ends_at_the_most_cycles_that_fit(
    cycle: float, rest: float, faces: int, limit: float
) -> None:
    budget = CycleBudget()
    allowed = budget.allow(8, faces, limit)
    for _ in range(60):
        budget.observe([cycle] * allowed * faces, None, rest)
        allowed = budget.allow(8, faces, limit)
    assert allowed == 1 or rest + allowed * faces * cycle <= limit
    # One more would not leave the margin of a tenth free.
    assert allowed == 8 or rest + (allowed + 1) * faces * cycle > 0.9 * limit * (1 - 1e-9)
