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

"""The fitted line of `benchmarks.hour_replay`, and what it reports as growth."""

from __future__ import annotations

import pytest

from benchmarks.hour_replay import Reading, failures, fit_mb_per_hour


def readings(mb_per_hour: float, threads: int = 20) -> list[Reading]:
    """Return an hour of readings; memory rises by 50 MB at the start, as caches fill."""
    found = []
    for number in range(1, 73):
        frames = 500 * number
        filling = -50.0 if number < 10 else 0.0
        memory = 200.0 + filling + mb_per_hour * frames / 36000
        more = threads if number == 72 else 20
        found.append(Reading(frames, frames / 30, frames / 50, 300.0, memory, more, 15))
    return found


@pytest.mark.parametrize('slope', [0.0, 0.5, 30.0])
def test_memory_over_an_hour_is_fitted_without_the_start(slope: float) -> None:
    fitted, spread = fit_mb_per_hour(readings(slope))
    assert fitted == pytest.approx(slope, abs=1e-6)
    assert spread == pytest.approx(0.0, abs=1e-6)


def test_flat_memory_is_no_failure_and_growth_is_named() -> None:
    assert failures(readings(0.5)) == []
    assert failures(readings(30.0)) == ['memory grows by 30.0 MB in an hour']
    assert failures(readings(0.0, threads=21)) == ['the number of threads grew from 20 to 21']
