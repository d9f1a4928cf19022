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

"""The landmarks of a still face are steady, those of a moving one do not lag."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cfrnet_ros.vision.settings import PipelineSettings
from cfrnet_ros.vision.tracking.landmark_filter import MAX_GAP_S, LandmarkFilter
from cfrnet_ros.vision.types import Face

MARKS = np.array([[30, 40], [70, 40], [50, 60], [35, 80], [65, 80]], np.float32)
DEFAULTS = PipelineSettings()


def face_at(points: NDArray[Any], scale: float = 1.0, track_id: int = 0) -> Face:
    box = np.array([0, 0, 100, 120], np.float32) * scale
    box = box + np.tile(points.mean(axis=0) - 50 * scale, 2).astype(np.float32)
    return Face(box, points.astype(np.float32), 0.9, track_id)


def follow(
    points: NDArray[np.float64], hz: float = 30.0, scale: float = 1.0
) -> NDArray[np.float64]:
    """Return (T, 5, 2) landmarks, filtered with the default settings."""
    smoother = LandmarkFilter()
    return np.array(
        [
            smoother.apply(
                face_at(frame, scale),
                100 + index / hz,
                DEFAULTS.landmark_min_cutoff_hz,
                DEFAULTS.landmark_beta,
            )
            for index, frame in enumerate(points)
        ],
        np.float64,
    )


def noisy(count: int, sigma: float, seed: int = 0) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    return MARKS.astype(np.float64) + rng.normal(0, sigma, (count, 5, 2))


@pytest.mark.parametrize(
    ('after_s', 'anew'), [(MAX_GAP_S, False), (MAX_GAP_S + 1e-6, True), (0.0, True)]
)
def test_the_filter_starts_anew_after_a_gap_that_is_too_long(after_s: float, anew: bool) -> None:
    smoother, moved = LandmarkFilter(), face_at(MARKS + 5)
    smoother.apply(face_at(MARKS), 0.0, 1.0, 0.1)
    assert np.array_equal(smoother.apply(moved, after_s, 1.0, 0.1), moved.landmarks) is anew


@pytest.mark.parametrize('hz', [10.0, 15.0, 30.0])
def test_jitter_of_a_still_face_is_less_than_half(hz: float) -> None:
    before = noisy(300, 1.0)
    after = follow(before, hz)
    jitter = [np.abs(np.diff(p, axis=0)).mean() for p in (before[50:], after[50:])]
    assert jitter[1] < 0.5 * jitter[0]
    spread = [p.std(axis=0).mean() for p in (before[50:], after[50:])]
    assert spread[1] < 0.6 * spread[0]


@pytest.mark.parametrize('speed', [0.3, 1.0, 3.0])
def test_lag_behind_motion_is_bounded(speed: float) -> None:
    """The speed is in face widths (100 px) per second."""
    shift = np.arange(60)[:, None, None] / 30 * speed * 100 * np.array([1.0, 0.2])
    after = follow(MARKS + shift)
    lag = np.linalg.norm((MARKS + shift - after)[20:], axis=2).max()
    # 2.5 % of the face's width, at any speed.
    assert lag < 2.5


def test_a_sudden_stop_is_reached() -> None:
    shift = np.minimum(np.arange(90), 30)[:, None, None] * np.array([6.0, 0.0])
    after = follow(MARKS + shift)
    assert np.abs(after[60:] - (MARKS + shift)[60:]).max() < 0.5


def test_the_result_does_not_depend_on_the_resolution() -> None:
    small = noisy(80, 1.0) + np.arange(80)[:, None, None]
    large = follow(small * 4, scale=4.0)
    assert np.allclose(large / 4, follow(small), atol=1e-3)


def test_the_points_keep_their_shape() -> None:
    turned = [
        (MARKS - 55) @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]) + 55
        for a in np.linspace(0, 0.5, 60)
    ]
    points = np.array(turned, np.float64)
    after = follow(points)
    sides = [np.linalg.norm(p[:, 0] - p[:, 1], axis=1) for p in (points, after)]
    assert sides[1] == pytest.approx(sides[0], rel=0.02)


@pytest.mark.parametrize('step', [0.0, -5.0, 10.0])
def test_irregular_time_steps_reset_the_filter(step: float) -> None:
    smoother = LandmarkFilter()
    smoother.apply(face_at(MARKS.astype(np.float64)), 50.0, 1.0, 8.0)
    far = face_at(MARKS + 40.0)
    assert np.array_equal(smoother.apply(far, 50.0 + step, 1.0, 8.0), far.landmarks)
    # The filter continues from there.
    near = face_at(MARKS + 41.0)
    filtered = smoother.apply(near, 50.0 + step + 0.03, 1.0, 8.0)
    assert np.all(filtered > far.landmarks)
    assert np.all(filtered < near.landmarks)


def test_tracks_are_filtered_independently() -> None:
    smoother = LandmarkFilter()
    one, other = face_at(MARKS.astype(np.float64)), face_at(MARKS + 300.0, track_id=1)
    smoother.apply(one, 1.0, 1.0, 8.0)
    assert np.array_equal(smoother.apply(other, 1.03, 1.0, 8.0), other.landmarks)
    untracked = replace(face_at(MARKS + 9.0), track_id=-1)
    for time_s in (1.0, 1.1):
        assert np.array_equal(smoother.apply(untracked, time_s, 1.0, 8.0), untracked.landmarks)
    smoother.keep([1])
    moved = face_at(MARKS + 5.0)
    assert np.array_equal(smoother.apply(moved, 1.05, 1.0, 8.0), moved.landmarks)
    smoother.reset()
    assert np.array_equal(
        smoother.apply(replace(moved, track_id=1), 1.1, 1.0, 8.0), moved.landmarks
    )
