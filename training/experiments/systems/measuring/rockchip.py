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

"""Rockchip's compiler and simulator: what they make of each row's float file.

Need rknn-toolkit2, in an environment of its own as ``RKNN=1 requirements/npu/install.sh`` makes it.
Each file has a process of its own there:
``python -m training.experiments.systems.measuring.rockchip FILE CALIBRATION FOLDER``.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from cfrnet_ros.vision.engine.golden import load_golden
from cfrnet_ros.vision.engine.model_card import load_card
from cfrnet_ros.vision.engine.models import FAMILIES, shipped_models
from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.preprocessing.colour_noise import prepare_face
from cfrnet_ros.vision.restoration.restorer import Restorer

#: Chip for which files are compiled.
TARGET = 'rk3588'

#: Seconds that compiling a file and one pass in the simulator may take.
LONGEST_S = 600.0

#: Name of the child's answer in its folder.
ANSWER = 'answer.json'

#: A line of the compiler's table of operators: number, kind, data type, target, shapes of inputs
#: and outputs, cycles (memory, NPU and total) and KiB that are read and written.
_OPERATOR = re.compile(
    r'^D RKNN: \[[\d:.]+\] (\d+) +(\S+) +\S+ +(NPU|CPU|GPU) +\S+ +\S+ +\d+/\d+/(\d+) +[\d.]',
    re.MULTILINE,
)

#: What gives the input to the NPU and takes the output from it, in every file.
_ENDS = {'InputOperator', 'OutputOperator'}

_COLOURS = re.compile(r'\x1b\[[\d;]*m')


def measure_rockchip(files: Mapping[str, Path], python: Path, work: Path, out: Path) -> None:
    """Compile and run each file, and add what is found to a JSON file.

    Args:
        files: Float ONNX files with cards, by the name of the row. Rows of earlier measurements
            that are not among them stay as they are.
        python: Interpreter of the environment with rknn-toolkit2.
        work: Folder of the crops that calibrate.
        out: Path of `docs/deployability.json`; its key `rockchip` is written.

    Raises:
        FileNotFoundError: The interpreter is missing.

    """
    if not python.is_file():
        raise FileNotFoundError(
            f"'{python}' is missing; make the environment with rknn-toolkit2 by RKNN=1 "
            'requirements/npu/install.sh, or name its Python by --rknn'
        )
    crops = work / 'calibration.npy'
    if not crops.is_file():
        command = [sys.executable, '-m', 'benchmarks.npu.calibration', str(crops)]
        subprocess.run(command, check=True)
    content: dict[str, Any] = {}
    if out.is_file():
        content = json.loads(out.read_text(encoding='utf-8'))
    found = content.setdefault('rockchip', {'rows': {}})
    found['target'] = TARGET
    for name, file in tqdm(files.items(), unit='row'):
        answer = _ask(file, crops, python)
        found['version'] = answer.pop('version', found.get('version', ''))
        found['rows'][name] = answer
        out.write_text(json.dumps(content, indent=1) + '\n', encoding='utf-8')


def _ask(file: Path, crops: Path, python: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        words = [str(path.resolve()) for path in (file, crops)]
        try:
            run = subprocess.run(
                [str(python.absolute()), '-m', __name__, *words, folder],
                env={**os.environ, 'PYTHONPATH': str(Path.cwd())},
                # It leaves files of its own where it runs.
                cwd=folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors='replace',
                check=False,
                timeout=LONGEST_S,
            )
        except subprocess.TimeoutExpired:
            return {'reason': f'not finished after {LONGEST_S:.0f} s'}
        log, answer = _COLOURS.sub('', run.stdout), Path(folder) / ANSWER
        if not answer.is_file():
            return {'reason': refusal(log) or f'exit code {run.returncode}'}
        told: dict[str, Any] = json.loads(answer.read_text(encoding='utf-8'))
        return {**told, **placement(log)}


def refusal(log: str) -> str:
    """Return what the toolkit's log says last of an error, empty if it says nothing.

    Args:
        log: Log without colours.

    """
    errors = [line[2:] for line in log.splitlines() if line.startswith('E ')]
    # The version of the toolkit is told in the same colour.
    causes = [line for line in errors if 'toolkit2 version' not in line and 'fallback' not in line]
    raised = [line for line in log.splitlines() if re.match(r'\w*(Error|Exception): ', line)]
    return (raised or causes or [''])[-1].strip()[:200]


def placement(log: str) -> dict[str, Any]:
    """Return where the compiler places its operators, from its log.

    Args:
        log: Log of a build with ``verbose=True``, without colours.

    Returns:
        `npu` and `cpu` (how often each operator runs there; they are the compiler's operators,
        after its own rewriting), `megacycles` (sum of the cycles that the compiler counts, in
        millions), `uncounted` (number of operators on the NPU for which it counts none) and
        `activations_kib` (what it calls internal memory).

    Raises:
        ValueError: The log does not hold the table of operators in the form that is read here.

    """
    table = log[log.rfind('Cycles(DDR/NPU/Total)') :]
    rows = _OPERATOR.findall(table)
    numbers = [int(number) for number, *_ in rows]
    kinds = [kind for _, kind, *_ in rows]
    # What it calls weight memory is seven times the file for one row, and is left out.
    internal = re.search(r'Total Internal Memory Size: ([\d.]+)KB', table)
    # A line in another form would leave a gap, and the output's is the last.
    whole = numbers == list(range(len(rows))) and kinds[-1:] == ['OutputOperator']
    if not whole or internal is None:
        raise ValueError("Rockchip's log has another form than the one that is read: read it anew")
    inner = [row for row in rows if row[1] not in _ENDS]
    cycles = [int(count) for _, _, target, count in inner if target == 'NPU']
    placed = Counter(kind for _, kind, target, _ in inner if target == 'NPU')
    left = Counter(kind for _, kind, target, _ in inner if target != 'NPU')
    return {
        'npu': dict(placed.most_common()),
        'cpu': dict(left.most_common()),
        'megacycles': round(sum(cycles) / 1e6, 2),
        'uncounted': cycles.count(0),
        'activations_kib': float(internal[1]),
    }


def compile_and_run(file: Path, crops: NDArray[np.uint8], folder: Path) -> dict[str, Any]:
    """Compile a float file in INT8 and restore one golden crop in the simulator.

    Args:
        file: Float ONNX file with a card.
        crops: (M, 256, 256, 3) uint8 RGB crops that calibrate.
        folder: Folder of what is compiled.

    Returns:
        `bytes` (size of the compiled file) and `to_float_db` (PSNR in dB between the outputs of
        the simulator and of the float file).

    Raises:
        RuntimeError: A step of the toolkit failed; its log says why.

    """
    from rknn.api import RKNN

    listed = []
    for number, crop in enumerate(crops):
        path = folder / f'{number}.npy'
        np.save(path, crop.transpose(2, 0, 1)[None])
        listed.append(f'{path}\n')
    dataset, compiled = folder / 'dataset.txt', folder / f'{file.stem}.rknn'
    dataset.write_text(''.join(listed), encoding='utf-8')
    rknn = RKNN(verbose=True)
    # Bytes 0..255 become 0..1 on the NPU.
    rknn.config(mean_values=[[0, 0, 0]], std_values=[[255, 255, 255]], target_platform=TARGET)
    steps = (
        ('load', lambda: rknn.load_onnx(model=str(file))),
        ('build', lambda: rknn.build(do_quantization=True, dataset=str(dataset))),
        ('export', lambda: rknn.export_rknn(str(compiled))),
        ('start', lambda: rknn.init_runtime()),
    )
    for name, step in steps:
        if step() != 0:
            raise RuntimeError(f'{name} failed')
    golden = load_golden(load_card(shipped_models()[f'{next(iter(FAMILIES.values()))}_int8']))
    assert golden is not None
    given = np.ascontiguousarray(prepare_face(golden.crop)[None, ..., ::-1])
    (planes,) = rknn.inference(inputs=[given], data_format=['nhwc'])
    levels = np.rint(np.clip(planes[0].transpose(1, 2, 0), 0.0, 1.0) * 255.0).astype(np.uint8)
    wanted = Restorer(file, choose_providers('cpu'), 1).restore(golden.crop, 1).crop
    db = float(cv2.PSNR(np.ascontiguousarray(levels[..., ::-1]), wanted))
    rknn.release()
    return {'bytes': compiled.stat().st_size, 'to_float_db': round(db, 1)}


def main() -> None:
    """Write the answer for one file; the log goes where the toolkit writes it."""
    file, crops, folder = map(Path, sys.argv[1:])
    answer = compile_and_run(file, np.load(crops, allow_pickle=False), folder)
    answer['version'] = importlib.metadata.version('rknn-toolkit2')
    (folder / ANSWER).write_text(json.dumps(answer), encoding='utf-8')


if __name__ == '__main__':
    main()
