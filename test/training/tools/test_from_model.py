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

"""Going on from a shipped model: the checkpoint is the network that its file holds."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from cfrnet_ros.vision.engine.models import MODEL_DIR  # noqa: E402
from training.critics.discriminator import PatchDiscriminator  # noqa: E402
from training.export.faces import degraded_faces  # noqa: E402
from training.export.fp32 import check_against_pytorch  # noqa: E402
from training.export.shipped import read_model  # noqa: E402
from training.networks.build import build_network  # noqa: E402
from training.networks.config import NetworkConfig  # noqa: E402
from training.run.checkpoint import CHECKPOINT  # noqa: E402
from training.run.config import RunConfig  # noqa: E402
from training.run.trainer import Trainer  # noqa: E402
from training.tools import from_model  # noqa: E402

SHIPPED = MODEL_DIR / 'cfrnet_256_fp32.onnx'


def make(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, 'argv', ['from_model', *(str(a) for a in arguments)])
    from_model.main()


@pytest.mark.parametrize('name', ['cfrnet_256_fp32', 'cfrnet_plain_256_fp32'])
def test_the_checkpoint_is_what_the_file_holds(
    name: str, tmp_path: Path, faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = MODEL_DIR / f'{name}.onnx'
    make(monkeypatch, '--model', model, '--out', tmp_path / 'run')
    state = torch.load(tmp_path / 'run' / CHECKPOINT, weights_only=True)
    card = json.loads(model.with_suffix('.json').read_text(encoding='utf-8'))['training']
    assert (state['step'], state['elapsed']) == (card['steps'], card['seconds'])
    network = build_network(NetworkConfig.read(card['config']['network']))
    network.load_state_dict(state['average'])
    # Raises where they differ by more than rounding.
    assert check_against_pytorch(model, network, [degraded_faces(faces, 'val', 1, 7)[0].degraded])


def test_a_run_goes_on_from_it_with_another_runs_discriminator(
    tmp_path: Path, faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, run = tmp_path / 'other', tmp_path / 'run'
    other.mkdir()
    judge = PatchDiscriminator()
    optimiser = torch.optim.Adam(judge.parameters())
    torch.save(
        {'judge': judge.state_dict(), 'judge_optimiser': optimiser.state_dict()},
        other / CHECKPOINT,
    )
    # Mixed weights, as those that ship may be, have done no step of their own.
    model = Path(shutil.copy(SHIPPED, tmp_path / 'trained.onnx'))
    card = json.loads(SHIPPED.with_suffix('.json').read_text(encoding='utf-8'))
    card['training']['steps'] = 1234
    model.with_suffix('.json').write_text(json.dumps(card), encoding='utf-8')
    make(monkeypatch, '--model', model, '--out', run, '--judge', other)
    trainer = Trainer(RunConfig(steps=10**6, exclude=''), faces, run, 'cpu')
    try:
        assert trainer.step == 1234
        shipped = read_model(SHIPPED)[0].state_dict()
        for name, value in trainer.network.state_dict().items():
            assert torch.equal(value, shipped[name]), name
        for name, value in trainer.judge.state_dict().items():
            assert torch.equal(value, judge.state_dict()[name]), name
        assert 'pixel_1' in trainer.train_step()
    finally:
        trainer.source.close()


def test_what_cannot_be_gone_on_from_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(message: str, *arguments: object) -> None:
        with pytest.raises(SystemExit, match=message):
            make(monkeypatch, '--out', tmp_path / 'run', *arguments)
        assert not (tmp_path / 'run').exists()

    refused('is missing; a model and its card', '--model', tmp_path / 'none.onnx')
    bare = shutil.copy(SHIPPED, tmp_path / 'bare.onnx')
    refused(r'bare\.json.* is missing', '--model', bare)
    refused('not the FP32 file', '--model', MODEL_DIR / 'cfrnet_256_int8.onnx')
    card = json.loads(SHIPPED.with_suffix('.json').read_text(encoding='utf-8'))
    card['training']['config']['network']['layout'] = 'stride8'
    card['training']['config']['network']['widths'] = NetworkConfig().widths
    (tmp_path / 'bare.json').write_text(json.dumps(card))
    refused('does not hold the layout', '--model', bare)
    refused("there is no '.*checkpoint", '--model', SHIPPED, '--judge', tmp_path / 'none')
    (tmp_path / 'other').mkdir()
    torch.save({'step': 1}, tmp_path / 'other' / CHECKPOINT)
    refused('holds no discriminator', '--model', SHIPPED, '--judge', tmp_path / 'other')


def test_a_checkpoint_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / CHECKPOINT).write_bytes(b'hours of work')
    with pytest.raises(SystemExit, match='exists; give another folder'):
        make(monkeypatch, '--model', SHIPPED, '--out', tmp_path)
    assert (tmp_path / CHECKPOINT).read_bytes() == b'hours of work'
