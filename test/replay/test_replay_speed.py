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

"""What a replay says of the speed of the machine."""

from __future__ import annotations

from typing import Any

import pytest

from cfrnet_ros.replay.speed import Speed, advice, listing, speeds_of


def speeds(*hz: float) -> list[Speed]:
    return [Speed(number, value, 1000 / value) for number, value in enumerate(hz, start=1)]


def test_speeds_are_the_frames_that_fit_into_a_second() -> None:
    passes: list[dict[str, Any]] = [
        {'cycles': 1, 'work_p50_ms': 80.0},
        {'cycles': 2, 'work_p50_ms': None},
    ]
    assert speeds_of(passes) == [Speed(1, 12.5, 80.0)]


def test_listing_names_every_number_of_cycles() -> None:
    assert listing(speeds(12.4, 7.14)) == 'k = 1 at 12 frames a second, k = 2 at 7.1'
    assert listing([]) == ''


@pytest.mark.parametrize(
    ('hz', 'expected'),
    [
        ((40.0, 20.0), "Each of them keeps up with the camera's 15 a second."),
        ((16.0, 9.0), "Up to k = 1 the node keeps up with the camera's 15 a second"),
        ((6.0, 3.5), 'with k = 1 the node would process 40% of the frames'),
    ],
    ids=['fast', 'in between', 'slow'],
)
def test_advice_says_what_keeps_up_with_the_camera(hz: tuple[float, ...], expected: str) -> None:
    assert expected in advice(speeds(*hz), 15.0)


def test_advice_is_empty_where_nothing_is_known() -> None:
    assert advice([], 15.0) == advice(speeds(10.0), None) == ''
