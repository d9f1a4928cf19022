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

"""Weights mixed by parts of the network: each part gets its share, and a run goes on from it."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from cfrnet_ros.vision.engine.model_card import load_card  # noqa: E402
from cfrnet_ros.vision.engine.models import MODEL_DIR  # noqa: E402
from training.experiments import mix_parts  # noqa: E402
from training.export.shipped import read_model  # noqa: E402
from training.run.checkpoint import CHECKPOINT, load_run  # noqa: E402
from training.run.config import RunConfig  # noqa: E402

SHIPPED = MODEL_DIR / 'cfrnet_256_fp32.onnx'


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a run whose every weight is larger by 1 than the shipped one."""
    folder = tmp_path / 'run'
    folder.mkdir()
    weights = {name: value + 1.0 for name, value in read_model(SHIPPED)[0].state_dict().items()}
    config = json.dumps(dataclasses.asdict(RunConfig()))
    state = {'average': weights, 'network': weights, 'config': config, 'judge': {'a': 1}, 'step': 7}
    torch.save({**state, 'optimiser': {}}, folder / CHECKPOINT)
    return folder


def command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, 'argv', ['mix_parts', *(str(a) for a in arguments)])
    mix_parts.main()


def test_each_part_gets_its_share(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / 'mixed'
    command(monkeypatch, SHIPPED, '--towards', run, 0.5, 1.25, 0, -1, '--out', out)
    base = read_model(SHIPPED)[0].state_dict()
    mixed = load_run(out)[0].state_dict()
    for name, added in (
        ('stem.weight', 0.5),
        ('encode4.1.conv2.bias', 0.5),
        ('down8.weight', 0.5),
        ('body.4.conv1.weight', 1.25),
        ('up4.weight', 0.0),
        ('decode4.0.conv1.weight', 0.0),
        ('up2.weight', -1.0),
        ('head.bias', -1.0),
    ):
        torch.testing.assert_close(mixed[name], base[name] + added, msg=name)
    state = torch.load(out / CHECKPOINT, weights_only=True)
    # The models exported from it are to say what they are made of.
    assert state['mixture'] == {
        'of': 'cfrnet_256_fp32.onnx',
        'sha256': load_card(SHIPPED).sha256,
        'towards': [
            {'run': 'run', 'encoder': 0.5, 'body': 1.25, 'first decoder': 0.0, 'rest': -1.0}
        ],
    }
    # The discriminator goes along; moments of other weights do not.
    assert state['judge'] == {'a': 1}
    assert 'optimiser' not in state


def test_shares_of_several_runs_add_up(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / 'mixed'
    command(
        monkeypatch, SHIPPED, '--towards', run, 0.5, 1, 0, 0, '--towards', run, 0.75, 0, 0, 2,
        '--out', out,
    )  # fmt: skip
    base = read_model(SHIPPED)[0].state_dict()
    mixed = load_run(out)[0].state_dict()
    for name, added in (('stem.weight', 1.25), ('body.4.conv1.weight', 1.0), ('head.bias', 2.0)):
        torch.testing.assert_close(mixed[name], base[name] + added, msg=name)


def test_modules_are_scaled_after_mixing(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / 'mixed'
    command(
        monkeypatch, SHIPPED, '--towards', run, 0, 1, 0, 0, '--scale', 'body', 0.5,
        '--scale', 'up4', 0.9, '--out', out,
    )  # fmt: skip
    base = read_model(SHIPPED)[0].state_dict()
    mixed = load_run(out)[0].state_dict()
    for name, expected in (
        # Of a residual block only the branch is scaled, and once.
        ('body.4.conv2.weight', 0.5 * (base['body.4.conv2.weight'] + 1.0)),
        ('body.4.conv2.bias', 0.5 * (base['body.4.conv2.bias'] + 1.0)),
        ('body.4.conv1.weight', base['body.4.conv1.weight'] + 1.0),
        ('up4.weight', 0.9 * base['up4.weight']),
        ('up4.bias', 0.9 * base['up4.bias']),
        ('head.weight', base['head.weight']),
    ):
        torch.testing.assert_close(mixed[name], expected, msg=name)
    state = torch.load(out / CHECKPOINT, weights_only=True)
    assert state['mixture']['scale'] == [['body', 0.5], ['up4', 0.9]]


def test_what_cannot_be_mixed_is_named(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(message: str, *arguments: object, out: Path = tmp_path / 'out') -> None:
        with pytest.raises(SystemExit, match=message):
            command(monkeypatch, *arguments, '--out', out)

    refused(
        'give 4 shares: encoder, body, first decoder, rest; got 2', SHIPPED, '--towards', run, 1, 1
    )
    refused("could not convert string to float: 'all'", SHIPPED, '--towards', run, 'all')
    plain = MODEL_DIR / 'cfrnet_plain_256_fp32.onnx'
    refused('not of one layout', plain, '--towards', run, 1, 1, 1, 1)
    refused('is missing; a model', tmp_path / 'none.onnx', '--towards', run, 1, 1, 1, 1)
    refused(
        "no module 'tail' to scale; the network has body, decode2", SHIPPED,
        '--towards', run, 1, 1, 1, 1, '--scale', 'tail', 0.5,
    )  # fmt: skip
    refused('exists; give another folder', SHIPPED, '--towards', run, 1, 1, 1, 1, out=run)
