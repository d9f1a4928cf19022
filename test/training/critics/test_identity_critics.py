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

"""Which networks judge identity: what a config may say of them, and which ones are loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from torch import Tensor, nn  # noqa: E402

from cfrnet_ros.vision.engine.models import MODEL_DIR  # noqa: E402
from training.critics.face_view import STRAIGHT, View  # noqa: E402
from training.critics.identity_networks import CRITICS  # noqa: E402
from training.export.shipped import read_model  # noqa: E402
from training.networks.build import build_network  # noqa: E402
from training.networks.config import NetworkConfig  # noqa: E402
from training.run.checkpoint import (  # noqa: E402
    CHECKPOINT,
    load_run,
    read_run,
)
from training.run.config import load_config, modernise  # noqa: E402
from training.run.trainer import Trainer  # noqa: E402

TINY = """
steps: 100
pixels: 8192
crop: 64
whole_every: 1
"""


def config(tmp_path: Path, loss: str, *stages: str) -> Path:
    path = tmp_path / 'run.yaml'
    lines = [f'- {{from: {n + 5}, loss: {{{stage}}}}}' for n, stage in enumerate(stages)]
    text = f'{TINY}loss: {{{loss}}}\n' + ('stages:\n' if stages else '') + '\n'.join(lines)
    path.write_text(text + '\n')
    return path


WRONG = [
    ('identity_critics: {mobilfacenet: 1.0}', 'unknown critic.* mobilfacenet; known are .*dlib'),
    ('identity: 1.0, identity_critics: {}', 'identity_critics is empty; name at least one'),
    ('identity_critics: {mobilefacenet: 1.0, dlib: -0.5}', 'dlib weighs -0.5; give a number'),
    ('identity_critics: {dlib: .nan}', 'dlib weighs nan'),
    ('identity_critics: {dlib: much}', "dlib weighs 'much'"),
    ('identity: 1.0, identity_critics: {mobilefacenet: 0, dlib: 0}', 'add up to 0'),
    ('identity_critics: [0.4, 0.6]', 'maps names to weights'),
    ('identity_shares: [1.0], identity_critics: {dlib: 1.0}', 'say the same'),
    ('identity_shares: [1.0, 2.0, 3.0]', 'list of one or two weights'),
]


@pytest.mark.parametrize(('loss', 'message'), WRONG)
def test_what_means_nothing_is_refused_at_the_start_and_in_a_stage(
    loss: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=rf'run\.yaml: loss: .*{message}'):
        load_config(config(tmp_path, loss))
    with pytest.raises(ValueError, match=rf'run\.yaml: stage 5.*{message}'):
        load_config(config(tmp_path, 'gradient: 1.0', loss))


def test_a_stage_that_leaves_no_critic_to_the_term_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r'stage 6: .*is empty'):
        load_config(config(tmp_path, 'gradient: 1.0', 'identity_critics: {}', 'identity: 2.0'))
    # Without the term there is nothing to judge.
    load_config(config(tmp_path, 'identity_critics: {}'))


def test_a_stage_names_all_of_its_critics_anew(tmp_path: Path) -> None:
    stages = ('identity: 1.0', 'identity_critics: {dlib: 0.5}')
    loaded = load_config(config(tmp_path, 'gradient: 1.0', *stages))
    assert loaded.at(5).loss.identity_critics == {'mobilefacenet': 1.0}
    assert loaded.at(6).loss.identity_critics == {'dlib': 0.5}


class Mean(nn.Module):
    """Embeds a face by its mean colour."""

    def forward(self, crop: Tensor, view: View = STRAIGHT) -> Tensor:
        return crop.mean(dim=(2, 3))


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the critics loaded, which are small stand-ins."""
    names: list[str] = []

    def stand_in(name: str) -> Any:
        def load() -> Mean:
            names.append(name)
            return Mean()

        return load

    for name in CRITICS:
        monkeypatch.setitem(CRITICS, name, stand_in(name))
    return names


