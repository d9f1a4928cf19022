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

"""Rewrites an 8-bit model for ONNX Runtime's CPU kernels, with the same bytes as its result.

Two things take far more time there than their arithmetic:

* A 3 x 3 convolution to a few channels: its matrix product is as narrow as its channels, while the
  kernels work on 16 at a time. The same sums come from a 4 x 4 convolution with a stride of two,
  which gives the four pixels of a 2 x 2 block as four times as many channels.
* Enlarging by two: the kernel for it interpolates byte by byte, where whole pixels can be copied.

The file stays as it is, since compilers for NPUs want the plain operators.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

try:
    import onnx
    from onnx import helper, numpy_helper, shape_inference

    _AVAILABLE = True
except ImportError:  # The package is optional.
    _AVAILABLE = False

if TYPE_CHECKING:
    from onnx import NodeProto

#: Largest number of output channels of a convolution that is computed in blocks.
FEW_CHANNELS = 4


def for_cpu(model: Path | bytes) -> bytes | None:
    """Return a model that computes the same in less time on the CPU.

    Args:
        model: ONNX file, or its content.

    Returns:
        Content of the rewritten model; None if nothing in it can be rewritten (a model of floats
        has other kernels), if its weights are outside of the file, if it is no ONNX file, or if the
        package onnx is missing.

    """
    if not _AVAILABLE:
        return None
    try:
        loaded = onnx.load_from_string(
            model if isinstance(model, bytes) else Path(model).read_bytes()
        )
    except Exception:
        # What is wrong with a file is said by the session that is asked to load it.
        return None
    if any(
        tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in loaded.graph.initializer
    ):
        return None
    graph = _Graph(loaded)
    changed = sum(
        _in_blocks(graph, node) if node.op_type == 'Conv' else _by_copies(graph, node)
        for node in list(loaded.graph.node)
        if node.op_type in ('Conv', 'Resize')
    )
    return bytes(loaded.SerializeToString()) if changed else None


class _Graph:
    """A model with indices of its nodes, constants and shapes."""

    def __init__(self, model: Any) -> None:
        self.nodes = model.graph.node
        self._initializers = model.graph.initializer
        self.constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self.producer = {out: node for node in model.graph.node for out in node.output}
        self._readers: dict[str, list[NodeProto]] = {}
        for node in model.graph.node:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)
        inferred = shape_inference.infer_shapes(model).graph
        self.shapes = {
            value.name: tuple(side.dim_value for side in value.type.tensor_type.shape.dim)
            for value in (*inferred.value_info, *inferred.input, *inferred.output)
        }

    def only_reader(self, name: str) -> NodeProto | None:
        """Return the node that reads a tensor; None if there is not exactly one."""
        readers = self._readers.get(name, [])
        return readers[0] if len(readers) == 1 else None

    def array(self, name: str) -> NDArray[Any] | None:
        """Return a constant; None if the tensor is not one."""
        tensor = self.constants.get(name)
        return None if tensor is None else np.asarray(numpy_helper.to_array(tensor))

    def add(self, name: str, value: NDArray[Any]) -> str:
        """Add a constant and return its name."""
        self._initializers.append(numpy_helper.from_array(value, name))
        return name

    def replace(self, old: list[NodeProto], new: list[NodeProto]) -> None:
        """Put nodes in the place of the first of some others."""
        place = list(self.nodes).index(old[0])
        for node in old:
            self.nodes.remove(node)
        for offset, node in enumerate(new):
            self.nodes.insert(place + offset, node)


def _is(node: NodeProto | None, operator: str) -> bool:
    return node is not None and node.op_type == operator


def _attributes(node: NodeProto) -> dict[str, Any]:
    return {item.name: helper.get_attribute_value(item) for item in node.attribute}


def _in_blocks(graph: _Graph, convolution: NodeProto) -> bool:
    """Compute a convolution to a few channels in blocks of 2 x 2 pixels; return whether it was."""
    quantize = graph.only_reader(convolution.output[0])
    if len(convolution.input) != 3 or not _is(quantize, 'QuantizeLinear') or quantize is None:
        return False
    sources = [graph.producer.get(name) for name in convolution.input]
    if not all(_is(source, 'DequantizeLinear') for source in sources):
        return False
    parts = [
        [graph.array(name) for name in source.input] for source in sources[1:] if source is not None
    ]
    if any(len(part) != 3 or any(array is None for array in part) for part in parts):
        return False
    weights, height, width = parts[0][0], *graph.shapes[convolution.output[0]][2:]
    told = _attributes(convolution)
    plain = (
        list(told.get('pads', [])) == [1, 1, 1, 1]
        and list(told.get('strides', [1, 1])) == [1, 1]
        and list(told.get('dilations', [1, 1])) == [1, 1]
        and told.get('group', 1) == 1
    )
    assert weights is not None
    channels = weights.shape[0]
    if not plain or weights.shape[2:] != (3, 3) or channels > FEW_CHANNELS:
        return False
    # Weights beside the 3 x 3 ones are zero, so that zero must stand for zero.
    zero_points = [part[2] for part in parts]
    if height % 2 or width % 2 or any(zero is None or zero.any() for zero in zero_points):
        return False
    blocks = np.zeros((4 * channels, weights.shape[1], 4, 4), weights.dtype)
    for number, (y, x) in enumerate(np.ndindex(2, 2)):
        blocks[number * channels : (number + 1) * channels, :, y : y + 3, x : x + 3] = weights
    name = convolution.output[0]
    inputs, made = [convolution.input[0]], []
    for label, (values, *scales) in zip(('weight', 'bias'), parts):
        wide = [blocks if label == 'weight' else _tiled(values), *map(_tiled, scales)]
        constants = [
            graph.add(f'{name}_blocks_{label}_{part}', array) for part, array in enumerate(wide)
        ]
        inputs.append(f'{name}_blocks_{label}')
        made.append(helper.make_node('DequantizeLinear', constants, [inputs[-1]], axis=0))
    made.append(
        helper.make_node(
            'Conv', inputs, [f'{name}_blocks'], kernel_shape=[4, 4], strides=[2, 2], pads=[1] * 4
        )
    )
    made.append(
        helper.make_node(
            'QuantizeLinear', [f'{name}_blocks', *quantize.input[1:]], [f'{name}_blocks_bytes']
        )
    )
    # The channels of a row of a block are neighbours, so that a row is moved as a whole.
    made += _as_pixels(
        graph,
        f'{name}_blocks_bytes',
        quantize.output[0],
        [
            ('Reshape', [height // 2, width // 2, 2, 2 * channels]),
            ('Transpose', [0, 2, 1, 3]),
            ('Reshape', [1, height, width, channels]),
        ],
    )
    graph.replace([convolution, quantize], made)
    return True


def _tiled(array: NDArray[Any] | None) -> NDArray[Any]:
    """Return a constant of each channel for four times as many; a scalar stays one."""
    assert array is not None
    return np.tile(array, 4) if array.ndim else array


def _by_copies(graph: _Graph, resize: NodeProto) -> bool:
    """Enlarge by two with copies of whole pixels; return whether that was possible."""
    dequantize = graph.producer.get(resize.input[0])
    quantize = graph.only_reader(resize.output[0])
    if not _is(dequantize, 'DequantizeLinear') or not _is(quantize, 'QuantizeLinear'):
        return False
    assert dequantize is not None
    assert quantize is not None
    told = _attributes(resize)
    nearest = (
        told.get('mode', b'nearest') == b'nearest'
        and told.get('coordinate_transformation_mode') == b'asymmetric'
        and told.get('nearest_mode') == b'floor'
    )
    before, after = graph.shapes[resize.input[0]], graph.shapes[resize.output[0]]
    twice = len(before) == 4 and after == (*before[:2], 2 * before[2], 2 * before[3])
    # With another scale the bytes themselves would change.
    same = [*dequantize.input[1:]] == [*quantize.input[1:]]
    if not (nearest and twice and same and before[0] == 1):
        return False
    _, channels, height, width = before
    steps: list[tuple[str, list[int]]] = [
        ('Reshape', [height, 1, width, 1, channels]),
        ('Expand', [height, 2, width, 2, channels]),
        ('Reshape', [1, 2 * height, 2 * width, channels]),
    ]
    old = [resize, quantize]
    if graph.only_reader(dequantize.output[0]) is resize:
        old.append(dequantize)
    graph.replace(old, _as_pixels(graph, dequantize.input[0], quantize.output[0], steps))
    return True


def _as_pixels(
    graph: _Graph, source: str, target: str, steps: list[tuple[str, list[int]]]
) -> list[NodeProto]:
    """Return nodes that apply operators to a tensor whose last axis is made that of the channels.

    ONNX Runtime's 8-bit kernels keep that order of the axes, so that the two transpositions here
    cancel against those that they bring.

    Args:
        graph: Model.
        source: Name of a (1, C, H, W) tensor.
        target: Name of the (1, C, H, W) result.
        steps: Operators with their shape or order of axes.

    """
    name = f'{target}_pixels_0'
    made = [helper.make_node('Transpose', [source], [name], perm=[0, 2, 3, 1])]
    for number, (operator, numbers) in enumerate(steps, start=1):
        before, name = name, f'{target}_pixels_{number}'
        if operator == 'Transpose':
            made.append(helper.make_node(operator, [before], [name], perm=numbers))
        else:
            shape = graph.add(f'{name}_shape', np.array(numbers, np.int64))
            made.append(helper.make_node(operator, [before, shape], [name]))
    return [*made, helper.make_node('Transpose', [name], [target], perm=[0, 3, 1, 2])]
