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

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from training.critics.perceptual import weights_folder  # noqa: E402
from training.networks.build import count_macs, count_parameters  # noqa: E402
from training.networks.encoder_decoder import CFRNet  # noqa: E402

ROOT = Path(__file__).resolve().parents[3]
TINY = """
seed: 3
steps: 6
pixels: 8192
crop: 64
learning_rate: [[0, 1.0e-3], [6, 1.0e-4]]
shares: {general: 0.3, car: 0.2, motion: 0.2, fused: 0.2, low_light: 0.1}
face_weights: {'train0*': 2.0}
augmentation: {pose: 0.5, shadow: 0.5, glint: 0.5, hand: 0.5}
loss: {perceptual: [0.1]}
stages:
  - from: 3
    cycles: [0.0, 1.0]
    loss: {adversarial: [0.0, 0.01], matching: 0.1, idempotence_clean: 0.5,
           idempotence_restored: 0.2, idempotence_depth: 2, redegradation: 0.2}
checkpoint_every_s: 0.0
validate_every_s: 1.0e+9
"""


def need_lpips() -> None:
    try:
        weights_folder()
    except FileNotFoundError as error:
        pytest.skip(str(error))


def start(config: Path, faces: Path, out: Path, *extra: str) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        '-m',
        'training.run.train',
        '--config',
        str(config),
        '--threads',
        '1',
    ]
    command += ['--data', str(faces), '--out', str(out), '--device', 'cpu', *extra]
    # As a shell starts what is to run in the background.
    ignore = functools.partial(signal.signal, signal.SIGINT, signal.SIG_IGN)
    return subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=ignore,
    )


