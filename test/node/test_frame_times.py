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

"""Stamps that are out of order, equal or missing: time runs on, and only a restart starts anew."""

from __future__ import annotations

import itertools

import pytest

from cfrnet_ros.node.frame_times import LATE_STEP_S, FrameTimes

BASE_NS, PERIOD_NS = 1_767_225_600 * 10**9, 66_666_667


def times(stamps: list[int], arrival_s: float = 0.05) -> tuple[list[float], int]:
    """Return the times of the frames since the first, and the number of restarts."""
    found, restarts, clock = [], 0, FrameTimes()
    for number, stamp in enumerate(stamps):
        found.append(clock.add(stamp, 100.0 + number * arrival_s))
        restarts += clock.restarted
    return [time - found[0] for time in found], restarts


def test_stamps_in_order_are_the_times() -> None:
    found, restarts = times([BASE_NS + number * PERIOD_NS for number in range(5)])
    assert found == pytest.approx([number * PERIOD_NS / 1e9 for number in range(5)], abs=1e-6)
    assert restarts == 0


@pytest.mark.parametrize(
    'order',
    [
        [1, 0, 3, 2, 5, 4],
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 7, 10],
        [0, 5, 1, 6, 2, 7],
    ],
    ids=['neighbours swapped', 'one late by two', 'two interleaved'],
)
def test_late_frames_start_nothing_anew_and_time_runs_on(order: list[int]) -> None:
    found, restarts = times([BASE_NS + number * PERIOD_NS for number in order])
    assert restarts == 0
    steps = [after - before for before, after in itertools.pairwise(found)]
    assert min(steps) > 0.9 * LATE_STEP_S
    # A late frame does not carry the time away from that of the stamps.
    assert found[-1] <= (max(order) - order[0]) * PERIOD_NS / 1e9 + len(order) * LATE_STEP_S


def test_a_bag_that_starts_over_is_a_restart() -> None:
    bag = [BASE_NS + number * PERIOD_NS for number in range(30)]
    found, restarts = times([*bag, *bag, *bag])
    assert restarts == 2
    assert found[30] == pytest.approx(0.0, abs=1e-6)


def test_without_stamps_or_with_equal_ones_the_times_of_arrival_are_taken() -> None:
    for stamp in (0, -5, BASE_NS):
        found, restarts = times([stamp] * 4, arrival_s=0.05)
        assert found == pytest.approx([0.0, 0.05, 0.1, 0.15], abs=1e-6)
        assert restarts == 0


def test_one_frame_without_a_stamp_does_not_start_anew() -> None:
    found, restarts = times([BASE_NS, BASE_NS + PERIOD_NS, 0, BASE_NS + 3 * PERIOD_NS])
    assert restarts == 0
    assert found == sorted(set(found))


def test_one_stamp_of_the_future_is_left_behind() -> None:
    _, restarts = times(
        [BASE_NS, BASE_NS + 3600 * 10**9, BASE_NS + PERIOD_NS, BASE_NS + 2 * PERIOD_NS]
    )
    assert restarts == 1
