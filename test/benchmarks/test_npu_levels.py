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

"""A TFLite file that takes over the levels of an INT8 ONNX file computes the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

pytest.importorskip('ai_edge_litert')

from tflite_models import TFLiteModel, run

from benchmarks.npu.shipped_levels import take_over
from cfrnet_ros.vision.engine.models import shipped_models

SIDE, CHANNELS = 8, 4


def shipped(path: Path) -> Path:
    """Save a strided convolution, one behind it, and their sum: bytes in and out."""
    rng = np.random.default_rng(1)
    constants: dict[str, NDArray[np.generic]] = {}
    nodes = [helper.make_node('Transpose', ['face'], ['input_q'], perm=[0, 3, 1, 2])]

    def stored(name: str, levels: NDArray[np.generic], steps: object, zero: object) -> str:
        constants.update({f'{name}_q': levels, f'{name}_s': np.asarray(steps, np.float32)})
        constants[f'{name}_z'] = np.asarray(zero, levels.dtype)
        parts = [f'{name}_q', f'{name}_s', f'{name}_z']
        nodes.append(helper.make_node('DequantizeLinear', parts, [name], axis=0))
        return name

    def activation(name: str, step: float, zero: int, made: bool = True) -> None:
        constants.update(
            {f'{name}_s': np.array(step, np.float32), f'{name}_z': np.array(zero, np.uint8)}
        )
        ends = [f'{name}_s', f'{name}_z']
        if made:
            nodes.append(helper.make_node('QuantizeLinear', [f'{name}_r', *ends], [f'{name}_q']))
        nodes.append(helper.make_node('DequantizeLinear', [f'{name}_q', *ends], [name]))

    def convolution(name: str, given: str, step: float, inputs: int, stride: int) -> None:
        steps = rng.uniform(0.002, 0.004, CHANNELS).astype(np.float32)
        weights = rng.integers(-127, 128, (CHANNELS, inputs, 3, 3), np.int8)
        bias = rng.integers(-4000, 9000, CHANNELS).astype(np.int32)
        words = [
            given,
            stored(f'{name}_w', weights, steps, np.zeros(CHANNELS)),
            stored(f'{name}_b', bias, steps * np.float32(step), np.zeros(CHANNELS)),
        ]
        sizes = {'pads': [1, 1, 1, 1], 'strides': [stride, stride]}
        nodes.append(helper.make_node('Conv', words, [f'{name}_r'], **sizes))

    activation('input', 1 / 255, 0, made=False)
    convolution('first', 'input', 1 / 255, 3, 2)
    activation('first', 0.01, 0)
    convolution('second', 'first', 0.01, CHANNELS, 1)
    activation('second', 0.03, 117)
    # The order is the other one in the TFLite file.
    nodes.append(helper.make_node('Add', ['second', 'first'], ['sum_r']))
    activation('sum', 0.035, 110)
    nodes[-1] = helper.make_node('Transpose', ['sum_q'], ['restored'], perm=[0, 2, 3, 1])
    half = SIDE // 2
    graph = helper.make_graph(
        nodes,
        'test',
        [helper.make_tensor_value_info('face', TensorProto.UINT8, [1, SIDE, SIDE, 3])],
        [helper.make_tensor_value_info('restored', TensorProto.UINT8, [1, half, half, CHANNELS])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def converted(path: Path) -> Path:
    """Save the same operators with other weights and steps, as a converter would."""
    model, half = TFLiteModel(), SIDE // 2
    given = model.tensor((1, SIDE, SIDE, 3), scale=0.01)
    margins = np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32)
    padded = model.tensor((1, SIDE + 2, SIDE + 2, 3), scale=0.01)
    model.operator('PAD', [given, model.tensor((4, 2), 'INT32', margins)], padded)

    def parameters(inputs: int) -> list[int]:
        weights = np.ones((CHANNELS, 3, 3, inputs), np.int8)
        ones = [1.0] * CHANNELS
        return [
            model.tensor(weights.shape, value=weights, scale=ones),
            model.tensor((CHANNELS,), 'INT32', np.zeros(CHANNELS, np.int32), ones),
        ]

    first, second, total = (model.tensor((1, half, half, CHANNELS), scale=1.0) for _ in range(3))
    # Without padding of its own (VALID), and with it (SAME).
    sizes = {'strideH': 2, 'strideW': 2, 'dilationHFactor': 1, 'dilationWFactor': 1}
    model.operator('CONV_2D', [padded, *parameters(3)], first, padding=1, **sizes)
    sizes |= {'strideH': 1, 'strideW': 1}
    model.operator('CONV_2D', [first, *parameters(CHANNELS)], second, padding=0, **sizes)
    model.operator('ADD', [first, second], total)
    return model.save(path, given, total)


def test_levels_and_steps_are_taken_over(tmp_path: Path) -> None:
    onnx_file, file = shipped(tmp_path / 'm.onnx'), converted(tmp_path / 'm.tflite')
    take_over(file, onnx_file)
    rng = np.random.default_rng(2)
    pixels = rng.integers(0, 256, (1, SIDE, SIDE, 3), np.uint8)
    # In floats, between the levels: kernels of CPUs without VNNI saturate with weights of 8 bits.
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(str(onnx_file), options, providers=['CPUExecutionProvider'])
    wanted = session.run(None, {'face': pixels})[0].astype(int)
    assert wanted.std() > 10
    found = run(file, (pixels.astype(np.int16) - 128).astype(np.int8)).astype(int) + 128
    # LiteRT rescales in whole numbers.
    assert np.abs(found - wanted).max() <= 1


def test_another_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='does not consist of the operators'):
        take_over(converted(tmp_path / 'm.tflite'), shipped_models()['cfrnet_256_int8'])
