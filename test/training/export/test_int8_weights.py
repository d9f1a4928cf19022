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

"""INT8: the carried picture stays exact, no pair of products overflows, rounding loses little."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from torch import nn  # noqa: E402

from training.export.camera_format import FloatPlanes  # noqa: E402
from training.export.carried import PIXEL_STEP, carried_channels  # noqa: E402
from training.export.compensation import round_in_turn  # noqa: E402
from training.export.equalise import equalise  # noqa: E402
from training.export.fp32 import INPUT, OUTPUT, write_onnx  # noqa: E402
from training.export.learning import Learning, learn  # noqa: E402
from training.export.pair_sums import (  # noqa: E402
    LARGEST_PAIR,
    LARGEST_UNPAIRED,
    LARGEST_WEIGHT,
    largest_pairs,
    rounded,
    weight_steps,
)
from training.export.qdq_network import QdqNetwork  # noqa: E402
from training.export.quantise import METHODS, chains_of, quantise  # noqa: E402
from training.networks.plain import PlainCNN  # noqa: E402

SIDE = 32
Image = NDArray[np.uint8]


@pytest.fixture(scope='module')
def noise() -> list[Image]:
    """Return inputs of every brightness, (1, 3, N, N) uint8."""
    rng = np.random.default_rng(2)
    return [rng.integers(0, 256, (1, 3, SIDE, SIDE), np.uint8) for _ in range(3)]


def plain_network(path: Path, corrected: bool) -> Path:
    """Write an untrained plain CNN, whose corrections are noise, or which has none."""
    torch.manual_seed(1)
    # Masks of the pictures' own size are constants, as in the shipped file.
    network = PlainCNN(SIDE).eval()
    head = [m for m in network.modules() if isinstance(m, nn.Conv2d)][-1]
    with torch.no_grad():
        head.weight[:, 3:] *= 100.0 if corrected else 0.0
    write_onnx(FloatPlanes(network, clip=False), torch.zeros(1, 3, SIDE, SIDE), path)
    return path


def run(model: onnx.ModelProto, planes: Image) -> NDArray[np.float32]:
    session = ort.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider'])
    given = planes.astype(np.float32) / np.float32(255.0)
    output: NDArray[np.float32] = session.run([OUTPUT], {INPUT: given})[0]
    return output


def test_eight_bits_carry_the_picture_unchanged(noise: list[Image], tmp_path: Path) -> None:
    floats = plain_network(tmp_path / 'floats.onnx', corrected=False)
    carrying = equalise(floats, floats, noise)
    model = quantise(floats, noise, METHODS['minmax'], carrying)
    for planes in noise:
        assert np.array_equal(np.rint(run(model, planes) * 255.0), planes)


def test_without_the_pixels_step_each_layer_rounds_the_picture_again(
    noise: list[Image], tmp_path: Path
) -> None:
    """The test above can fail: calibrated steps alone lose bytes of noise."""
    floats = plain_network(tmp_path / 'floats.onnx', corrected=False)
    model = quantise(floats, [planes // 2 + 40 for planes in noise], METHODS['minmax'])
    assert not np.array_equal(np.rint(run(model, noise[0]) * 255.0), noise[0])


def test_channels_that_carry_the_picture_are_found(tmp_path: Path) -> None:
    graph = onnx.load(str(plain_network(tmp_path / 'm.onnx', corrected=True))).graph
    carried = carried_channels(graph)
    convolutions = [node.output[0] for node in graph.node if node.op_type == 'Conv']
    found = [int(carried[name].sum()) for name in convolutions if name in carried]
    # A pixel, 2x2 and 4x4 patches, and back; the last convolution corrects all its outputs.
    assert found == [12, *[48] * 14, 12, 12, 12, 3]
    assert convolutions[-1] not in carried


def chain(weights: NDArray[np.float32], bias: float = 0.0) -> onnx.GraphProto:
    return helper.make_graph(
        [helper.make_node('Conv', [INPUT, 'w', 'b'], [OUTPUT])],
        'test',
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [1, len(weights), 8, 8])],
        [
            numpy_helper.from_array(weights, 'w'),
            numpy_helper.from_array(np.full(len(weights), bias, np.float32), 'b'),
        ],
    )


@pytest.mark.parametrize(
    ('weights', 'bias', 'carried'),
    [
        ([[1, 0, 0], [0, 0, 1]], 0.0, [True, True]),
        ([[1, 0, 0.01], [0, 0, 1]], 0.0, [False, True]),
        ([[0.9, 0, 0], [-1, 0, 0]], 0.0, None),
        ([[0, 0, 0]], 0.0, None),
        ([[1, 0, 0]], 0.1, None),
    ],
)
def test_only_ones_of_carried_channels_carry(
    weights: list[list[float]], bias: float, carried: list[bool] | None
) -> None:
    values = np.asarray(weights, np.float32)[:, :, None, None]
    found = carried_channels(chain(values, bias)).get(OUTPUT)
    assert (found.tolist() if found is not None else None) == carried


def test_a_sum_of_pixels_is_not_taken_for_a_picture(noise: list[Image], tmp_path: Path) -> None:
    """Two weights of one reach 2, which the step of pixels would cut off."""
    first = np.zeros((4, 3, 1, 1), np.float32)
    first[[0, 1, 2, 3, 3], [0, 1, 2, 0, 1]] = 1.0
    last = np.eye(3, 4, dtype=np.float32)[:, :, None, None]
    nodes = [
        helper.make_node('Conv', [INPUT, 'w', 'b'], ['x']),
        helper.make_node('Relu', ['x'], ['y']),
        helper.make_node('Conv', ['y', 'v', 'c'], [OUTPUT]),
    ]
    values = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 3, SIDE, SIDE])
        for n in (INPUT, OUTPUT)
    ]
    constants = {'w': first, 'b': np.zeros(4, np.float32), 'v': last, 'c': np.zeros(3, np.float32)}
    graph = helper.make_graph(
        nodes,
        'test',
        values[:1],
        values[1:],
        [numpy_helper.from_array(v, n) for n, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=10)
    onnx.save(model, str(tmp_path / 'sum.onnx'))
    assert equalise(tmp_path / 'sum.onnx', tmp_path / 'e.onnx', noise) == ()


def test_weights_as_large_as_their_pair_allows() -> None:
    weights = np.zeros((3, 4, 1, 1), np.float32)
    weights[0, 0] = 1.0
    weights[1, :2] = [[[1.0]], [[1.0]]]
    weights[2, :2] = [[[1.0]], [[-1.0]]]
    levels = rounded(weights / weight_steps(weights)[:, None, None, None])
    assert levels[:, :2, 0, 0].tolist() == [[127, 0], [64, 64], [127, -127]]
    # Groups of three channels span two places, so each weight is kept small.
    odd = rounded(weights[:, :3] / weight_steps(weights[:, :3])[:, None, None, None])
    assert np.abs(odd).max() == LARGEST_UNPAIRED


def test_no_rounded_pair_leaves_16_bits() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        weights = rng.normal(0, 1, (16, 8, 3, 3)).astype(np.float32)
        scale = weight_steps(weights)[:, None, None, None] * rng.uniform(0.3, 1.0)
        levels = rounded(weights / scale)
        assert largest_pairs(levels).max() <= LARGEST_PAIR
        assert np.abs(levels.astype(int)).max() <= LARGEST_WEIGHT


@pytest.mark.parametrize('channels', [8, 3])
def test_rounding_in_turn_loses_less_on_smooth_inputs(channels: int) -> None:
    rng = np.random.default_rng(5)
    count = 9 * channels
    # What a convolution sees of a picture: a common brightness, and little besides.
    seen = rng.normal(0.5, 0.2, (4000, 1)) + rng.normal(0, 0.05, (4000, count))
    rows = np.column_stack([seen, np.ones(len(seen))])
    weights = rng.normal(0, 0.1, (6, channels, 3, 3)).astype(np.float32)
    bias = rng.normal(0, 0.1, 6)
    steps = weight_steps(weights) * 4
    levels, shifted = round_in_turn(weights, bias, steps, rows.T @ rows / len(rows))
    assert largest_pairs(levels).max() <= LARGEST_PAIR

    def error(given: NDArray[np.int8], offsets: NDArray[np.float64]) -> float:
        apart = given * steps[:, None, None, None].astype(np.float64) - weights
        flat = apart.transpose(0, 2, 3, 1).reshape(6, count)
        return float(np.square(seen @ flat.T + offsets - bias).mean())

    plainly = error(rounded(weights / steps[:, None, None, None]), bias)
    assert error(levels, shifted) < plainly / 4


def test_a_convolution_that_saw_nothing_is_rounded_to_the_nearest() -> None:
    rng = np.random.default_rng(7)
    weights = rng.normal(0, 0.1, (3, 4, 3, 3)).astype(np.float32)
    steps = weight_steps(weights) * 4
    moments = np.zeros((37, 37))
    moments[-1, -1] = 1.0
    bias = rng.normal(0, 0.1, 3)
    levels, shifted = round_in_turn(weights, bias, steps, moments)
    assert np.array_equal(levels, np.rint(weights / steps[:, None, None, None]))
    assert shifted == pytest.approx(bias)


def test_exact_weights_stay_as_they_are() -> None:
    rng = np.random.default_rng(6)
    rows = np.column_stack([rng.uniform(0, 1, (500, 36)), np.ones(500)])
    weights = np.zeros((2, 4, 3, 3), np.float32)
    weights[0, 2, 1, 1] = 1.0
    weights[1] = rng.normal(0, 0.1, (4, 3, 3))
    steps = weight_steps(weights)
    levels, bias = round_in_turn(weights, np.zeros(2), steps, rows.T @ rows / 500)
    assert np.flatnonzero(levels[0]).tolist() == [2 * 9 + 4]
    assert levels[0, 2, 1, 1] == LARGEST_WEIGHT
    assert bias[0] == pytest.approx(0, abs=1e-6)


def test_learning_leaves_the_picture_and_the_first_layers_alone(
    noise: list[Image], tmp_path: Path
) -> None:
    floats = plain_network(tmp_path / 'floats.onnx', corrected=True)
    carrying = equalise(floats, floats, noise)
    model = quantise(floats, noise, METHODS['minmax'], carrying)
    before = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    faces = [planes[0].transpose(1, 2, 0) for planes in noise]
    learn(model, floats, chains_of(floats, faces, 'BGR'), Learning(steps=2, layers=4))
    after = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    steps = {node.input[1] for node in model.graph.node if node.op_type == 'QuantizeLinear'}
    assert all(after[name] == np.float32(PIXEL_STEP) for name in steps)
    assert not any(name in changed for name in steps)
    network = QdqNetwork(model, onnx.load(str(floats)))
    network.hold_all_but(4)
    learning = [key for key, values in network.weights.items() if values.requires_grad]
    assert len(learning) == 4
