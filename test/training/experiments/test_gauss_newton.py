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

"""Steps of the figures themselves: what moves, what is derived, and the step that follows."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from cfrnet_ros.vision.engine.models import MODEL_DIR  # noqa: E402
from training.data.crops import aligned, to_tensor  # noqa: E402
from training.data.manifest import read_manifest  # noqa: E402
from training.degradation import SAMPLERS  # noqa: E402
from training.experiments import gauss_newton as command  # noqa: E402
from training.experiments.responses.figures import TYPICAL, Judges, responses  # noqa: E402
from training.experiments.responses.moves import Moves  # noqa: E402
from training.experiments.responses.solve import change_of_faces, gauss_newton  # noqa: E402
from training.export.shipped import read_model  # noqa: E402
from training.run.checkpoint import CHECKPOINT  # noqa: E402
from training.run.config import RunConfig  # noqa: E402

SHIPPED = MODEL_DIR / 'cfrnet_256_fp32.onnx'


def noisy(weights: dict[str, Any], seed: int) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(seed)
    return {
        name: value + 0.05 * value.abs().mean() * torch.randn(value.shape, generator=generator)
        for name, value in weights.items()
    }


def test_each_channel_moves_by_a_hundredth_of_its_kernel_and_towards_the_other_weights() -> None:
    start = {'a.weight': torch.randn(4, 3, 3, 3), 'a.bias': torch.randn(4)}
    other = noisy(start, 1)
    moves = Moves(start, [other])
    # Four channels go one way or grow; four biases change.
    assert len(moves) == 4 * 2 + 4
    step = np.zeros(len(moves))
    assert all(torch.equal(moves.moved(step)[name], start[name]) for name in start)
    step[1] = 1.0
    change = moves.moved(step)['a.weight'] - start['a.weight']
    towards = other['a.weight'] - start['a.weight']
    assert not change[[0, 2, 3]].any()
    cosine = torch.nn.functional.cosine_similarity(change[1].flatten(), towards[1].flatten(), 0)
    assert float(cosine) == pytest.approx(1.0, abs=1e-4)
    assert 0.009 < float(change[1].norm() / start['a.weight'][1].norm()) < 0.02
    with pytest.raises(ValueError, match=r'needs \(12,\) lengths'):
        moves.moved(np.zeros(3))
    with pytest.raises(ValueError, match=r'not of one layout: a\.bias'):
        Moves(start, [{'a.weight': start['a.weight']}])


def test_responses_tell_what_a_small_step_changes(faces: Path) -> None:
    network, _ = read_model(SHIPPED)
    start = dict(network.state_dict())
    moves, judges = Moves(start, [noisy(start, 2)]), Judges()
    plan = SAMPLERS['motion'](np.random.default_rng(3))
    clean = to_tensor(aligned(read_manifest(faces, 'train')[0]))
    degraded, truth = plan(clean), plan.truth(clean)
    of = TYPICAL['motion']
    before, slopes = responses(network, moves, degraded, truth, judges, of)
    assert slopes.shape == (5, len(moves))
    # Only a mosaic is measured for six cycles.
    assert not slopes[4].any()
    # Against each figure's own slope, short enough for the tangent to hold.
    for figure in range(4):
        slope = slopes[figure].astype(np.float64)
        step = -slope * 0.02 / np.linalg.norm(slope)
        moved = Moves(moves.moved(step), [])
        after, _ = responses(network, moved, degraded, truth, judges, of)
        expected = float(slope @ step)
        assert expected < 0
        assert after[figure] - before[figure] == pytest.approx(expected, rel=0.25)


def test_the_step_helps_all_faces_rather_than_one() -> None:
    # Move 0 helps every face a little, move 1 helps one face much and harms another nearly as much.
    slopes = np.zeros((4, 1, 2))
    slopes[:, 0, 0] = -1.0
    slopes[:2, 0, 1] = -8.0, 6.0
    found, wanted = {'car': slopes}, {'car': np.ones(1)}
    step = gauss_newton(found, wanted, 0.01, 0.03)
    assert change_of_faces(found, step) == pytest.approx(0.03)
    assert step[0] > 10 * abs(step[1])
    # With a large ridge, how faces differ counts for nothing: the step follows the mean response.
    blunt = gauss_newton(found, wanted, 1e6, 0.03)
    assert blunt[1] / blunt[0] == pytest.approx(0.5, rel=1e-3)
    with pytest.raises(ValueError, match='responds to any move'):
        gauss_newton({'car': 0.0 * slopes}, wanted, 1.0, 0.03)


def run_command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, 'argv', ['gauss_newton', *(str(a) for a in arguments)])
    command.main()


def test_a_step_is_taken_gone_on_with_and_written_as_a_run(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = dict(read_model(SHIPPED)[0].state_dict())
    run, other = tmp_path / 'run', tmp_path / 'other'
    config = json.dumps(dataclasses.asdict(RunConfig()))
    for folder, values in ((run, weights), (other, noisy(weights, 4))):
        folder.mkdir()
        state = {'average': values, 'network': values, 'config': config, 'judge': {'a': 1}}
        torch.save({**state, 'optimiser': {}, 'mixing': {}, 'step': 7}, folder / CHECKPOINT)
    exclude = tmp_path / 'exclude.txt'
    exclude.write_text('train0.png\n')
    out = tmp_path / 'moved'
    options = (
        '--data', faces, '--exclude', exclude, '--out', out, '--seed', 5, '--sets', 'motion',
    )  # fmt: skip
    run_command(monkeypatch, run, other, *options, '--faces', 1)
    one = torch.load(out / CHECKPOINT, weights_only=True)
    run_command(monkeypatch, run, other, *options, '--faces', 2, '--scale', 'head', 2)
    with np.load(out / command.RESPONSES) as saved:
        assert saved['figures'].shape == (2, 5)
    said = capsys.readouterr().out
    assert 'motion' in said
    assert 'likeness -' in said
    two = torch.load(out / CHECKPOINT, weights_only=True)
    assert not torch.equal(one['average']['stem.weight'], two['average']['stem.weight'])
    assert not torch.equal(weights['stem.weight'], two['average']['stem.weight'])
    assert two['judge'] == {'a': 1}
    # Moments and shares of other weights mean nothing to these.
    assert not {'optimiser', 'mixing'} & two.keys()
    growth = two['average']['head.weight'].norm() / weights['head.weight'].norm()
    assert float(growth) == pytest.approx(2.0, rel=0.1)
    taken = {'faces': 2, 'seed': 5, 'ridge': 1.0, 'length': 0.03, 'scale': [['head', 2.0]]}
    assert two['figure_steps'] == [{'of': 'run', 'towards': ['other'], **taken}]
    # Faces that were filmed count beside the degraded ones, as much as they are weighed.
    filmed = tmp_path / 'filmed.npz'
    pictures = np.random.default_rng(6).integers(0, 256, (1, 256, 256, 3)).astype(np.uint8)
    np.savez(filmed, fused=pictures // 2, truth=pictures)
    weigh = ('--filmed', filmed, '--weigh', 'filmed', 2, '--weigh', 'motion', 1)
    run_command(monkeypatch, run, other, *options, '--faces', 2, *weigh)
    assert 'filmed' in capsys.readouterr().out
    three = torch.load(out / CHECKPOINT, weights_only=True)
    assert not torch.equal(three['average']['stem.weight'], two['average']['stem.weight'])
    assert three['figure_steps'][0]['filmed'] == 1
    assert three['figure_steps'][0]['weigh'] == {'filmed': 2.0}
    with pytest.raises(SystemExit, match="--weigh: no face is of the set 'car'"):
        run_command(monkeypatch, run, other, *options, '--faces', 2, '--weigh', 'car', 2)
    with pytest.raises(SystemExit, match='--weigh motion: the factor must be a number above 0'):
        run_command(monkeypatch, run, other, *options, '--faces', 2, '--weigh', 'motion', 'much')
    with pytest.raises(SystemExit, match=r'is missing; benchmarks\.filmed_faces'):
        run_command(monkeypatch, run, other, *options, '--faces', 2, '--filmed', tmp_path / 'no')
    # What was measured for other weights is not mixed in.
    with pytest.raises(SystemExit, match='measured for something else'):
        run_command(monkeypatch, other, run, *options, '--faces', 2)
    with pytest.raises(SystemExit, match='--faces must be 1 at least'):
        run_command(monkeypatch, run, other, *options, '--faces', 0)
