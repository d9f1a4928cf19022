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

"""What an NPU compiler makes of each row: Arm's Vela, for the Ethos-U.

Needs litert-torch and ai-edge-quantizer, and the command `vela` of ethos-u-vela: in environments of
their own, since they declare other versions than this project pins.
"""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from training.data.crops import SIZE
from training.experiments.systems.measuring.graphs import trained_network
from training.experiments.systems.measuring.vela import TARGETS, choose_among_levels, compile_for
from training.experiments.systems.rows import read_rows
from training.export.camera_format import FloatPlanes

#: Rows whose networks differ: the variants of CFRNet but one are CFRNet's graph.
ROWS = (
    'cfrnet',
    'cfrnet_cnn',
    'hifacegan',
    'gfpgan',
    'codeformer',
    'osdface',
    'facefusion',
    'with_attention',
)


def measure_npu(
    runs: Sequence[Path], work: Path, vela: str | None, out: Path, names: Sequence[str] = ()
) -> None:
    """Compile each row's network and write what the compiler says.

    Args:
        runs: Folders of trained rows; their weights calibrate more truly than random ones.
        work: Folder of the TFLite files.
        vela: Path of Vela's command; None for that on the path.
        out: Path of the JSON file.
        names: Rows to ask about, none for all; the answers about others stay.

    Raises:
        ImportError: litert-torch or ai-edge-quantizer is missing.
        FileNotFoundError: Vela's command is missing.
        ValueError: There is no row of a name.

    """
    try:
        import ai_edge_quantizer  # noqa: F401
        import litert_torch  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f'{error}; in an environment of its own: pip install litert-torch ai-edge-quantizer'
        ) from error
    unknown = sorted(set(names) - set(ROWS))
    if unknown:
        raise ValueError(f'unknown row(s) {", ".join(unknown)}; known are {", ".join(ROWS)}')
    command = vela or 'vela'
    try:
        version = subprocess.run(
            [command, '--version'], capture_output=True, text=True, check=True
        ).stdout.strip()
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"there is no command '{command}': pip install ethos-u-vela in an environment of its "
            'own, and name its vela by --vela'
        ) from error
    folder = work / 'npu'
    folder.mkdir(parents=True, exist_ok=True)
    rows = read_rows().rows
    known: dict[str, Any] = json.loads(out.read_text(encoding='utf-8')) if out.is_file() else {}
    answers: dict[str, Any] = dict(known.get('rows', {})) if names else {}
    for name in tqdm(names or ROWS, unit='row'):
        network, _ = trained_network(rows[name], runs)
        try:
            file = to_tflite(network, folder / f'{name}.tflite')
        except Exception as error:
            # Whatever the converter raises is the answer to whether the network can be converted.
            lines = str(error).strip().splitlines() or ['']
            answers[name] = {'reason': f'{type(error).__name__}: {lines[0][:160]}'}
        else:
            found = {t: compile_for(config, file, command) for t, config in TARGETS.items()}
            answers[name] = {'targets': found}
        content = {
            # Another compiler's answers.
            **known,
            'vela': version,
            'litert_torch': importlib.metadata.version('litert-torch'),
            'quantizer': importlib.metadata.version('ai-edge-quantizer'),
            'targets': list(TARGETS),
            'rows': {row: answers[row] for row in ROWS if row in answers},
        }
        out.write_text(json.dumps(content, indent=1) + '\n', encoding='utf-8')


def to_tflite(network: nn.Module, path: Path, faces: Sequence[NDArray[np.float32]] = ()) -> Path:
    """Write a network as an INT8 TFLite file and return its path.

    Args:
        network: Network in evaluation mode.
        path: Path of the float file; the INT8 file lies beside it.
        faces: (1, N, N, 3) float32 RGB crops in 0..1 for the calibration; random numbers if none
            are given, with which operators and time are the same.

    """
    import litert_torch
    from ai_edge_quantizer import quantizer, recipe

    quantised = path.with_name(f'{path.stem}_int8.tflite')
    if quantised.is_file():
        return quantised
    # Eight bits saturate by themselves; a limit would stay behind in float, on the CPU.
    module = litert_torch.to_channel_last_io(FloatPlanes(network, clip=False), [0], [0])
    example = torch.rand(1, SIZE, SIZE, 3)
    litert_torch.convert(module.eval(), (example,)).export(str(path))
    work = quantizer.Quantizer(str(path))
    work.load_quantization_recipe(recipe.static_wi8_ai8())
    rng = np.random.default_rng(0)
    given = faces or [rng.random((1, SIZE, SIZE, 3), dtype=np.float32) for _ in range(2)]
    result = work.calibrate({'serving_default': [{'args_0': face} for face in given]})
    work.quantize(result).export_model(str(quantised), overwrite=True)
    choose_among_levels(quantised)
    return quantised
