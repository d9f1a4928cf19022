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

"""PERCLOS by its definition, and the monitor on the signal of a person."""

from __future__ import annotations

import pytest
from eyelid_signals import signal

from examples.eyelids.monitor import EyelidMonitor, EyelidReading
from examples.eyelids.perclos import Perclos


def test_perclos_is_the_share_of_time_at_most_a_fifth_open() -> None:
    perclos = Perclos()
    # A measurement counts until the next one: 1 s at 0.2, 1 s at 0.21, 2 s at 0.
    for time_s, openness in ((0.0, 0.2), (0.5, 0.2), (1.0, 0.21), (1.5, 0.21)):
        perclos.add(time_s, openness)
    for time_s, openness in ((2.0, 0.0), (2.5, 0.0), (3.0, 0.0), (3.5, 0.0), (4.0, 1.0)):
        perclos.add(time_s, openness)
    assert perclos.observed_s == pytest.approx(4.0)
    assert perclos.value == pytest.approx(3.0 / 4.0)


def test_perclos_weighs_by_time_and_not_by_frames() -> None:
    perclos = Perclos()
    for index in range(100):
        perclos.add(index * 0.01, 0.0)
    for index in range(11):
        perclos.add(1.0 + index * 0.3, 1.0)
    assert perclos.value == pytest.approx(1.0 / 4.0)


def test_the_window_slides_and_cuts_spans() -> None:
    perclos = Perclos(window_s=10.0)
    for index in range(41):
        perclos.add(index * 0.5, 0.0 if index < 20 else 1.0)
        if index == 30:
            # The eyes were shut in the first 5 of the last 10 s.
            assert perclos.value == pytest.approx(0.5)
    assert perclos.value == pytest.approx(0.0)
    assert perclos.observed_s == pytest.approx(10.0)


def test_gaps_do_not_count_as_observed_time() -> None:
    perclos = Perclos(longest_gap_s=0.5)
    assert perclos.value is None
    for time_s, openness in ((0.0, 0.0), (0.4, 0.0), (5.0, 1.0), (5.4, 1.0), (5.6, 1.0)):
        perclos.add(time_s, openness)
    assert perclos.observed_s == pytest.approx(1.0)
    assert perclos.value == pytest.approx(0.4)


def test_time_jumping_back_resets_perclos() -> None:
    perclos = Perclos()
    for time_s in (0.0, 0.4, 0.8):
        perclos.add(100 + time_s, 0.0)
    for time_s in (0.0, 0.4):
        perclos.add(time_s, 1.0)
    assert perclos.value == pytest.approx(0.0)
    assert perclos.observed_s == pytest.approx(0.4)


@pytest.mark.parametrize(('window_s', 'gap_s'), [(0.0, 0.5), (60.0, 0.0)])
def test_windows_without_time_are_refused(window_s: float, gap_s: float) -> None:
    with pytest.raises(ValueError, match='above 0'):
        Perclos(window_s, gap_s)


def watch(monitor: EyelidMonitor, *args: object, **kwargs: object) -> list[EyelidReading]:
    return [monitor.add(t, r) for t, r in signal(*args, **kwargs)]  # type: ignore[arg-type]


CLOSURES = [(start, start + 0.3) for start in (4.0, 9.0, 14.0, 19.0, 24.0)] + [(30.0, 33.0)]


def test_monitor_counts_blinks_and_computes_perclos() -> None:
    readings = watch(EyelidMonitor(), CLOSURES, seconds=40.0)
    last = readings[-1]
    assert (last.blinks, last.long_closures) == (5, 1)
    assert last.observed_s == pytest.approx(39.0, abs=0.2)
    assert last.blinks_per_minute == pytest.approx(60 * 5 / 39, rel=0.02)
    # 4.5 s of 39, minus the time in which the lids move.
    assert last.perclos == pytest.approx(4.5 / 39, abs=0.01)
    shut = [reading.shut_for_s for reading in readings]
    assert max(shut) == pytest.approx(3.0, abs=0.1)
    assert last.shut_for_s == 0


def test_openness_is_calibrated_to_person_and_picture() -> None:
    # In a blurred picture shut eyes measure nearly like open ones; the first blinks show it.
    readings = watch(EyelidMonitor(), CLOSURES, seconds=40.0, shut_ratio=0.2)
    openness = [reading.openness for reading in readings]
    assert openness[0] is None
    assert openness[int(3.0 * 15)] == pytest.approx(1.0, abs=0.01)
    assert openness[int(31.0 * 15)] == pytest.approx(0.0, abs=0.01)
    assert readings[-1].perclos == pytest.approx((4.5 - 0.3) / 39, abs=0.01)


def test_values_are_none_during_warm_up() -> None:
    first, *_ = watch(EyelidMonitor(), [], seconds=1.0)
    assert (first.openness, first.perclos, first.blinks_per_minute) == (None, None, None)
    readings = watch(EyelidMonitor(), [], seconds=12.0)
    assert readings[int(9.0 * 15)].blinks_per_minute is None
    assert readings[-1].blinks_per_minute == 0


def test_blink_rate_covers_the_window_and_blink_count_everything() -> None:
    monitor = EyelidMonitor(window_s=15.0)
    last = watch(monitor, [*CLOSURES[:2], (34.0, 34.3)], seconds=40.0)[-1]
    assert last.blinks == 3
    assert last.blinks_per_minute == pytest.approx(60 / 15, rel=0.02)


def test_time_jumping_back_resets_the_monitor() -> None:
    monitor = EyelidMonitor()
    watch(monitor, CLOSURES, seconds=40.0)
    assert watch(monitor, [], seconds=12.0)[-1].blinks == 0
