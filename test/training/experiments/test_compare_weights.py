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

"""Weights compared on validation faces: a run, a shipped file, and what lies between them."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')
pytest.importorskip('ai_edge_litert', reason='eyes are measured by a LiteRT network')

from cfrnet_ros.vision.engine.models import MODEL_DIR  # noqa: E402
from training.data.crops import aligned  # noqa: E402
from training.data.manifest import read_manifest  # noqa: E402
from training.experiments import compare_weights  # noqa: E402
from training.export.shipped import read_model  # noqa: E402
from training.run.checkpoint import CHECKPOINT  # noqa: E402
from training.run.config import RunConfig  # noqa: E402

SHIPPED = MODEL_DIR / 'cfrnet_256_fp32.onnx'


def compare(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, 'argv', ['compare_weights', *(str(a) for a in arguments)])
    compare_weights.main()


def test_weights_are_compared(tmp_path: Path, faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, _ = read_model(SHIPPED)
    # The body's end scaled down: a run that has learnt less.
    weights = network.state_dict()
    last = list(weights)[-2:]
    weights = {name: value * (0.0 if name in last else 1.0) for name, value in weights.items()}
    run = tmp_path / 'run'
    run.mkdir()
    config = json.dumps(dataclasses.asdict(RunConfig()))
    torch.save({'average': weights, 'config': config}, run / CHECKPOINT)
    out = tmp_path / 'found.json'
    compare(
        monkeypatch, SHIPPED, run, '--data', faces, '--set', 'mosaic', '--halfway', '--bands',
        '--out', out,
    )  # fmt: skip
    found = json.loads(out.read_text(encoding='utf-8'))['weights']
    assert list(found)[:2] == [str(SHIPPED), str(run)]
    shipped, worse, between, bands = found.values()
    assert shipped['0'] == worse['0'] == between['0']
    assert shipped['3']['lpips'] < 0.8 * shipped['0']['lpips']
    assert worse['1'] != between['1'] != shipped['1']
    # A mosaic hides how far eyes are open: none are found in it.
    assert shipped['0']['eye_error'] is shipped['0']['eye_bias'] is None
    assert 0 <= shipped['3']['eye_error'] < 0.2
    assert abs(shipped['3']['eye_bias']) <= shipped['3']['eye_error']
    # Nearly all of the picture from k=1, and nearly none of it.
    narrow, wide = bands['1.0']['lpips'], bands['6.0']['lpips']
    assert shipped['3']['lpips'] - 0.02 < wide < narrow < shipped['1']['lpips'] + 0.02


def test_weights_are_compared_on_faces_that_were_filmed_and_fused(
    tmp_path: Path, faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = [aligned(record) for record in read_manifest(faces, 'val')][:2]
    soft = [cv2.GaussianBlur(picture, (0, 0), 3.0) for picture in pairs]
    filmed, out = tmp_path / 'filmed.npz', tmp_path / 'found.json'
    np.savez(filmed, fused=np.stack(soft), truth=np.stack(pairs))
    compare(monkeypatch, SHIPPED, '--filmed', filmed, '--cycles', 2, '--out', out)
    found = json.loads(out.read_text(encoding='utf-8'))
    assert found['set'] == 'filmed'
    k = found['weights'][str(SHIPPED)]
    assert k['2']['lpips'] < k['1']['lpips'] < k['0']['lpips']
    with pytest.raises(SystemExit):
        compare(monkeypatch, SHIPPED, '--filmed', filmed, '--data', faces)
    for path, message in ((tmp_path / 'no', 'is missing; b'), (out, 'is not a file of b')):
        with pytest.raises(SystemExit, match=message):
            compare(monkeypatch, SHIPPED, '--filmed', path)


def test_what_is_no_weights_is_named(
    tmp_path: Path, faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path, message in ((tmp_path, "there is no '.*checkpoint"), (tmp_path / 'no', 'is missing')):
        with pytest.raises(SystemExit, match=message):
            compare(monkeypatch, path, '--data', faces)
