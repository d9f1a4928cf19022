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

"""`make bench`: that it runs, and that docs/performance.md says what its results say."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.performance.cases import CASES, SHORT
from benchmarks.performance.cpu import describe_cpu
from benchmarks.performance.growth import GROWTHS, fit
from benchmarks.performance.page import PAGE, RESULTS, write_page
from benchmarks.performance.roof import convolution, macs_by_shape
from benchmarks.performance.scenes import frames
from cfrnet_ros.vision.engine.models import resolve_model

ROOT = Path(__file__).resolve().parents[2]


def test_page_is_what_the_committed_results_give(tmp_path: Path) -> None:
    page = tmp_path / 'performance.md'
    shutil.copy(PAGE, page)
    write_page(RESULTS, page)
    assert page.read_text() == PAGE.read_text(), 'run: python -m benchmarks.performance.page'


@pytest.mark.slow
def test_short_run_writes_results_of_every_case_and_the_page(tmp_path: Path) -> None:
    page = tmp_path / 'performance.md'
    shutil.copy(PAGE, page)
    command = [sys.executable, '-m', 'benchmarks.performance', '--short']
    places = ['--results', str(tmp_path), '--page', str(page)]
    subprocess.run([*command, *places], cwd=ROOT, check=True, timeout=900)
    (path,) = tmp_path.glob('performance_*.json')
    results = json.loads(path.read_text())
    assert list(results['nodes']) == [case.name for case in SHORT]
    for case in results['nodes'].values():
        assert 4 <= case['frames'] + case['lost'] <= 6
        assert case['restored_faces'] == case['faces']
        assert case['resident_mib']['last'] > 50
        assert 0 < case['cores'] <= results['machine']['cores'] * 1.5
        assert case['parts_ms']['networks']['min'] < case['round_trip_ms']['min']
    assert results['nodes']['base']['parameter_call_ms']['calls'] > 0
    assert list(results['overlap']) == ['k1', 'k2', 'k3']
    for ways in results['overlap'].values():
        assert len(ways) == 4
        assert all(min(figures.values()) > 0 for figures in ways.values())
    assert set(results['roof']) == {'fp32', 'int8', 'int8_in_the_node'}
    assert {'640x480', '1920x1080'} <= set(results['vision_stages_ms'])
    written = page.read_text()
    assert f'| k = 1 | {results["nodes"]["k1"]["round_trip_ms"]["p50"]:.1f} |' in written
    assert (tmp_path / 'images' / 'performance_growth.png').stat().st_size > 10_000


def test_cases_differ_from_the_base_and_share_nodes_of_the_same_start() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    starts: dict[str, Any] = {}
    for case in CASES:
        start = (case.parameters, case.compressed, case.width, case.height)
        assert starts.setdefault(case.node_name, start) == start
    assert len(starts) < len(CASES)


def results_of(round_trips: dict[str, tuple[int, float]]) -> dict[str, Any]:
    return {
        'nodes': {
            name: {
                'cycles': k,
                'faces': 1,
                'width': 640,
                'height': 480,
                'round_trip_ms': {'p50': ms},
            }
            for name, (k, ms) in round_trips.items()
        }
    }


def test_growth_is_the_line_through_the_medians() -> None:
    over_cycles = next(each for each in GROWTHS if each.what.startswith('cycles'))
    line = fit(results_of({'k1': (1, 30.0), 'base': (2, 50.0), 'k3': (3, 70.0)}), over_cycles)
    assert line is not None
    assert line.slope_ms == pytest.approx(20.0)
    assert line.start_ms == pytest.approx(10.0)
    assert line.r2 == pytest.approx(1.0)
    assert fit(results_of({'base': (2, 50.0)}), over_cycles) is None


@pytest.mark.parametrize(
    ('flags', 'expected', 'ending'),
    [
        ('fpu avx2 fma', ['AVX2'], 'avx2'),
        ('avx2 avx512f avx512_vnni', ['AVX2', 'AVX-512', 'AVX-512 VNNI'], 'vnni'),
        ('avx2 avx_vnni amx_int8', ['AVX2', 'AVX-VNNI', 'AMX INT8'], 'vnni'),
    ],
)
def test_cpu_is_described_by_what_the_networks_use(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    flags: str,
    expected: list[str],
    ending: str,
) -> None:
    cpuinfo = tmp_path / 'cpuinfo'
    block = f'model name\t: Some CPU\nflags\t\t: {flags}\n\n'
    cpuinfo.write_text(block * 2)
    monkeypatch.setattr('platform.machine', lambda: 'x86_64')
    found = describe_cpu(cpuinfo)
    assert found['model'] == 'Some CPU'
    assert found['features'] == expected
    assert found['kind'] == f'x86_64_{ending}'


def test_arithmetic_of_a_cycle_is_that_of_the_model_card() -> None:
    path = resolve_model('int8')
    stated = json.loads(path.with_suffix('.json').read_text())['gmac_per_cycle']
    assert sum(macs_by_shape(path.read_bytes()).values()) / 1e9 == pytest.approx(stated, abs=1e-3)


@pytest.mark.parametrize('int8', [False, True])
def test_roof_counts_one_convolution(int8: bool) -> None:
    found = macs_by_shape(convolution(32, 16, int8))
    assert found == {(1, 16, 16, 32): 32 * 32 * 9 * 16 * 16}


@pytest.mark.parametrize(
    ('width', 'height', 'faces'), [(640, 480, 1), (640, 480, 3), (960, 540, 1)]
)
def test_frames_have_the_size_and_move_a_little(width: int, height: int, faces: int) -> None:
    first, second = frames(width, height, faces, 2)
    assert first.shape == second.shape == (height, width, 3)
    assert (first != second).any()