def finish(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return output


def kill_at_first_checkpoint(process: subprocess.Popen[str], out: Path) -> list[int]:
    """Kill a run as soon as it has saved; return the processes that it had started."""
    deadline = time.monotonic() + 200
    while not (out / 'checkpoint.pt').is_file() and process.poll() is None:
        assert time.monotonic() < deadline, 'the run saved no checkpoint'
        time.sleep(0.02)
    started = Path(f'/proc/{process.pid}/task/{process.pid}/children')
    children = [int(child) for child in started.read_text().split()] if started.is_file() else []
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert (out / 'checkpoint.pt').is_file()
    return children


def weights(out: Path) -> dict[str, Any]:
    state = torch.load(out / 'checkpoint.pt', map_location='cpu', weights_only=True)
    assert state['step'] == 6
    average: dict[str, Any] = state['average']
    return average


def test_the_network_has_two_million_parameters() -> None:
    network = CFRNet()
    assert count_parameters(network) == pytest.approx(2.0e6, rel=0.05)
    assert 3.0e9 < count_macs(network) < 5.0e9


def test_a_run_killed_half_way_resumes_to_the_same_weights(faces: Path, tmp_path: Path) -> None:
    need_lpips()
    config = tmp_path / 'tiny.yaml'
    config.write_text(TINY)
    finish(start(config, faces, tmp_path / 'whole'))

    kill_at_first_checkpoint(start(config, faces, tmp_path / 'killed'), tmp_path / 'killed')
    finish(start(config, faces, tmp_path / 'killed'))

    whole, resumed = weights(tmp_path / 'whole'), weights(tmp_path / 'killed')
    # Even two undisturbed runs differ by some 5e-6 after six steps: bfloat16 sums depend on where
    # in memory their terms lie. One step of Adam moves a weight by up to 1e-3.
    for name, value in whole.items():
        assert torch.allclose(value, resumed[name], atol=5e-5), name
    assert list((tmp_path / 'whole').glob('sheet_*.jpg'))
    log = (tmp_path / 'killed' / 'validation.csv').read_text().splitlines()
    assert log[0] == 'step,seconds,name,value'
    assert any(line.startswith('6,') and 'general_psnr_2' in line for line in log)
    assert list((tmp_path / 'killed').glob('events.out.tfevents.*'))
    notes = (tmp_path / 'killed' / 'notes.txt').read_text().splitlines()
    # Of the start and of the resumption.
    assert len(notes) == 2
    assert notes[0].startswith('step 0, 0 s: trains on cpu in ')


def test_a_trained_run_exports_models_that_the_node_can_load(faces: Path, tmp_path: Path) -> None:
    need_lpips()
    config = tmp_path / 'tiny.yaml'
    config.write_text(TINY)
    finish(start(config, faces, tmp_path / 'run'))
    models = tmp_path / 'models'
    command = [sys.executable, '-m', 'training.tools.export', '--run', str(tmp_path / 'run')]
    command += ['--data', str(faces), '--out', str(models), '--calibration-faces', '3']
    command += ['--calibration', 'minmax', '--allow-int8-loss']
    command += ['--learning-steps', '2', '--learning-faces', '2']
    subprocess.run(command, cwd=ROOT, check=True, timeout=300, capture_output=True)

    from cfrnet_ros.vision.engine.providers import choose_providers
    from cfrnet_ros.vision.restoration.restorer import Restorer

    for precision in ('fp32', 'int8'):
        path = models / f'cfrnet_256_{precision}.onnx'
        card = json.loads(path.with_suffix('.json').read_text())
        assert card['precision'] == precision
        assert card['training']['config']['seed'] == 3
        restorer = Restorer(path, choose_providers('cpu'))
        crop = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
        restored = restorer.restore(crop, 2)
        assert restored.crop.shape == crop.shape
        assert restored.cycles == 2


def test_two_processes_train_one_network_and_end_together_when_killed(
    faces: Path, tmp_path: Path
) -> None:
    need_lpips()
    config = tmp_path / 'tiny.yaml'
    config.write_text(TINY)
    both = tmp_path / 'both'
    children = kill_at_first_checkpoint(start(config, faces, both, '--processes', '2'), both)
    assert len(children) >= 2
    deadline = time.monotonic() + 60
    while any(Path(f'/proc/{child}').exists() for child in children):
        assert time.monotonic() < deadline, 'a process went on after its run was killed'
        time.sleep(0.1)

    finish(start(config, faces, both, '--processes', '2'))
    finish(start(config, faces, tmp_path / 'alone'))
    shared, alone = weights(both), weights(tmp_path / 'alone')
    # Twice the faces: other gradients, so other weights.
    assert not all(torch.allclose(v, alone[n], atol=5e-5) for n, v in shared.items())
    # One log, not one of each process.
    rows = (both / 'validation.csv').read_text().splitlines()
    assert sum('general_psnr_2' in row for row in rows) == 1


def test_the_gradients_of_two_processes_are_averaged(tmp_path: Path) -> None:
    script = tmp_path / 'average.py'
    script.write_text(
        'import sys, torch\n'
        'from training.run.processes import run_in_processes\n'
        'def work(processes, device):\n'
        '    layer = torch.nn.Linear(2, 1)\n'
        '    for p in layer.parameters():\n'
        '        p.grad = torch.full_like(p, 1.0 + 2.0 * processes.rank)\n'
        '    processes.average_gradients(layer.parameters())\n'
        '    agreed = processes.agree(7.0 + processes.rank, torch.device("cpu"))\n'
        '    means = [p.grad.mean().item() for p in layer.parameters()]\n'
        f'    open(f"{tmp_path}/{{processes.rank}}", "w").write(repr((means, agreed)))\n'
        'if __name__ == "__main__":\n'
        '    run_in_processes(2, "cpu", work)\n'
    )
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    subprocess.run([sys.executable, str(script)], check=True, timeout=120, env=environment)
    assert [(tmp_path / rank).read_text() for rank in '01'] == [repr(([2.0, 2.0], 7.0))] * 2


@pytest.mark.parametrize('count', ['0', '-1'])
def test_no_process_at_all_is_refused(count: str, faces: Path, tmp_path: Path) -> None:
    config = tmp_path / 'tiny.yaml'
    config.write_text(TINY)
    output, _ = start(config, faces, tmp_path / 'none', '--processes', count).communicate()
    assert f'at least one process, not {count}' in output
