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

"""Mixtures of weights: what is mixed, and that the shares learn what the config asks for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from torch import Tensor, nn  # noqa: E402

from cfrnet_ros.vision.engine.models import MODEL_DIR  # noqa: E402
from training.experiments import mix_weights  # noqa: E402
from training.experiments.compare_weights import Likeness, validation_faces  # noqa: E402
from training.export.shipped import read_model  # noqa: E402
from training.run.checkpoint import CHECKPOINT, load_run, read_run, save_atomically  # noqa: E402
from training.run.trainer import Trainer  # noqa: E402

SHIPPED = MODEL_DIR / 'cfrnet_256_fp32.onnx'

CONFIG = """
seed: 3
steps: 20
pixels: 32768
crop: 64
shares: {general: 1.0}
learning_rate: [[0, 0.03]]
warmup_steps: 1
ema: 0.5
loss: {pixel: [20.0]}
"""


def command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, 'argv', ['mix_weights', *(str(a) for a in arguments)])
    mix_weights.main()


def test_a_mixture_has_the_given_share_of_every_difference() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1))
    base = {name: value.clone() for name, value in network.state_dict().items()}
    one = {name: value + 1.0 for name, value in base.items()}
    two = {name: value - 3.0 for name, value in base.items()}
    shares = mix_weights.mix(network, base, [one, two], [0.5, 0.25])
    mixed = mix_weights.mixed_weights(network, list(base))
    for name, value in base.items():
        torch.testing.assert_close(mixed[name], value + 0.5 - 0.75)
    trained = [p for p in network.parameters() if p.requires_grad]
    assert {id(p) for p in trained} == {id(p) for p in shares}
    assert sum(p.numel() for p in shares) == 2 * 2 * (4 + 2)


def test_one_share_for_each_tensor_moves_all_its_channels_alike(
    tmp_path: Path, faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / 'mix.yaml'
    config.write_text(CONFIG.replace('steps: 20', 'steps: 2'), encoding='utf-8')

    def mixed(*arguments: object) -> None:
        command(
            monkeypatch, SHIPPED, '--scale', *arguments, '--config', config, '--data', faces,
            '--out', tmp_path / 'mixed',
        )  # fmt: skip

    mixed('--each', 'tensor')
    begun = read_model(SHIPPED)[0].state_dict()
    factors = []
    for name, value in load_run(tmp_path / 'mixed')[0].state_dict().items():
        factor = float((value * begun[name]).sum() / begun[name].square().sum())
        torch.testing.assert_close(value, factor * begun[name])
        factors.append(factor)
    assert max(abs(factor - 1.0) for factor in factors) > 1e-3
    with pytest.raises(SystemExit, match='give --each tensor or another --out'):
        mixed()


def test_shares_learn_to_leave_weights_that_are_worse(
    tmp_path: Path, faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = read_model(SHIPPED)[0]
    good = {name: value.clone() for name, value in network.state_dict().items()}
    # The same network with a part of each weight taken away, beginning halfway to it.
    bad = {name: 0.8 * value for name, value in good.items()}
    config = tmp_path / 'mix.yaml'
    config.write_text(CONFIG, encoding='utf-8')
    trainer = Trainer(mix_weights.load_config(config), faces, tmp_path / 'other', 'cpu')
    try:
        save_atomically({**trainer.state(), 'average': bad}, tmp_path / 'other' / CHECKPOINT)
    finally:
        trainer.source.close()
    command(
        monkeypatch, SHIPPED, tmp_path / 'other', '--begin', 0.5, '--config', config,
        '--data', faces, '--out', tmp_path / 'mixed',
    )  # fmt: skip
    likeness = Likeness(validation_faces(faces, 'general'), cycles=1)
    network.load_state_dict({name: 0.5 * (good[name] + bad[name]) for name in good})
    halfway = likeness.cycles(network)['1'].psnr_db
    mixed = likeness.cycles(load_run(tmp_path / 'mixed')[0])['1'].psnr_db
    assert mixed > halfway + 0.3


def test_what_cannot_be_mixed_is_named(
    tmp_path: Path, faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / 'mix.yaml'
    config.write_text(CONFIG, encoding='utf-8')

    def refused(message: str, *arguments: object, out: Path = tmp_path / 'out') -> None:
        with pytest.raises(SystemExit, match=message):
            command(monkeypatch, *arguments, '--config', config, '--data', faces, '--out', out)

    refused('two weights at least', SHIPPED)
    refused('--begin needs 1 shares', SHIPPED, SHIPPED, '--begin', 0.5, 0.5)
    (tmp_path / 'empty').mkdir()
    refused("there is no '.*checkpoint", SHIPPED, tmp_path / 'empty')
    refused("there is no '.*checkpoint", SHIPPED, SHIPPED, '--judge', tmp_path / 'empty')
    refused('is missing; a model', SHIPPED, tmp_path / 'none.onnx')
    plain = MODEL_DIR / 'cfrnet_plain_256_fp32.onnx'
    refused('not of one layout', SHIPPED, plain)
    (tmp_path / CHECKPOINT).write_bytes(b'hours of work')
    refused('is no mixture; give another --out', SHIPPED, SHIPPED, out=tmp_path)
    assert (tmp_path / CHECKPOINT).read_bytes() == b'hours of work'


def test_a_mixture_that_was_stopped_goes_on_as_if_it_had_not_been(
    tmp_path: Path, faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mixed(out: str, *steps: int) -> dict[str, Tensor]:
        for count in steps:
            config = tmp_path / 'mix.yaml'
            config.write_text(CONFIG.replace('steps: 20', f'steps: {count}'), encoding='utf-8')
            command(
                monkeypatch, SHIPPED, '--scale', '--config', config, '--data', faces,
                '--out', tmp_path / out,
            )  # fmt: skip
        return load_run(tmp_path / out)[0].state_dict()

    whole, parts = mixed('whole', 6), mixed('parts', 3, 6)
    begun = read_model(SHIPPED)[0].state_dict()
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value)
    assert any(not torch.allclose(whole[name], begun[name]) for name in begun)
    with pytest.raises(SystemExit, match='not a mixture of these weights'):
        command(
            monkeypatch, SHIPPED, SHIPPED, '--config', tmp_path / 'mix.yaml', '--data', faces,
            '--out', tmp_path / 'parts',
        )  # fmt: skip


def test_two_processes_see_twice_as_many_windows(
    tmp_path: Path, faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / 'mix.yaml'
    config.write_text(CONFIG.replace('steps: 20', 'steps: 2'), encoding='utf-8')
    command(
        monkeypatch, SHIPPED, '--scale', '--config', config, '--data', faces,
        '--out', tmp_path / 'two', '--processes', 2,
    )  # fmt: skip
    assert read_run(tmp_path / 'two', '--out')['windows'] == 2 * 2 * 8
