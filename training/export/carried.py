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

"""Channels that carry the picture itself, unchanged, from the input to where it is corrected.

The plain CNN has no skip connection: convolutions pass the input's pixels on with weights of one
(`training.networks.plain`). In eight bits such a channel loses nothing if each tensor on its way
has the input's own step, 1/255; with any other step every layer rounds the picture again.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from training.export.fp32 import INPUT

#: Step of a tensor that holds pixels of 8 bits as they are, in 0..1.
PIXEL_STEP = 1 / 255

#: Largest difference from one of a weight that passes pixels on: float32 rounds about as much.
TOLERANCE = 1e-6


def carried_channels(graph: onnx.GraphProto) -> dict[str, NDArray[np.bool_]]:
    """Find the channels whose values are pixels of the input, or 0.

    Args:
        graph: Float32 graph from `INPUT`, (1, 3, N, N) in 0..1.

    Returns:
        By tensor, (C,) whether a channel is carried; only tensors with such a channel. Weights do
        not tell whether a channel with several weights of one adds pixels up; its range does.

    """
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    side = next(value for value in graph.input if value.name == INPUT)
    carried = {INPUT: np.ones(side.type.tensor_type.shape.dim[1].dim_value, np.bool_)}
    for node in graph.node:
        before = carried.get(node.input[0])
        if before is None:
            continue
        if node.op_type == 'Conv' and all(name in constants for name in node.input[1:]):
            after = _passed_on(node, before, [constants[name] for name in node.input[1:]])
        elif node.op_type == 'Add' and node.input[1] in constants:
            # The ReLU behind the addition takes away what a constant of -1 or less was added to.
            added = constants[node.input[1]]
            kept = (added == 0) | (added <= -1)
            after = before & (kept.all(axis=(0, 2, 3)) if added.ndim == 4 else kept.all())
        elif node.op_type in ('Relu', 'Resize'):
            after = before
        else:
            continue
        if after.any():
            carried[node.output[0]] = after
    return carried


def _passed_on(
    node: onnx.NodeProto, before: NDArray[np.bool_], parameters: list[NDArray[np.float32]]
) -> NDArray[np.bool_]:
    """Return which outputs of a convolution take ones of carried channels, and nothing else."""
    weights = parameters[0]
    if weights.shape[1] != len(before):
        # A convolution in groups mixes other channels.
        return np.zeros(len(weights), np.bool_)
    used = weights != 0
    ones = np.abs(weights - 1) <= TOLERANCE
    fit = (~used | (ones & before[None, :, None, None])).all(axis=(1, 2, 3))
    passed: NDArray[np.bool_] = fit & used.any(axis=(1, 2, 3))
    if len(parameters) > 1:
        passed &= parameters[1] == 0
    return passed
