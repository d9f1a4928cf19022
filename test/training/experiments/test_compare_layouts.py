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

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from training.critics.perceptual import weights_folder  # noqa: E402
from training.experiments.layouts.front import at_seconds, front, mean_over_sets  # noqa: E402
from training.experiments.layouts.layouts_page import render  # noqa: E402
from training.experiments.layouts.quality import (  # noqa: E402
    PairedDifference,
    by_set,
    paired_difference,
)
from training.experiments.layouts.report import Report  # noqa: E402
from training.run.config import load_config  # noqa: E402

ROOT = Path(__file__).resolve().parents[3]
TINY = """
seed: 3
steps: {steps}
pixels: 8192
crop: 64
stages:
  - from: 2
    cycles: [0.0, 1.0]
"""


def test_the_front_leaves_out_what_another_beats_in_everything() -> None:
    costs = {'slow_good': (9.0, 1.0), 'slow_bad': (9.0, 3.0), 'fast_bad': (2.0, 3.0)}
    assert front(costs) == ['slow_good', 'fast_bad']
    # Equals do not beat each other.
    assert front({'a': (1.0, 1.0), 'b': (1.0, 1.0)}) == ['a', 'b']


def test_figures_after_equal_time_lie_between_two_looks() -> None:
    history = [
        {'step': 10, 'seconds': 1.0, 'psnr_1': 20.0},
        {'step': 20, 'seconds': 3.0, 'psnr_1': 22.0},
    ]
    assert at_seconds(history, 2.0) == {'step': 15.0, 'psnr_1': 21.0}
    assert at_seconds(history, 9.0) == {'step': 20.0, 'psnr_1': 22.0}


def test_sets_are_averaged_apart_and_count_alike() -> None:
    values = np.zeros((3, 2, 2))
    values[:, 0, 1] = [30.0, 20.0, 32.0]
    quality = by_set(values, ['general', 'car', 'general'])
    assert quality['general']['psnr'] == [0.0, 31.0]
    assert quality['car']['psnr'] == [0.0, 20.0]
    assert mean_over_sets(quality, 'psnr', 1) == 25.5


def test_a_difference_on_the_same_faces_is_surer_than_the_faces_are_alike() -> None:
    rng = np.random.default_rng(0)
    reference = rng.normal(25.0, 5.0, 60)
    figure = paired_difference(reference + 0.3 + rng.normal(0.0, 0.1, 60), reference)
    assert figure.low < figure.mean < figure.high
    assert figure.mean == pytest.approx(0.3, abs=0.05)
    assert figure.low > 0.2
    assert paired_difference(reference, reference) == PairedDifference(0.0, 0.0, 0.0)


def test_the_shipped_comparison_trains_with_one_cycle_and_then_with_two() -> None:
    folder = ROOT / 'training' / 'experiments' / 'layouts'
    config = load_config(folder / 'comparison.yaml')
    begin = next(step for step, changes in config.stages if 'cycles' in changes)
    assert config.at(begin - 1).cycles == (1.0,)
    assert config.at(begin).cycles == (0.0, 1.0)
    # The last third, with the learning rate still as it was where it begins.
    assert begin == pytest.approx(config.steps * 2 / 3, rel=0.02)
    assert config.rate(begin) == config.rate(0)
    assert config.rate(config.steps) < 0.1 * config.rate(0)


def test_the_committed_page_is_made_of_the_committed_figures() -> None:
    text = (ROOT / 'docs' / 'layouts.json').read_text(encoding='utf-8')
    report = Report.read(json.loads(text))
    assert json.dumps(report.as_json(), indent=1) + '\n' == text
    assert render(report) == (ROOT / 'docs' / 'layouts.md').read_text(encoding='utf-8')


@pytest.mark.slow
def test_a_comparison_resumes_and_writes_its_page(faces: Path, tmp_path: Path) -> None:
    try:
        weights_folder()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    config = tmp_path / 'tiny.yaml'
    command = [sys.executable, '-m', 'training.experiments.compare_layouts', '--data', str(faces)]
    command += ['--out', str(tmp_path / 'run'), '--docs', str(tmp_path), '--config', str(config)]
    command += ['--layouts', 'encoder_decoder', 'stride8', 'plain', '--faces', '2', '--rounds', '2']
    command += ['--look-every', '1', '--look-faces', '2', '--threads', '1', '--device', 'cpu']

    def compare() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=ROOT, env=dict(os.environ), timeout=500, capture_output=True, text=True
        )

    config.write_text(TINY.format(steps=3))
    done = compare()
    assert done.returncode == 0, done.stderr
    first = json.loads((tmp_path / 'layouts.json').read_text())
    rows = first['layouts']
    assert list(rows) == ['encoder_decoder', 'stride8', 'plain']
    assert set(first['front']) <= set(rows)
    for row in rows.values():
        assert [look['step'] for look in row['history']] == [1, 2, 3]
        assert len(row['mean']['psnr']) == 3
        assert row['speed']['int8']['median_ms'] > 0
    # The input is everyone's; the weights are not.
    assert len({row['quality']['general']['psnr'][0] for row in rows.values()}) == 1
    assert len({row['quality']['general']['psnr'][2] for row in rows.values()}) == 3
    page = (tmp_path / 'layouts.md').read_text()
    for name, row in rows.items():
        assert f'| {name} | {row["parameters"]:,} |' in page

    # Nothing is left to train: what a second start measures is what the first had trained.
    again = compare()
    assert again.returncode == 0, again.stderr
    second = json.loads((tmp_path / 'layouts.json').read_text())
    for name, row in rows.items():
        assert second['layouts'][name]['quality'] == row['quality']
        assert second['layouts'][name]['history'] == row['history']

    kept = tmp_path / 'kept.md'
    kept.write_text('Stride 8, for a reason.')
    only_page = [*command[:3], '--only-page', '--docs', str(tmp_path), '--kept', str(kept)]
    subprocess.run(only_page, cwd=ROOT, check=True, timeout=100, capture_output=True)
    assert 'Stride 8, for a reason.' in (tmp_path / 'layouts.md').read_text()

    config.write_text(TINY.format(steps=4))
    refused = compare()
    assert refused.returncode != 0
    assert 'another configuration' in refused.stderr
