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

"""Figures of the blink benchmark: detected closures against real ones, and the tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from eyelid_signals import signal

from benchmarks.blink_detection_figures import (
    ORIGINS,
    Recording,
    figures_of,
    matches,
    pooled,
    tables,
)
from benchmarks.pages import replace_part

REAL = ((3.0, 3.3), (6.0, 6.3), (9.0, 10.5))


def recording(seen: tuple[tuple[float, float], ...]) -> Recording:
    """Return a recording in which every origin except the clean one sees only some closures."""
    measures = np.array(list(signal(REAL, seconds=14.0)))
    partly = np.array(list(signal(seen, seconds=14.0)))
    ratios = {origin: partly[:, 1] for origin in ORIGINS} | {'clean': measures[:, 1]}
    return Recording(measures[:, 0], (measures[:, 1] - 0.1) / 0.2, ratios, REAL)


def test_each_real_closure_is_matched_once() -> None:
    assert matches([(3.1, 3.2), (3.25, 3.4), (8.0, 8.5), (8.7, 8.85)], REAL) == [0, None, None, 2]
    assert matches([], REAL) == []


def test_ratio_errors_are_grouped_by_true_openness() -> None:
    figures = figures_of(recording(REAL[:2]))
    assert (figures['clean']['real'], figures['clean']['matched']) == (3, 3)
    assert figures['clean']['ratio_mae'] == 0
    assert figures['clean']['perclos_error'] < 0.02
    # The camera's ratios show open eyes during the long closure.
    blind = figures['camera']
    assert (blind['found'], blind['matched']) == (2, 2)
    assert blind['ratio_error_open'] == pytest.approx(0.0, abs=1e-6)
    assert blind['ratio_error_shut'] == pytest.approx(0.2 * 1.5 / 2.1, rel=0.1)
    assert blind['perclos_error'] == pytest.approx(1.5 / 14, abs=0.02)


def test_delay_is_told_in_frames() -> None:
    late = recording(REAL)
    ratios = dict(late.ratios)
    ratios['camera'] = np.concatenate([ratios['clean'][:2], ratios['clean'][:-2]])
    figures = figures_of(Recording(late.times, late.truth, ratios, REAL))
    assert figures['clean']['delay'] == pytest.approx(0.0)
    assert figures['camera']['delay'] > 0.8


def test_pooled_scores_divide_summed_counts() -> None:
    both = pooled([recording(REAL[:2]), recording((*REAL, (12.0, 12.3)))])
    assert both['camera']['precision'] == pytest.approx(5 / 6, abs=1e-3)
    assert both['camera']['recall'] == pytest.approx(5 / 6, abs=1e-3)
    assert both['clean']['f1'] == 1


def test_tables_replace_the_text_between_the_marks_of_a_page(tmp_path: Path) -> None:
    page = tmp_path / 'page.md'
    page.write_text('before\n<!-- figures: begin -->\nold\n<!-- figures: end -->\nafter\n')
    figures = pooled([recording(REAL)])
    result = {
        'model': 'm.onnx', 'seeds': [1], 'seconds': 14.0, 'all': figures, 'cases': {'dusk': figures}
    }  # fmt: skip
    replace_part(page, 'figures', tables(result))
    once = page.read_text()
    assert once.startswith('before\n')
    assert once.endswith('after\n')
    assert 'old' not in once
    assert '| dusk | 1.00 |' in once
    replace_part(page, 'figures', tables(result))
    assert page.read_text() == once
    (tmp_path / 'bare.md').write_text('nothing')
    with pytest.raises(ValueError, match='once each'):
        replace_part(tmp_path / 'bare.md', 'figures', tables(result))
