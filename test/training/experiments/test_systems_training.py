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

"""Training of the systems' rows: every objective, equal batches, phases, stopping and going on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from training.data.training_faces import TrainingFaces  # noqa: E402
from training.experiments.systems.critics import SharedCritics  # noqa: E402
from training.experiments.systems.objectives.registry import OBJECTIVES  # noqa: E402
from training.experiments.systems.rows import CLOCK, Row, Rows, read_rows  # noqa: E402
from training.experiments.systems.shares import for_row  # noqa: E402
from training.experiments.systems.trainee import Trainee  # noqa: E402
from training.experiments.systems.training_loop import Budget, Comparison  # noqa: E402
from training.losses.ccfp import Batch  # noqa: E402
from training.run.batches import make_batch  # noqa: E402

CPU = torch.device('cpu')
#: What needs the weights of other networks, and minutes of a CPU.
WITHOUT_CRITICS: dict[str, Any] = {'perceptual': (0.0,), 'identity': 0.0}


def small(rows: Rows) -> Rows:
    """Return the rows with two faces a step and no frozen critic."""
    shared = dataclasses.replace(rows.shared, pixels=2 * 256 * 256, exclude='', precision='float32')
    changed = {}
    for name, row in rows.rows.items():
        stages = tuple(
            (begin, {**new, 'loss': {**new.get('loss', {}), **WITHOUT_CRITICS}})
            for begin, new in row.config.stages
        )
        config = dataclasses.replace(
            row.config,
            precision='float32',
            warmup_steps=1,
            stages=stages,
            loss=dataclasses.replace(row.config.loss, **WITHOUT_CRITICS),
        )
        later = dict(row.later)
        if 'loss' in later:
            later['loss'] = {**later['loss'], **WITHOUT_CRITICS}
        changed[name] = dataclasses.replace(row, config=config, later=later)
    return Rows(shared, changed)


@pytest.fixture(scope='module')
def rows() -> Rows:
    return small(read_rows())


@pytest.fixture(scope='module')
def batch(faces: Path, rows: Rows) -> Batch:
    return make_batch(TrainingFaces(faces), rows.shared, 0)[0]


def trainee(row: Row) -> Trainee:
    return Trainee(row, SharedCritics(CPU, half=False), CPU)


def where_it_begins(rows: Rows, objective: str) -> tuple[Row, float]:
    for row in rows.rows.values():
        for begin, name in row.objectives:
            if name == objective:
                return row, begin / CLOCK
    raise AssertionError(objective)


@pytest.mark.parametrize('objective', OBJECTIVES)
def test_a_few_steps_on_one_batch_lower_its_loss(objective: str, rows: Rows, batch: Batch) -> None:
    row, progress = where_it_begins(rows, objective)
    quiet = dataclasses.replace(
        row.config,
        learning_rate=((0, 2e-4),),
        # The discriminator learns too, and a moving target says nothing.
        loss=dataclasses.replace(row.config.loss, adversarial=(0.0,), matching=0.0),
    )
    one = trainee(dataclasses.replace(row, config=quiet))
    one.train(batch, progress)
    held = {n for n, p in one.network.named_parameters() if not p.requires_grad}
    before = {n: p.detach().clone() for n, p in one.network.named_parameters()}
    for _ in range(2):
        one.train(batch, progress)
    losses = one._sums['loss']
    assert min(losses[1:]) < losses[0]
    assert one.skipped == 0
    for name, parameter in one.network.named_parameters():
        assert name not in held or torch.equal(parameter, before[name]), name


@pytest.mark.parametrize('name', ['resnet', 'hifacegan', 'gfpgan'])
def test_the_discriminators_of_each_game_learn(name: str, rows: Rows, batch: Batch) -> None:
    one = trainee(rows.rows[name])
    one.train(batch, 0.0)
    assert set(one.judges) == ({'face', 'components'} if name == 'gfpgan' else {'face'})
    judge = one.judges['face']
    before = [p.detach().clone() for p in judge.parameters()]
    one.train(batch, 0.0)
    assert not all(torch.equal(a, b) for a, b in zip(before, judge.parameters(), strict=True))
    assert 0.0 <= one._sums['judge_face_right'][-1] <= 1.0


def test_every_row_sees_the_same_cycles_where_it_draws_them_alike(rows: Rows, batch: Batch) -> None:
    drawn: dict[str, list[int]] = {}
    for name in ('cfrnet', 'cfrnet_cnn', 'without_progressive', 'cycles_1', 'cycles_4'):
        now = rows.rows[name].at(CLOCK - 1)
        drawn[name] = [for_row(batch, now, step).cycles for step in range(60)]
    assert drawn['cfrnet'] == drawn['cfrnet_cnn']
    assert set(drawn['cfrnet']) == {1, 2, 3}
    assert set(drawn['without_progressive']) == {3}
    assert set(drawn['cycles_1']) == {1}
    assert set(drawn['cycles_4']) == {1, 2, 3, 4}


def test_the_ablation_leaves_out_what_it_says(rows: Rows) -> None:
    whole = rows.rows['cfrnet'].at(CLOCK - 1).loss
    assert min(whole.idempotence_clean, whole.redegradation, whole.component) > 0
    names = {
        'without_idempotence': ('idempotence_clean', 'idempotence_restored'),
        'without_redegradation': ('redegradation', 'redegradation_restored'),
        'without_components': ('component',),
    }
    for row, left_out in names.items():
        ablated = rows.rows[row].at(CLOCK - 1).loss
        assert [getattr(ablated, name) for name in left_out] == [0.0] * len(left_out)
        rest = {name: getattr(whole, name) for name in left_out}
        assert dataclasses.replace(ablated, **rest) == whole
    assert rows.rows['with_rounding'].rounding
    assert rows.rows['with_attention'].network == 'cfrnet_attention'
    # All begin with the same cycle in pixels.
    for ablated_row in rows.named(['ablation']):
        first = rows.rows['cfrnet'].at(0)
        assert ablated_row.at(0).cycles == first.cycles
        assert ablated_row.at(0).loss.pixel == first.loss.pixel


def test_phases_share_one_budget_and_go_on_from_the_average(rows: Rows, batch: Batch) -> None:
    one = trainee(rows.rows['codeformer'])
    one.train(batch, 0.0)
    assert one.phase == 'codeformer_codebook'
    average = {n: p.clone() for n, p in one.average.state_dict().items()}
    one.train(batch, 0.5)
    assert one.phase == 'codeformer_codes'
    assert one.windows == 2 * len(batch.truth)
    # The decoder is held from here on.
    name = 'decoder.head.weight'
    assert torch.equal(one.network.state_dict()[name], average[name])


def never() -> bool:
    return False


def after(steps: int) -> Callable[[], bool]:
    left = [steps + 1]

    def stop() -> bool:
        left[0] -= 1
        return left[0] <= 0

    return stop


def compared(rows: Rows, faces: Path, out: Path, budget: Budget) -> Comparison:
    chosen = rows.named(['resnet', 'codeformer'])
    return Comparison(rows, chosen, faces, out, CPU, budget)


@pytest.mark.slow
def test_a_run_that_was_stopped_ends_where_an_uninterrupted_one_does(
    rows: Rows, faces: Path, tmp_path: Path
) -> None:
    budget = Budget(windows=8)
    whole = compared(rows, faces, tmp_path / 'whole', budget)
    whole.side_by_side(never, 1e9)
    stopped = compared(rows, faces, tmp_path / 'stopped', budget)
    stopped.side_by_side(after(3), 1e9)
    again = compared(rows, faces, tmp_path / 'stopped', budget)
    assert [one.step for one in again.trainees] == [3, 3]
    again.side_by_side(never, 1e9)
    in_turn = compared(rows, faces, tmp_path / 'in_turn', budget)
    in_turn.in_turn(never, 1e9)
    for number, one in enumerate(whole.trainees):
        assert one.windows == 8
        for other in (again, in_turn):
            weights = other.trainees[number].average.state_dict()
            for name, value in one.average.state_dict().items():
                assert torch.allclose(value, weights[name], atol=1e-5), name


def test_a_budget_is_windows_or_seconds_and_stays_the_same(
    rows: Rows, faces: Path, tmp_path: Path
) -> None:
    for wrong in ((0, 0.0), (10, 10.0)):
        with pytest.raises(ValueError, match='either a number of windows or'):
            Budget(*wrong)
    assert Budget(seconds=10.0).progress(3, 5.0) == 0.5
    assert Budget(windows=10).progress(3, 5.0) == pytest.approx(0.3)
    first = compared(rows, faces, tmp_path, Budget(seconds=5.0))
    with pytest.raises(ValueError, match='need a budget of windows'):
        first.in_turn(never, 1e9)
    first.save()
    with pytest.raises(ValueError, match='was begun with the budget'):
        compared(rows, faces, tmp_path, Budget(windows=4))


def test_a_row_of_another_description_is_refused(rows: Rows, faces: Path, tmp_path: Path) -> None:
    one = trainee(rows.rows['resnet'])
    one.save(tmp_path)
    changed = dataclasses.replace(rows.rows['resnet'], rounding=True)
    with pytest.raises(ValueError, match='another description of the row'):
        trainee(changed).resume(tmp_path)


def test_what_a_rows_file_says_wrong_is_named(tmp_path: Path) -> None:
    path = tmp_path / 'rows.yaml'
    begin = 'shared: {seed: 1}\nrows:\n  a: {title: A, group: comparison, network: plain'
    for end, message in (
        (', objectives: [[0, dreaming]]}', 'objectives begin at step 0'),
        (', objectives: [[5, restoration]]}', 'objectives begin at step 0'),
        (', colour: red}', r'unknown key.*colour'),
        (', like: b}', 'must be a row before it'),
        (', later: {loss: {sharpness: 1}}, config: {stages: [{from: 1}]}}', 'sharpness'),
    ):
        path.write_text(begin + end + '\n')
        with pytest.raises(ValueError, match=message):
            read_rows(path)
    path.write_text(begin.replace('plain', 'resnext') + '}\n')
    with pytest.raises(ValueError, match='unknown network'):
        read_rows(path)
    path.write_text(begin + '}\n')
    assert np.isclose(read_rows(path).rows['a'].config.seed, 1)
