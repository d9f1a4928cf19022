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

"""Expands weights that a file stores in 8 bits once, instead of at every run."""

from __future__ import annotations

from typing import Any

import numpy as np

try:
    from onnx import numpy_helper
except ImportError:  # without onnx no graph can be read that this module could change
    numpy_helper = None


def expand_weights(graph: Any) -> None:
    """Replace DequantizeLinear of constants (and a Reshape after it) by float constants.

    Args:
        graph: ONNX graph (onnx.GraphProto), changed in place.

    """
    constants = {item.name: item for item in graph.initializer}
    kept = []
    made: dict[str, np.ndarray[Any, Any]] = {}
    for node in graph.node:
        if node.op_type == 'DequantizeLinear' and all(name in constants for name in node.input):
            parts = [numpy_helper.to_array(constants[name]) for name in node.input]
            made[node.output[0]] = _dequantise(node, parts)
        elif node.op_type == 'Reshape' and node.input[0] in made and node.input[1] in constants:
            shape = numpy_helper.to_array(constants[node.input[1]])
            made[node.output[0]] = made[node.input[0]].reshape([int(side) for side in shape])
        else:
            kept.append(node)
    if not made:
        return
    used = {name for node in kept for name in node.input}
    del graph.node[:]
    graph.node.extend(kept)
    left = [item for item in graph.initializer if item.name in used]
    del graph.initializer[:]
    graph.initializer.extend(left)
    graph.initializer.extend(
        numpy_helper.from_array(np.ascontiguousarray(array), name)
        for name, array in made.items()
        if name in used
    )


def _dequantise(node: Any, parts: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """Compute ONNX's DequantizeLinear: (x - zero) * scale, per tensor, axis or block."""
    values, scale = parts[0].astype(np.float32), parts[1].astype(np.float32)
    zero = parts[2].astype(np.float32) if len(parts) > 2 else np.zeros_like(scale)
    attributes = {item.name: item.i for item in node.attribute}
    axis = attributes.get('axis', 1) % max(1, values.ndim)
    block = attributes.get('block_size', 0)
    if block:
        length = values.shape[axis]
        scale, zero = (
            np.take(np.repeat(part, block, axis=axis), range(length), axis=axis)
            for part in (scale, zero)
        )
    elif scale.ndim == 1 and scale.size > 1:
        shape = [1] * values.ndim
        shape[axis] = -1
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    return np.asarray((values - zero) * scale, dtype=np.float32)
