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

"""Puts what a shipped INT8 file knows into a TFLite file of the same network.

A converter calibrates anew and rounds each float weight to the nearest level, while the weights of
the shipped files make each other's rounding good. Both files consist of the same operators, so that
the TFLite file can take over the levels of weights and biases, and the steps of all tensors. It
then computes what the ONNX file does, but for the rounding of single levels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils
from numpy.typing import NDArray
from onnx import numpy_helper

#: Unsigned levels of ONNX minus signed ones of TFLite.
SHIFT = 128

#: TFLite's operators by ONNX's.
KINDS = {'Conv': 'CONV_2D', 'Add': 'ADD', 'Resize': 'RESIZE_NEAREST_NEIGHBOR'}


def take_over(file: Path, shipped: Path) -> None:
    """Write a TFLite file anew, with the levels and steps of a shipped INT8 file.

    Args:
        file: INT8 TFLite file (1, N, N, 3) of the same network. Afterwards it takes and gives the
            colour order of the shipped file, with levels of pixels minus 128.
        shipped: INT8 ONNX file with bytes at its ends.

    Raises:
        ValueError: The files do not consist of the same operators.

    """
    model = flatbuffer_utils.read_model(str(file))
    pairing = _Pairing(_Levels(onnx.load(str(shipped))), model)
    pairing.take_over()
    flatbuffer_utils.write_model(model, str(file))


@dataclass(frozen=True)
class _Constant:
    """Constant as it is stored: levels, step(s) and the level of 0."""

    levels: NDArray[Any]
    steps: NDArray[np.float32]
    zero: int


class _Levels:
    """QDQ graph without its QuantizeLinear, DequantizeLinear and Transpose."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._graph = model.graph
        self._made = {output: node for node in self._graph.node for output in node.output}
        self._values = {t.name: numpy_helper.to_array(t) for t in self._graph.initializer}
        self.output = self._stored(self._graph.output[0].name)

    def operator(self, name: str) -> onnx.NodeProto | None:
        """Return the operator that computes a tensor; None for the input and for constants."""
        return self._made.get(name)

    def inputs(self, node: onnx.NodeProto) -> list[str]:
        """Return the tensors that an operator reads, constants among them."""
        return [self._stored(name) for name in node.input if name in self._made]

    def constant(self, name: str) -> _Constant | None:
        """Return a constant by the name under which an operator reads it."""
        node = self._made.get(name)
        if node is None or node.op_type != 'DequantizeLinear':
            return None
        levels, steps, zero = (self._values[each] for each in node.input)
        return _Constant(levels, steps.reshape(-1), int(zero.reshape(-1)[0]))

    def steps(self, name: str) -> tuple[float, int]:
        """Return the step of a computed tensor or of the input, and the level of 0."""
        quantising = (
            node
            for kind in ('QuantizeLinear', 'DequantizeLinear')
            for node in self._graph.node
            if node.op_type == kind and self._stored(node.output[0]) == name
        )
        _, step, zero = next(quantising).input
        return float(self._values[step]), int(self._values[zero])

    def _stored(self, name: str) -> str:
        """Return the tensor that a chain of quantising and transposing operators stores."""
        while (node := self._made.get(name)) is not None:
            if node.op_type == 'DequantizeLinear' and node.input[0] in self._values:
                return name
            if node.op_type not in ('DequantizeLinear', 'QuantizeLinear', 'Transpose'):
                return name
            name = node.input[0]
        return name


