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

"""Pages of the documentation: their tables are those of the figures beside the benchmarks."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.pages import replace_part

ROOT = Path(__file__).resolve().parent.parent.parent

#: Packages that tell the environments of the benchmarks apart: `make test` has the first, `make
#: test-training` the second.
ROS, TRAINING = 'rclpy', 'torch'

#: Parts of pages: page, part, file of figures, module and function of the table, key of the figures
#: that the function takes ('' for all), and the package that the module needs.
PARTS = [
    ('eyelids', 'figures', 'blink_detection', 'blink_detection_figures.tables', '', ROS),
    ('eyelids', 'guard', 'eye_guard', 'eye_guard.table', '', ROS),
    ('replay', 'bags', 'replay_bags', 'replay_bags.table', 'bags', ROS),
    ('cameras', 'cameras', 'cameras', 'cameras.table', '', ROS),
    ('fleet', 'fleet', 'fleet', 'fleet.table', '', ROS),
    ('fusion', 'clips', 'fusion', 'fusion.tables', '', TRAINING),
    ('fusion', 'portraits', 'fusion_portraits', 'fusion_portraits.tables', '', TRAINING),
    ('fusion', 'strength', 'fusion_strength', 'fusion_comparison.table', '', TRAINING),
    ('fusion', 'variants', 'fusion_variants', 'fusion_comparison.table', '', TRAINING),
    ('fusion', 'previous', 'previous_output', 'previous_output.table', '', TRAINING),
    ('fusion', 'previous-lids', 'previous_output_lids', 'previous_output_lids.table', '', TRAINING),
    ('tuning', 'fine-stage', 'fine_stage', 'fine_stage.table', '', TRAINING),
    ('tuning', 'colour-noise', 'colour_noise', 'colour_noise.table', 'sets', TRAINING),
]


@pytest.mark.parametrize(
    ('page', 'part', 'figures', 'table', 'key', 'needed'), PARTS, ids=[part[2] for part in PARTS]
)
def test_a_page_shows_the_table_of_its_figures(
    page: str, part: str, figures: str, table: str, key: str, needed: str, tmp_path: Path
) -> None:
    pytest.importorskip(needed, reason='the benchmark runs in another environment')
    module, name = table.split('.')
    result: Any = json.loads((ROOT / 'benchmarks' / f'{figures}.json').read_text(encoding='utf-8'))
    written = getattr(importlib.import_module(f'benchmarks.{module}'), name)(
        result[key] if key else result
    )
    text = (ROOT / 'docs' / f'{page}.md').read_text(encoding='utf-8')
    rewritten = tmp_path / f'{page}.md'
    rewritten.write_text(text, encoding='utf-8')
    replace_part(rewritten, part, written)
    assert rewritten.read_text(encoding='utf-8') == text
