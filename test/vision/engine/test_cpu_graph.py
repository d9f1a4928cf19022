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

"""What is rewritten for the CPU computes the same bytes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from cfrnet_ros.vision.engine import cpu_graph
from cfrnet_ros.vision.engine.cpu_graph import for_cpu
from cfrnet_ros.vision.engine.golden import load_golden
from cfrnet_ros.vision.engine.model_card import load_card
from cfrnet_ros.vision.engine.model_resize import resized_model
from cfrnet_ros.vision.engine.models import resolve_model
from cfrnet_ros.vision.engine.providers import ProviderChoice
from cfrnet_ros.vision.restoration.restorer import Restorer


def run(model: bytes, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(model, options, providers=['CPUExecutionProvider'])
    return np.asarray(session.run(None, {session.get_inputs()[0].name: image})[0])


def operators(model: bytes) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load_from_string(model).graph.node)


def golden_crop(name: str) -> NDArray[np.uint8]:
    golden = load_golden(load_card(resolve_model(name)))
    assert golden is not None
    return golden.crop


def kernels(model: bytes) -> list[list[int]]:
    return [
        helper.get_attribute_value(item)
        for node in onnx.load_from_string(model).graph.node
        for item in node.attribute
        if item.name == 'kernel_shape'
    ]


@pytest.mark.parametrize(('name', 'read'), [('int8', 1), ('plain_int8', 0)])
def test_shipped_model_gives_the_same_bytes_after_rewriting(name: str, read: int) -> None:
    plain = resolve_model(name).read_bytes()
    rewritten = for_cpu(plain)
    assert rewritten is not None
    before, after = operators(plain), operators(rewritten)
    assert before['Conv'] == after['Conv']
    assert after['Resize'] == 0
    assert after['Concat'] == 2 * before['Resize'] > 0
    # Both end in three channels; the first layer of the plain one has a stride of two.
    assert kernels(rewritten).count([3, 10]) == 1
    assert kernels(rewritten).count([3, 2]) == after['Pad'] == read
    onnx.checker.check_model(onnx.load_from_string(rewritten), full_check=True)
    faces = golden_crop(name)
    noise = np.random.default_rng(0).integers(0, 256, faces.shape, np.uint8)
    for image in (faces, noise, np.zeros_like(faces)):
        for _ in range(2):
            expected = run(plain, image[None])[0]
            assert np.array_equal(run(rewritten, image[None])[0], expected)
            image = expected


def test_other_size_is_rewritten_too() -> None:
    large = resized_model(resolve_model('int8'), 512, 'NHWC')
    rewritten = for_cpu(large)
    assert rewritten is not None
    image = np.random.default_rng(1).integers(0, 256, (1, 512, 512, 3), np.uint8)
    assert np.array_equal(run(rewritten, image), run(large, image))


def test_model_of_floats_and_a_file_that_is_no_model_stay_as_they_are(tmp_path: Path) -> None:
    assert for_cpu(resolve_model('fp32')) is None
    broken = tmp_path / 'broken.onnx'
    broken.write_bytes(b'this is no model')
    assert for_cpu(broken) is None
    assert for_cpu(tmp_path / 'missing.onnx') is None


def test_without_onnx_the_file_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_graph, '_AVAILABLE', False)
    assert for_cpu(resolve_model('int8')) is None


def one_convolution(
    side: int,
    zero_point: int,
    reader: str = '',
    *,
    given: int = 8,
    made: int = 3,
    largest: int = 60,
    batch: int | str = 1,
) -> bytes:
    """Return a model of a quantised 3 x 3 convolution, by default from 8 to 3 channels."""
    rng = np.random.default_rng(2)
    weights = rng.integers(-largest, largest + 1, (made, given, 3, 3)).astype(np.int8)
    scales = np.linspace(0.01, 0.03, made).astype(np.float32)
    constants = [
        numpy_helper.from_array(weights, 'w_q'),
        numpy_helper.from_array(scales, 'w_s'),
        numpy_helper.from_array(np.full(made, zero_point, np.int8), 'w_z'),
        numpy_helper.from_array(rng.integers(-900, 900, made).astype(np.int32), 'b_q'),
        numpy_helper.from_array(scales * np.float32(0.02), 'b_s'),
        numpy_helper.from_array(np.zeros(made, np.int32), 'b_z'),
        numpy_helper.from_array(np.float32(0.02), 's'),
        numpy_helper.from_array(np.uint8(31), 'z'),
        numpy_helper.from_array(np.float32(0.1), 'y_s'),
    ]
    nodes = [
        helper.make_node('DequantizeLinear', ['x', 's', 'z'], ['x_f']),
        helper.make_node('DequantizeLinear', ['w_q', 'w_s', 'w_z'], ['w_f'], axis=0),
        helper.make_node('DequantizeLinear', ['b_q', 'b_s', 'b_z'], ['b_f'], axis=0),
        helper.make_node('Conv', ['x_f', 'w_f', 'b_f'], ['y_f'], pads=[1, 1, 1, 1]),
        helper.make_node('QuantizeLinear', ['y_f', 'y_s', 'z'], ['y']),
    ]
    outputs = [helper.make_tensor_value_info('y', TensorProto.UINT8, [batch, made, side, side])]
    if reader:
        nodes.append(helper.make_node('Relu', ['y_f'], [reader]))
        shape = [batch, made, side, side]
        outputs.append(helper.make_tensor_value_info(reader, TensorProto.FLOAT, shape))
    source = helper.make_tensor_value_info('x', TensorProto.UINT8, [batch, given, side, side])
    graph = helper.make_graph(nodes, 'one', [source], outputs, constants)
    opset = helper.make_opsetid('', 17)
    return bytes(helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString())


@pytest.mark.parametrize(
    ('side', 'given', 'made'),
    [(16, 8, 3), (12, 8, 3), (10, 8, 1), (12, 3, 16), (12, 1, 5), (8, 3, 3), (16, 3, 3)],
)
def test_borders_with_a_zero_point_and_scales_of_each_channel_are_kept(
    side: int, given: int, made: int
) -> None:
    plain = one_convolution(side, 0, given=given, made=made)
    rewritten = for_cpu(plain)
    assert rewritten is not None
    assert kernels(rewritten) != [[3, 3]]
    image = np.random.default_rng(3).integers(0, 256, (1, given, side, side), np.uint8)
    expected = run(plain, image)
    assert len(np.unique(expected)) > 50
    assert np.array_equal(run(rewritten, image), expected)


@pytest.mark.parametrize(
    'model',
    [
        one_convolution(13, 0),
        one_convolution(12, 3),
        one_convolution(12, 0, 'beside'),
        one_convolution(12, 0, given=8, made=16),
        one_convolution(12, 0, given=3, made=16, largest=100),
        one_convolution(10, 0, given=3, made=16),
        one_convolution(12, 0, batch='n'),
    ],
    ids=[
        'odd size',
        'weights with a zero point',
        'output read as floats too',
        'many channels',
        'weights whose products overflow in another order without VNNI',
        'width that four does not divide',
        'any number of pictures',
    ],
)
def test_convolutions_that_blocks_cannot_hold_are_left(model: bytes) -> None:
    assert for_cpu(model) is None


def test_restorer_on_the_cpu_runs_the_rewritten_model(cpu: ProviderChoice) -> None:
    restorer = Restorer(resolve_model('int8'), cpu, threads=1)
    crop = golden_crop('int8')
    expected = run(resolve_model('int8').read_bytes(), crop[None])[0]
    assert np.array_equal(restorer.restore(crop, 1).crop, expected)