@dataclass
class _Pairing:
    """Which tensor of a TFLite file is which of a QDQ graph."""

    levels: _Levels
    model: Any
    tensors: dict[int, str] = field(default_factory=dict)
    refused: set[tuple[int, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.graph = self.model.subgraphs[0]
        self.made = {int(o): each for each in self.graph.operators for o in each.outputs}

    def take_over(self) -> None:
        """Find the pairs from the output back, then copy levels and steps."""
        if not self._pair(int(self.graph.outputs[0]), self.levels.output):
            raise ValueError('the TFLite file does not consist of the operators of the ONNX file')
        for index, name in self.tensors.items():
            constant = self.levels.constant(name)
            if constant is not None:
                self._write(index, constant.levels, constant.steps, constant.zero)
                continue
            step, zero = self.levels.steps(name)
            self._describe(index, np.array([step], np.float32), zero - SHIFT)
            node = self.levels.operator(name)
            if node is not None and node.op_type == 'Conv':
                operator = self.made[index]
                for place, given in enumerate(node.input[1:], start=1):
                    found = self.levels.constant(given)
                    assert found is not None
                    self._write(int(operator.inputs[place]), found.levels, found.steps, 0)
        for index, source in self._padded():
            self.graph.tensors[index].quantization = self.graph.tensors[source].quantization

    def _pair(self, index: int, name: str) -> bool:
        if (index, name) in self.refused or self.tensors.get(index, name) != name:
            return False
        if index in self.tensors:
            return True
        known = dict(self.tensors)
        self.tensors[index] = name
        if self._alike(index, name):
            return True
        self.tensors = known
        self.refused.add((index, name))
        return False

    def _alike(self, index: int, name: str) -> bool:
        node, operator = self.levels.operator(name), self.made.get(index)
        constant = self.levels.constant(name)
        if operator is None or node is None or constant is not None:
            size = len(self.model.buffers[self.graph.tensors[index].buffer].data or ())
            return operator is None and size == (0 if constant is None else constant.levels.size)
        if KINDS.get(node.op_type) != self._kind(operator):
            return False
        mine = [self._unpadded(int(i)) for i in operator.inputs]
        theirs = self.levels.inputs(node)
        if node.op_type == 'Add':
            orders = (theirs, theirs[::-1])
            return any(self._pair_all(mine, order) for order in orders)
        if node.op_type == 'Conv':
            weights = self.levels.constant(node.input[1])
            shape = tuple(self.graph.tensors[mine[1]].shape)
            if weights is None or _channels_last(weights.levels).shape != shape:
                return False
        return self._pair(mine[0], theirs[0])

    def _pair_all(self, indices: list[int], names: list[str]) -> bool:
        known = dict(self.tensors)
        if all(self._pair(index, name) for index, name in zip(indices, names)):
            return True
        self.tensors = known
        return False

    def _kind(self, operator: Any) -> str:
        code = self.model.operatorCodes[operator.opcodeIndex]
        number = max(code.builtinCode, code.deprecatedBuiltinCode)
        names = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
        return names[number]

    def _unpadded(self, index: int) -> int:
        operator = self.made.get(index)
        if operator is not None and self._kind(operator) == 'PAD':
            return int(operator.inputs[0])
        return index

    def _padded(self) -> Iterator[tuple[int, int]]:
        for index in self.made:
            source = self._unpadded(index)
            if source != index:
                yield index, source

    def _write(
        self, index: int, levels: NDArray[Any], steps: NDArray[np.float32], zero: int
    ) -> None:
        tensor = self.graph.tensors[index]
        if levels.dtype == np.uint8:
            levels, zero = (levels.astype(np.int16) - SHIFT).astype(np.int8), zero - SHIFT
        stored = np.ascontiguousarray(_channels_last(levels))
        self.model.buffers[tensor.buffer].data = np.frombuffer(stored.tobytes(), np.uint8)
        self._describe(index, steps, zero)

    def _describe(self, index: int, steps: NDArray[np.float32], zero: int) -> None:
        found = schema.QuantizationParametersT()
        found.scale, found.zeroPoint = steps.tolist(), [zero] * len(steps)
        found.quantizedDimension = 0
        self.graph.tensors[index].quantization = found


def _channels_last(values: NDArray[Any]) -> NDArray[Any]:
    """Return weights as (O, H, W, I), and pictures as (1, H, W, C)."""
    return values.transpose(0, 2, 3, 1) if values.ndim == 4 else values
