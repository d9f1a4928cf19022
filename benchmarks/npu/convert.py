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

"""Writes what toolchains take: ``python -m benchmarks.npu.convert OUT``, with litert-torch.

For each shipped network that is a float ONNX file (planes, RGB 0..1) and an INT8 TFLite file with
the levels of the shipped INT8 file (`benchmarks.npu.shipped_levels`). The golden crops go through
the latter as LiteRT computes it on a CPU, operator by operator as the Ethos-U would.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from benchmarks.npu.float_onnx import write_float
from benchmarks.npu.golden import run_golden
from benchmarks.npu.shipped_levels import take_over
from cfrnet_ros.vision.engine.model_card import load_card
from cfrnet_ros.vision.engine.models import FAMILIES, shipped_models
from training.experiments.systems.measuring.npu import to_tflite


def convert(family: str, out: Path, crops: NDArray[np.uint8]) -> dict[str, Any]:
    """Write both files of a network, and return how near the TFLite file is to the reference.

    `golden` is that of the file with the shipped levels, `calibrated` that of the converter's own.

    Args:
        family: Beginning of the name of the shipped files.
        out: Folder of the files, `<family>_float.onnx` and `<family>_int8.tflite`.
        crops: (M, N, N, 3) uint8 RGB crops for the calibration.

    """
    network = write_float(family, out, crops)
    faces = [crop[None].astype(np.float32) / 255.0 for crop in crops]
    file = to_tflite(network, out / f'{family}.tflite', faces)
    shipped = shipped_models()[f'{family}_int8']
    calibrated = run_golden(shipped, _cycle(file))
    take_over(file, shipped)
    assert load_card(shipped).colour == 'BGR'
    cycle = _cycle(file)
    golden = run_golden(shipped, lambda state: cycle(state[..., ::-1])[..., ::-1])
    return {'golden': golden, 'calibrated': calibrated, 'bytes': file.stat().st_size}


def _cycle(file: Path) -> Any:
    interpreter = Interpreter(str(file))
    interpreter.allocate_tensors()
    (given,), (wanted,) = interpreter.get_input_details(), interpreter.get_output_details()

    def cycle(state: NDArray[np.float32]) -> NDArray[np.float32]:
        interpreter.set_tensor(given['index'], _quantised(state[None], given))
        interpreter.invoke()
        values = interpreter.get_tensor(wanted['index'])[0]
        scale, zero = wanted['quantization']
        if scale:
            values = (values.astype(np.float32) - zero) * np.float32(scale)
        return np.asarray(values, np.float32)

    return cycle


def _quantised(values: NDArray[np.float32], tensor: Any) -> NDArray[Any]:
    scale, zero = tensor['quantization']
    if not scale:
        return values
    limits = np.iinfo(tensor['dtype'])
    rounded = np.rint(values / scale) + zero
    return np.asarray(np.clip(rounded, limits.min, limits.max), tensor['dtype'])


def main() -> None:
    """Convert the shipped networks and print the answers as one line of JSON."""
    out = Path(sys.argv[1])
    crops = np.load(out / 'calibration.npy', allow_pickle=False)
    answers = {family: convert(family, out, crops) for family in FAMILIES.values()}
    versions = {
        name: importlib.metadata.version(name)
        for name in ('litert-torch', 'ai-edge-quantizer', 'ai-edge-litert')
    }
    print('\n' + json.dumps({'versions': versions, 'models': answers}), flush=True)


if __name__ == '__main__':
    main()
