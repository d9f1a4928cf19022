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

"""Write a PyTorch module as ONNX, and check what ONNX Runtime makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.data.crops import to_tensor

INPUT, OUTPUT = 'face', 'restored'

#: Export fails above this difference (0..1 range) between ONNX Runtime and PyTorch, beyond
#: the half of one of 255 levels that rounding to eight bits costs by itself.
TOLERANCE = 1e-4

#: The last that onnxruntime 1.23 reads, which is the last for Python 3.10.
IR_VERSION, OPSET = 10, 18


def unit_range(planes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return uint8 planes as the float models take them: float32 in 0..1."""
    return planes.astype(np.float32) / np.float32(255.0)


def write_onnx(module: nn.Module, example: Tensor, path: Path) -> None:
    """Write a module that maps one tensor to one of the same shape.

    Args:
        module: Module in evaluation mode.
        example: Example of an input; its shape and type become the model's.
        path: Path of the ONNX file.

    """
    program = torch.onnx.export(
        module.eval(),
        (example,),
        input_names=[INPUT],
        output_names=[OUTPUT],
        opset_version=OPSET,
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    if program is None:
        raise RuntimeError('PyTorch exported nothing; use the version in requirements/training.txt')
    model = program.model_proto
    # The exporter leaves the Python call stack, with its paths, on every node and value.
    del model.metadata_props[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ''
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    model.ir_version = min(model.ir_version, IR_VERSION)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def check_against_pytorch(
    path: Path, network: nn.Module, faces: Sequence[NDArray[np.uint8]]
) -> float:
    """Compare an exported model with the network that it was made of.

    Args:
        path: ONNX file, uint8 (1, N, N, 3) BGR or float32 (1, 3, N, N) RGB in 0..1.
        network: ``forward(x)`` gives RGB clipped to 0..1.
        faces: (N, N, 3) uint8 BGR crops.

    Returns:
        The largest absolute difference on a scale of 0..1; with a uint8 output half a
        level (0.00196) of it is rounding.

    Raises:
        RuntimeError: The difference is above `TOLERANCE`, beyond rounding.

    """
    session = ort.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    as_bytes = session.get_inputs()[0].type == 'tensor(uint8)'
    largest = 0.0
    network.eval()
    for face in faces:
        with torch.no_grad():
            expected = network(to_tensor(face)).numpy()
        given = face[None] if as_bytes else to_tensor(face).numpy()
        output = session.run([OUTPUT], {INPUT: given})[0]
        if as_bytes:
            output = output[..., ::-1].transpose(0, 3, 1, 2) / 255.0
        largest = max(largest, float(np.abs(output - expected).max()))
    allowed = TOLERANCE + (0.5 / 255.0 if as_bytes else 0.0)
    if not largest <= allowed:
        raise RuntimeError(
            f"ONNX Runtime and PyTorch differ by {largest:.2e} on '{path.name}', more than "
            f'{allowed:.2e}; nothing was written'
        )
    return largest
