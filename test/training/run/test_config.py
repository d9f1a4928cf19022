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

"""What a run's YAML file may say, and what it means at each step."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from training.run.batches import check_sets  # noqa: E402
from training.run.config import RunConfig, load_config  # noqa: E402

ROOT = Path(__file__).resolve().parents[3]
CONFIGS = ROOT / 'training' / 'configs'


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_an_unknown_key_is_named_wherever_it_stands(tmp_path: Path) -> None:
    for text, wrong in (
        ('learning_rat: 1.0e-3', 'learning_rat'),
        ('loss: {pixle: [1.0]}', 'pixle'),
        ('stages: [{from: 5, clean_shar: 0.1}]', 'clean_shar'),
        ('stages: [{from: 5, loss: {identidy: 0.1}}]', 'identidy'),
    ):
        with pytest.raises(ValueError, match=wrong):
            load_config(write(tmp_path / 'wrong.yaml', text))


def test_an_unknown_set_and_an_impossible_share_are_refused(tmp_path: Path) -> None:
    for text, wrong in (
        ('augmentation: {hand: 1.5}', r'0\.\.1'),
        ('augmentation: {hands: 0.5}', 'hands'),
        ('stages: [{from: 5, augmentation: {hand: 0.5}}]', 'cannot change'),
    ):
        with pytest.raises(ValueError, match=wrong):
            load_config(write(tmp_path / 'wrong.yaml', text))
    for text, wrong in (
        ('shares: {motoin: 1.0}', 'motoin'),
        ('stages: [{from: 5, shares: {night: 1.0}}]', 'step 5.*night'),
    ):
        with pytest.raises(ValueError, match=wrong):
            check_sets(load_config(write(tmp_path / 'wrong.yaml', text)))


@pytest.mark.parametrize('path', sorted(CONFIGS.glob('*.yaml')), ids=lambda path: path.stem)
def test_every_committed_config_can_be_read(path: Path) -> None:
    config = load_config(path)
    check_sets(config)
    assert config.learning_rate[-1][0] == config.steps
    assert [begin for begin, _ in config.stages if begin >= config.steps] == []


def test_stages_without_or_out_of_order_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'from'"):
        load_config(write(tmp_path / 'c.yaml', 'stages: [{clean_share: 0.1}]'))
    with pytest.raises(ValueError, match='order'):
        load_config(write(tmp_path / 'c.yaml', 'stages: [{from: 9}, {from: 3}]'))
    with pytest.raises(ValueError, match='cannot change'):
        load_config(write(tmp_path / 'c.yaml', 'stages: [{from: 9, seed: 3}]'))


def test_stages_change_what_they_name_and_nothing_else(tmp_path: Path) -> None:
    config = load_config(
        write(
            tmp_path / 'c.yaml',
            'loss: {gradient: 1.5}\n'
            'stages:\n'
            '- {from: 10, cycles: [0, 1], loss: {identity: 0.2}}\n'
            '- {from: 20, clean_share: 0.5, loss: {matching: 0.3}}\n',
        )
    )
    assert config.at(9) == config
    assert config.at(10).cycles == (0, 1)
    assert config.at(10).loss.gradient == (1.5,)
    late = config.at(25)
    assert (late.cycles, late.clean_share) == ((0, 1), 0.5)
    assert (late.loss.identity, late.loss.matching, late.loss.gradient) == (0.2, 0.3, (1.5,))


def test_one_number_may_stand_for_every_cycle(tmp_path: Path) -> None:
    text = 'loss: {gradient: 2, pixel: [1, 3]}\nstages: [{from: 5, loss: {gradient: [2, 0.5]}}]'
    config = load_config(write(tmp_path / 'c.yaml', text))
    weights = [config.loss.at(config.loss.gradient, cycle) for cycle in (1, 2, 3)]
    assert weights == [2, 2, 2]
    late = config.at(5).loss
    assert [late.at(late.gradient, cycle) for cycle in (1, 2, 3)] == [2, 0.5, 0.5]
    assert late.pixel == (1, 3)


def test_the_learning_rate_follows_its_points() -> None:
    config = RunConfig(learning_rate=((0, 1e-3), (100, 1e-3), (200, 1e-5)))
    assert config.rate(0) == config.rate(100) == pytest.approx(1e-3)
    # Half way in log value.
    assert config.rate(150) == pytest.approx(1e-4)
    assert config.rate(200) == config.rate(10_000) == pytest.approx(1e-5)


@pytest.mark.parametrize('path', sorted((ROOT / 'training' / 'configs').glob('*.yaml')))
def test_every_committed_config_loads(path: Path) -> None:
    config = load_config(path)
    # What is off at the start must be on at some time, or the run trains nothing but pixels.
    assert config.at(config.steps).steps == config.steps
    assert config.rate(config.steps) < config.rate(0)
