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

"""Small TFLite files, written operator by operator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.tools import flatbuffer_utils
from numpy.typing import NDArray


class TFLiteModel:
    """A graph of one input and one output, which grows by tensors and operators."""

    def __init__(self) -> None:
        """Begin without anything."""
        self._tensors: list[Any] = []
        self._operators: list[Any] = []
        self._buffers: list[Any] = [schema.BufferT()]
        self._kinds: list[str] = []

    def tensor(
        self,
        shape: tuple[int, ...],
        kind: str = 'INT8',
        value: NDArray[Any] | None = None,
        scale: float | list[float] | None = None,
    ) -> int:
        """Add a tensor, a constant if it has a value, and return its number."""
        made = schema.TensorT()
        made.name, made.shape = f't{len(self._tensors)}', list(shape)
        made.type, made.buffer = getattr(schema.TensorType, kind), 0
        if value is not None:
            buffer = schema.BufferT()
            buffer.data = list(value.tobytes())
            self._buffers.append(buffer)
            made.buffer = len(self._buffers) - 1
        if scale is not None:
            scales = scale if isinstance(scale, list) else [scale]
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale = scales
            made.quantization.zeroPoint = [0] * len(scales)
        self._tensors.append(made)
        return len(self._tensors) - 1

    def operator(self, kind: str, inputs: list[int], output: int, **options: int) -> None:
        """Add an operator; options are those of the operator's own table, if it has one."""
        made = schema.OperatorT()
        if kind not in self._kinds:
            self._kinds.append(kind)
        made.opcodeIndex, made.inputs, made.outputs = self._kinds.index(kind), inputs, [output]
        table = {'ARG_MAX': 'ArgMax', 'CONV_2D': 'Conv2D', 'ADD': 'Add', 'PAD': 'Pad'}.get(kind)
        if table is not None:
            made.builtinOptionsType = getattr(schema.BuiltinOptions, f'{table}Options')
            made.builtinOptions = getattr(schema, f'{table}OptionsT')()
            for name, value in options.items():
                setattr(made.builtinOptions, name, value)
        self._operators.append(made)

    def save(self, path: Path, given: int, wanted: int) -> Path:
        """Write the graph from one tensor to another."""
        graph, model = schema.SubGraphT(), schema.ModelT()
        graph.tensors, graph.operators = self._tensors, self._operators
        graph.inputs, graph.outputs = [given], [wanted]
        model.version, model.subgraphs, model.buffers = 3, [graph], self._buffers
        model.operatorCodes = []
        for kind in self._kinds:
            code = schema.OperatorCodeT()
            code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, kind)
            code.version = 3 if kind == 'CONV_2D' else 2
            model.operatorCodes.append(code)
        flatbuffer_utils.write_model(model, str(path))
        return path


def run(path: Path, given: NDArray[Any]) -> NDArray[Any]:
    """Return what a TFLite file makes of its input."""
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]['index'], given)
    interpreter.invoke()
    return np.asarray(interpreter.get_tensor(interpreter.get_output_details()[0]['index']))


def operators(path: Path) -> list[str]:
    """Return the kinds of the operators of a TFLite file, in order."""
    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
    model = flatbuffer_utils.read_model(str(path))
    return [
        names[model.operatorCodes[each.opcodeIndex].builtinCode]
        for each in model.subgraphs[0].operators
    ]
