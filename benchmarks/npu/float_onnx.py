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

"""Writes shipped networks as float ONNX files: ``python -m benchmarks.npu.float_onnx OUT``.

They take and give float32 planes (1, 3, 256, 256), RGB in 0..1, as toolchains that quantise by
themselves expect. Their channels are made alike first, as for the shipped INT8 files: it changes
nothing in float, and most toolchains have nothing of the kind. Needs PyTorch, that is the training
environment, and in OUT the crops of `benchmarks.npu.calibration`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from cfrnet_ros.vision.engine.models import FAMILIES, shipped_models
from training.data.crops import SIZE
from training.export.camera_format import FloatPlanes
from training.export.equalise import equalise
from training.export.fp32 import write_onnx
from training.export.shipped import read_model

#: What `FloatPlanes` puts before the names of the network's weights.
_PREFIX = 'network.'


def write_float(family: str, out: Path, crops: NDArray[np.uint8]) -> torch.nn.Module:
    """Write `<family>_float.onnx` and return the network.

    Args:
        family: Beginning of the name of the shipped files.
        out: Folder of the file.
        crops: (M, N, N, 3) uint8 RGB crops that show how far each channel reaches.

    """
    network, _ = read_model(shipped_models()[f'{family}_fp32'])
    example = torch.rand(1, 3, SIZE, SIZE)
    path = out / f'{family}_float.onnx'
    write_onnx(FloatPlanes(network, clip=False), example, path)
    equalise(path, path, [np.ascontiguousarray(c.transpose(2, 0, 1)[None]) for c in crops])
    weights = {
        tensor.name.removeprefix(_PREFIX): torch.from_numpy(numpy_helper.to_array(tensor).copy())
        for tensor in onnx.load(path).graph.initializer
    }
    expected = network.state_dict()
    network.load_state_dict({name: weights[name] for name in expected})
    write_onnx(FloatPlanes(network, clip=True), example, path)
    return network


def main() -> None:
    """Write a file for each shipped network."""
    out = Path(sys.argv[1])
    crops = np.load(out / 'calibration.npy', allow_pickle=False)
    for family in FAMILIES.values():
        write_float(family, out, crops)
        print(out / f'{family}_float.onnx')


if __name__ == '__main__':
    main()
