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

"""`make load`: what its figures must show, and a few seconds of it against the real node."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.overload_figures import Window, account, failures, summary

ROOT = Path(__file__).resolve().parents[3]

STEADY = Window(
    seconds=60.0, sent=3600, received=3600, processed=1800, dropped=1799, rejected=0, lost=0,
    most_in_flight=2, unaccounted=0, age_p50_ms=40.0, age_p95_ms=60.0, cpu_ms=20.0,
    resident_mb=220.0, threads=23, descriptors=19, diagnostics_gap_s=1.1, parameters_set=12,
    parameters_failed=0, parameters_slowest_ms=30.0, machine_load=1.0,
)  # fmt: skip


def test_a_steady_run_has_no_failures_and_its_overload_is_told() -> None:
    found = summary([STEADY] * 6)
    assert found['failures'] == []
    assert found['overload_median'] == 2.0
    assert found['frames']['processed'] == 6 * 1800
    assert found['first_and_last_third']['age_in_frames'] == [1.2, 1.2]


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        ({'most_in_flight': 3}, 'held 3 frames at once'),
        ({'unaccounted': 1}, 'do not add up'),
        ({'resident_mb': 240.0}, 'memory grew from 220 to 240 MB'),
        ({'age_p50_ms': 90.0}, 'age in frame times grew'),
        ({'cpu_ms': 30.0}, 'processor time for a frame grew'),
        ({'threads': 24}, 'number of threads grew'),
        ({'descriptors': 20}, 'number of descriptors grew'),
        ({'diagnostics_gap_s': 6.0}, 'no diagnostics came for 6.0 s'),
        ({'parameters_failed': 1}, '2 parameter changes failed'),
        ({'parameters_set': 0}, 'a window had none'),
    ],
)
def test_what_grows_drifts_or_falls_silent_is_named(change: dict[str, float], said: str) -> None:
    changed = dataclasses.replace(STEADY, **change)  # type: ignore[arg-type]
    (failure,) = failures([STEADY] * 2 + [changed] * 2)
    assert said in failure


def test_other_work_on_the_machine_is_not_taken_for_a_drift() -> None:
    busy = dataclasses.replace(
        STEADY, machine_load=9.0, cpu_ms=40.0, processed=450, age_p50_ms=160.0
    )
    assert failures([STEADY] * 2 + [busy] * 2) == []


def test_every_received_frame_is_one_of_the_others() -> None:
    counts = {'received': 9, 'processed': 4, 'dropped': 2, 'skipped': 1, 'rejected': 1}
    assert account({**counts, 'in_flight': 1})
    assert not account({**counts, 'in_flight': 2})


def test_the_committed_run_lasted_an_hour_without_failures() -> None:
    found = json.loads((ROOT / 'benchmarks/overload.json').read_text(encoding='utf-8'))
    assert found['seconds'] >= 3500
    assert found['overload_median'] >= 2
    assert failures([Window(**window) for window in found['windows']]) == found['failures'] == []


@pytest.mark.slow
def test_the_node_bears_twice_its_rate_for_a_while(tmp_path: Path) -> None:
    # A run this short says nothing about drift: the exit code is not looked at.
    out = tmp_path / 'overload.json'
    arguments = ['--seconds', '20', '--window-s', '10', '--out', str(out)]
    command = [sys.executable, '-m', 'benchmarks.overload', *arguments]
    subprocess.run(command, cwd=ROOT, check=False)
    found = json.loads(out.read_text())
    assert found['most_in_flight'] <= 2
    assert not any(window['unaccounted'] for window in found['windows'])
    assert found['parameters_failed'] == 0
    assert found['frames']['dropped'] > 0
