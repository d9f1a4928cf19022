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

"""The float graph in the form in which ONNX Runtime's quantiser takes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper
from onnxruntime.quantization.shape_inference import quant_pre_process


def prepare(float_model: Path, path: Path) -> onnx.ModelProto:
    """Write the same network with known shapes, and constants that each serve one operator.

    Args:
        float_model: Path of a float32 model with static shapes.
        path: Path of the ONNX file to write.

    Returns:
        The graph that was written. What quantises it finds its constants by their names here, not
        by those in `float_model`: a bias may have taken in the addition behind its convolution.

    """
    quant_pre_process(str(float_model), str(path), skip_symbolic_shape=True)
    model = onnx.load(str(path))
    share_no_constants(model.graph)
    add_and_multiply(model.graph)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))
    return model


def share_no_constants(graph: onnx.GraphProto) -> None:
    """Give each operator its own copy of the float constants that it shares with others, in place.

    ONNX Runtime quantises a bias by the step of its operator's input, so a shared one once for each
    operator. It names the copies by numbers behind the name (`_dup_initializer` of
    onnxruntime 1.31): the ninth copy of `val_13` is `val_139`, which a PyTorch export also
    calls the result of some operator, and the quantised graph then reads the wrong one of them.

    Args:
        graph: Graph with constants as initializers.

    """
    constants = {t.name: t for t in graph.initializer if t.data_type == TensorProto.FLOAT}
    taken = {name for node in graph.node for name in (*node.input, *node.output)}
    taken.update(tensor.name for tensor in graph.initializer)
    seen: set[str] = set()
    for node in graph.node:
        # Its scales are not quantised.
        inputs = [] if node.op_type == 'Resize' else list(node.input)
        for place, name in enumerate(inputs):
            if name not in constants:
                continue
            if name in seen:
                number = 1
                while (copied := f'{name}_copy_{number}') in taken:
                    number += 1
                taken.add(copied)
                tensor = graph.initializer.add()
                tensor.CopyFrom(constants[name])
                tensor.name = node.input[place] = copied
            seen.add(name)


def add_and_multiply(graph: onnx.GraphProto) -> None:
    """Replace subtractions of constants by additions and divisions by multiplications, in place.

    The results are the same but for the last bit of a quotient. ONNX Runtime quantises the constant
    of an addition or multiplication, and leaves those of the others in float (`QDQRegistry` of
    onnxruntime 1.31 has neither Sub nor Div); Qualcomm's compiler then refuses the whole graph with
    an error about memory.

    Args:
        graph: Graph in which no operators share a constant.

    """
    constants = {t.name: t for t in graph.initializer if t.data_type == TensorProto.FLOAT}
    for node in graph.node:
        if node.op_type not in ('Sub', 'Div') or node.input[1] not in constants:
            continue
        tensor = constants[node.input[1]]
        value = numpy_helper.to_array(tensor)
        if node.op_type == 'Sub':
            node.op_type, value = 'Add', -value
        elif (value != 0).all():
            node.op_type, value = 'Mul', np.reciprocal(value)
        tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))


def matrix_weights(graph: onnx.GraphProto) -> dict[str, int]:
    """Return the axis of the outputs of each constant that a matrix product multiplies with.

    Args:
        graph: Graph in which no operators share a constant.

    Returns:
        By the name of a constant with two axes, the second input of a MatMul or Gemm: 0 or 1.

    """
    matrices = {t.name for t in graph.initializer if len(t.dims) == 2}
    found: dict[str, int] = {}
    for node in graph.node:
        if node.op_type in ('MatMul', 'Gemm') and node.input[1] in matrices:
            transposed = any(a.name == 'transB' and a.i for a in node.attribute)
            found[node.input[1]] = 0 if transposed else 1
    return found
