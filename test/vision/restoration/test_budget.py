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

"""The number of cycles fits a latency budget and does not flicker."""

from __future__ import annotations

from itertools import pairwise

import pytest

from cfrnet_ros.vision.restoration.budget import CycleBudget, RunningEstimate


def play(
    budget: CycleBudget,
    frames: int,
    cycle_ms: float,
    *,
    asked: int = 4,
    faces: int = 1,
    limit_ms: float = 100.0,
    detect_ms: float = 20.0,
    interval: int = 3,
    rest_ms: float = 5.0,
    after_ms: float = 5.0,
) -> list[int]:
    """Run frames of the given durations; return the cycles allowed in each."""
    allowed = []
    for index in range(frames):
        detect = detect_ms if index % interval == 0 else None
        number = budget.allow(asked, faces, limit_ms, rest_ms + (detect or 0.0))
        allowed.append(number)
        budget.observe([cycle_ms] * (number * faces), detect, rest_ms)
        budget.observe_after(after_ms)
    return allowed


def test_the_largest_number_that_fits_is_found_and_kept() -> None:
    # 100 - 20 - 5 - 5 leaves 70 ms: enough for three cycles of 20 ms.
    allowed = play(CycleBudget(), 60, 20.0)
    assert allowed[0] == 1
    assert set(allowed[15:]) == {3}
    # The number is steady although the detector runs in every third frame only.
    assert allowed == sorted(allowed)


def test_allowed_cycles_are_between_one_and_the_request() -> None:
    assert max(play(CycleBudget(), 60, 1.0, asked=2)) == 2
    assert set(play(CycleBudget(), 60, 500.0)) == {1}


def test_without_a_budget_everything_is_allowed() -> None:
    assert set(play(CycleBudget(), 10, 500.0, limit_ms=0.0)) == {4}


def test_more_faces_get_fewer_cycles_each_at_once() -> None:
    budget = CycleBudget()
    assert play(budget, 60, 20.0)[-1] == 3
    assert play(budget, 5, 20.0, faces=2)[0] == 1
    assert play(budget, 30, 20.0)[-1] == 3


def test_a_load_spike_is_answered_fast_and_recovered_from() -> None:
    budget = CycleBudget()
    assert play(budget, 60, 19.0)[-1] == 3
    spike = play(budget, 30, 60.0)
    assert spike[3] == 1
    assert set(spike[4:]) == {1}
    after = play(budget, 60, 19.0)
    assert after[-1] == 3
    # The number does not oscillate on its way back.
    assert after == sorted(after)


def test_one_preempted_frame_changes_nothing() -> None:
    budget = CycleBudget()
    assert play(budget, 60, 20.0)[-1] == 3
    assert budget.allow(4, 1, 100.0) == 3
    budget.observe([400.0, 20.0, 20.0], None, 5.0)
    budget.observe_after(5.0)
    assert play(budget, 20, 20.0) == [3] * 20


def test_a_machine_at_the_limit_does_not_flicker() -> None:
    # A fourth cycle just fits in every other frame.
    budget = CycleBudget()
    allowed = []
    for index in range(200):
        cycle = 17.4 if index % 2 else 17.6
        number = budget.allow(4, 1, 100.0)
        allowed.append(number)
        budget.observe([cycle] * number, 20.0, 5.0)
        budget.observe_after(5.0)
    changes = sum(a != b for a, b in pairwise(allowed[20:]))
    assert changes == 0


def test_a_late_frame_gets_fewer_cycles() -> None:
    budget = CycleBudget()
    play(budget, 60, 20.0)
    assert budget.allow(4, 1, 100.0, spent_ms=30.0) == 3
    assert budget.allow(4, 1, 100.0, spent_ms=60.0) == 1


def test_a_frame_without_faces_does_not_reset_the_choice() -> None:
    budget = CycleBudget()
    play(budget, 60, 20.0)
    assert budget.allow(4, 0, 100.0) == 3
    assert budget.allow(4, 1, 100.0) == 3


def test_estimates_rise_fast_and_fall_slowly() -> None:
    estimate = RunningEstimate()
    assert not estimate.value
    for _ in range(5):
        estimate.add(10.0)
    assert estimate.value == pytest.approx(10.0)
    for _ in range(4):
        estimate.add(50.0)
    assert estimate.value is not None
    high = estimate.value
    assert high > 40
    for _ in range(4):
        estimate.add(10.0)
    assert 20 < (estimate.value or 0.0) < high
