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

import time

import pytest

from cfrnet_ros.vision.restoration.restorer import MAX_CYCLES
from cfrnet_ros.vision.stages import RESTORE_CYCLES, Stage, StageClock


def test_each_cycle_has_a_stage_between_fusion_and_identity() -> None:
    order = list(Stage)
    assert order[order.index(Stage.QUALITY) + 1] is Stage.FUSE
    first = order.index(Stage.FUSE) + 1
    assert order[first : first + MAX_CYCLES] == list(RESTORE_CYCLES)
    assert order[first + MAX_CYCLES : first + MAX_CYCLES + 2] == [Stage.FINE, Stage.IDENTITY]
    assert [stage.value for stage in RESTORE_CYCLES[:2]] == ['restore_cycle_1', 'restore_cycle_2']


def test_clock_adds_up_the_blocks_of_a_stage_and_keeps_the_order_of_the_stages() -> None:
    clock = StageClock()
    for stage in (Stage.PUBLISH, Stage.DECODE, Stage.PUBLISH):
        with clock(stage):
            time.sleep(0.002)
    times = clock.stages_ms
    assert list(times) == [Stage.DECODE, Stage.PUBLISH]
    assert times[Stage.DECODE] >= 2.0
    assert times[Stage.PUBLISH] >= 4.0
    assert clock.elapsed_ms >= sum(times.values())


def test_block_that_raises_is_not_counted() -> None:
    clock = StageClock()
    with pytest.raises(ValueError, match='broken'), clock(Stage.DECODE):
        raise ValueError('broken')
    assert not clock.stages_ms


def test_cycles_of_several_faces_are_summed_by_cycle() -> None:
    clock = StageClock()
    for cycle_ms in ((3.0, 2.0), (), (4.0,)):
        clock.add_cycles(cycle_ms)
    assert clock.stages_ms == {Stage.RESTORE_CYCLE_1: 7.0, Stage.RESTORE_CYCLE_2: 2.0}


def test_total_and_age_are_not_parts_of_the_total() -> None:
    clock = StageClock()
    for stage, ms in ((Stage.WAIT, 1.0), (Stage.BLEND, 2.0), (Stage.TOTAL, 4.0), (Stage.AGE, 9.0)):
        clock.add(stage, ms)
    assert clock.parts_ms == 3.0


def test_stage_times_are_an_immutable_copy() -> None:
    clock = StageClock()
    clock.add(Stage.WAIT, 1.0)
    times = clock.stages_ms
    clock.add(Stage.WAIT, 1.0)
    assert times == {Stage.WAIT: 1.0}
    with pytest.raises(TypeError):
        times[Stage.WAIT] = 5.0  # type: ignore[index]
