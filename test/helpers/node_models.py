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

"""Small ONNX restorers whose output tests can predict."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE = 256


def _save(nodes: list[onnx.NodeProto], weights: list[onnx.TensorProto], path: Path) -> Path:
    shape = [1, 3, SIZE, SIZE]
    graph = helper.make_graph(
        nodes,
        'test',
        [helper.make_tensor_value_info('face', TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info('restored', TensorProto.FLOAT, shape)],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)])
    model.ir_version = 8
    card = {'cfrnet.value_range': '[0, 1]', 'cfrnet.colour': 'RGB', 'cfrnet.iterative': 'true'}
    helper.set_model_props(model, card)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def halving_model(path: Path) -> Path:
    """Save a model that halves the contrast around mid-grey, so that k is visible in the output.

    y = 0.5 x + 0.25, so after k applications y_k = 0.5 + (x - 0.5) / 2**k.
    """
    weights = [
        numpy_helper.from_array(np.array(0.5, np.float32), 'half'),
        numpy_helper.from_array(np.array(0.25, np.float32), 'quarter'),
    ]
    nodes = [
        helper.make_node('Mul', ['face', 'half'], ['scaled']),
        helper.make_node('Add', ['scaled', 'quarter'], ['restored']),
    ]
    return _save(nodes, weights, path)


def miscompiled_model(path: Path) -> Path:
    """Save a halving model with golden crops of another model, so that its self-test fails."""
    halving_model(path)
    crop = np.random.default_rng(5).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    golden = path.with_suffix('.golden.png')
    cv2.imwrite(str(golden), np.hstack([crop, 255 - crop, crop // 2]))
    digest = hashlib.sha256(golden.read_bytes()).hexdigest()
    stated = {'file': golden.name, 'sha256': digest, 'cycles': [1, 3], 'limit_db': 46.0}
    path.with_suffix('.json').write_text(json.dumps({'name': 'halving', 'golden': stated}))
    return path


def fragile_model(path: Path) -> Path:
    """Save a model that gives NaN below 0.3, so that it passes the warm-up and fails on a face."""
    weights = [numpy_helper.from_array(np.array(0.3, np.float32), 'least')]
    nodes = [
        helper.make_node('Sub', ['face', 'least'], ['above']),
        helper.make_node('Sqrt', ['above'], ['restored']),
    ]
    return _save(nodes, weights, path)


def _idle_body() -> onnx.GraphProto:
    """Return the body of a loop that does nothing but count."""
    scalar = [
        helper.make_tensor_value_info('round', TensorProto.INT64, []),
        helper.make_tensor_value_info('go_on', TensorProto.BOOL, []),
        helper.make_tensor_value_info('zero_in', TensorProto.FLOAT, []),
    ]
    return helper.make_graph(
        [
            helper.make_node('Identity', ['go_on'], ['go_on_out']),
            helper.make_node('Identity', ['zero_in'], ['zero_out']),
        ],
        'body',
        scalar,
        [
            helper.make_tensor_value_info('go_on_out', TensorProto.BOOL, []),
            helper.make_tensor_value_info('zero_out', TensorProto.FLOAT, []),
        ],
    )


def hanging_model(path: Path) -> Path:
    """Save a model that never ends on a crop with a value above 0.9, and does on darker crops.

    Its output equals its input. The loop of ONNX with 2**62 rounds takes over a thousand years.
    """
    weights = [
        numpy_helper.from_array(np.array(0.9, np.float32), 'limit'),
        numpy_helper.from_array(np.array(0.0, np.float32), 'zero'),
        numpy_helper.from_array(np.array(2**62, np.int64), 'rounds'),
    ]
    nodes = [
        helper.make_node('ReduceMax', ['face'], ['peak'], keepdims=0),
        helper.make_node('Greater', ['peak', 'limit'], ['bright']),
        helper.make_node('Loop', ['rounds', 'bright', 'zero'], ['nothing'], body=_idle_body()),
        helper.make_node('Add', ['face', 'nothing'], ['restored']),
    ]
    return _save(nodes, weights, path)


def uneven_model(path: Path, rounds: int = 200_000) -> Path:
    """Save a model that takes long on a crop whose mean is above 0.4, and is quick on darker crops.

    Its output is its input times 0.9. What takes long is a loop of `rounds` rounds.
    """
    weights = [
        numpy_helper.from_array(np.array(0.4, np.float32), 'limit'),
        numpy_helper.from_array(np.array(0.0, np.float32), 'zero'),
        numpy_helper.from_array(np.array(0.9, np.float32), 'factor'),
        numpy_helper.from_array(np.array(rounds, np.int64), 'rounds'),
    ]
    nodes = [
        helper.make_node('ReduceMean', ['face'], ['mean'], keepdims=0),
        helper.make_node('Greater', ['mean', 'limit'], ['bright']),
        helper.make_node('Loop', ['rounds', 'bright', 'zero'], ['nothing'], body=_idle_body()),
        helper.make_node('Mul', ['face', 'factor'], ['scaled']),
        helper.make_node('Add', ['scaled', 'nothing'], ['restored']),
    ]
    return _save(nodes, weights, path)


def foreign_model(path: Path, side: int = 512) -> Path:
    """Save a restorer as others export them: 512 px, -1..1, one pass, its facts in a YAML file.

    It inverts, so that each of the node's conversions is seen in the crop: white becomes black.
    """
    shape = [1, 3, side, side]
    graph = helper.make_graph(
        [helper.make_node('Neg', ['input'], ['output'])],
        'foreign',
        [helper.make_tensor_value_info('input', TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info('output', TensorProto.FLOAT, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)])
    model.ir_version = 8
    onnx.save(model, str(path))
    path.with_suffix('.yaml').write_text('value_range: [-1, 1]\ncolour: RGB\niterative: false\n')
    return path


def slow_model(path: Path, layers: int = 6) -> Path:
    """Save a model whose output equals its input after seven giga-multiply-adds.

    The result of 48-channel convolutions at full resolution is multiplied by a constant zero,
    which the optimiser does not eliminate.
    """
    rng = np.random.default_rng(0)
    weights = [numpy_helper.from_array(np.array(0.0, np.float32), 'zero')]
    nodes = []
    previous, channels = 'face', 3
    for index in range(layers + 1):
        out = 3 if index == layers else 48
        kernel = (rng.standard_normal((out, channels, 3, 3)) * 0.01).astype(np.float32)
        weights.append(numpy_helper.from_array(kernel, f'w{index}'))
        nodes.append(
            helper.make_node('Conv', [previous, f'w{index}'], [f'c{index}'], pads=[1, 1, 1, 1])
        )
        previous, channels = f'c{index}', out
    nodes.append(helper.make_node('Mul', [previous, 'zero'], ['nothing']))
    nodes.append(helper.make_node('Add', ['face', 'nothing'], ['restored']))
    return _save(nodes, weights, path)