@pytest.mark.parametrize(
    ('critics', 'wanted'),
    [
        ('{dlib: 1.0}', ['dlib']),
        ('{mobilefacenet: 0, dlib: 0.3}', ['dlib']),
        ('{mobilefacenet: 2.0}', ['mobilefacenet']),
        ('{dlib: 0.6, mobilefacenet: 0.4}', ['dlib', 'mobilefacenet']),
    ],
)
def test_exactly_the_critics_that_weigh_are_loaded_and_used(
    critics: str, wanted: list[str], faces: Path, tmp_path: Path, loaded: list[str]
) -> None:
    path = config(tmp_path, f'identity: 1.0, identity_critics: {critics}')
    terms = one_step(path, faces, tmp_path / 'run')
    assert loaded == wanted
    used = {name.removeprefix('identity_') for name in terms if name.startswith('identity_')}
    assert used == set(wanted)


def test_without_the_term_no_critic_is_loaded(
    faces: Path, tmp_path: Path, loaded: list[str]
) -> None:
    one_step(config(tmp_path, 'identity: 0.0'), faces, tmp_path / 'run')
    assert loaded == []


def one_step(path: Path, faces: Path, out: Path) -> dict[str, float]:
    trainer = Trainer(load_config(path), faces, out, 'cpu')
    try:
        return trainer.train_step()
    finally:
        trainer.source.close()


# --- configs with the key of before ---------------------------------------------------


@pytest.mark.parametrize(
    ('shares', 'critics'),
    [
        ('[0.4, 0.6]', {'mobilefacenet': 0.4, 'dlib': 0.6}),
        ('[1.0, 0.0]', {'mobilefacenet': 1.0}),
        ('[0, 1]', {'dlib': 1}),
        ('[0.7]', {'mobilefacenet': 0.7}),
    ],
)
def test_shares_by_place_are_read_by_name(
    shares: str, critics: dict[str, float], tmp_path: Path
) -> None:
    read = load_config(config(tmp_path, f'identity: 1.0, identity_shares: {shares}'))
    assert read.loss.identity_critics == critics
    read = load_config(config(tmp_path, 'identity: 1.0', f'identity_shares: {shares}'))
    assert read.at(5).loss.identity_critics == critics


OLD = {
    'network': {'layout': 'plain'},
    'loss': {'identity': 0.0, 'identity_shares': [1.0, 0.0]},
    'stages': [[3, {'cycles': [1.0]}], [7, {'loss': {'identity_shares': [0.4, 0.6]}}]],
}
NEW = {
    'network': {'layout': 'plain'},
    'loss': {'identity': 0.0, 'identity_critics': {'mobilefacenet': 1.0}},
    'stages': [
        [3, {'cycles': [1.0]}],
        [7, {'loss': {'identity_critics': {'mobilefacenet': 0.4, 'dlib': 0.6}}}],
    ],
}


def test_an_embedded_config_of_before_is_read_with_todays_keys() -> None:
    assert modernise(OLD) == NEW
    assert modernise(NEW) == NEW
    assert modernise({'network': {}}) == {'network': {}}


def test_a_checkpoint_of_before_can_be_exported(tmp_path: Path) -> None:
    average = build_network(NetworkConfig(layout='plain')).state_dict()
    torch.save({'average': average, 'config': json.dumps(OLD)}, tmp_path / CHECKPOINT)
    assert json.loads(read_run(tmp_path, '--run')['config']) == NEW
    # What an export writes into the card.
    network, state = load_run(tmp_path)
    assert json.loads(state['config']) == NEW
    assert set(network.state_dict()) == set(average)


def test_a_model_card_of_before_can_be_gone_on_from(tmp_path: Path) -> None:
    shipped = MODEL_DIR / 'cfrnet_256_fp32.onnx'
    card = json.loads(shipped.with_suffix('.json').read_text(encoding='utf-8'))
    card['training']['config'] |= {'loss': OLD['loss'], 'stages': OLD['stages']}
    shutil.copy(shipped, tmp_path / 'old.onnx')
    (tmp_path / 'old.json').write_text(json.dumps(card))
    read = read_model(tmp_path / 'old.onnx')[1]['training']['config']
    assert (read['loss'], read['stages']) == (NEW['loss'], NEW['stages'])
