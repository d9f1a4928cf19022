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

"""INT8 files give the same sums on every CPU.

x86-64 CPUs with AVX2 and no VNNI multiply unsigned by signed bytes and add the products of each
pair in 16 bits (the instruction vpmaddubsw), with saturation. ONNX Runtime orders the
products of a convolution by row and column of the kernel, then by input channel, and adds the first
and the second, the third and the fourth, and so on (`test_other_cpu.py` shows that on an emulated
CPU). These tests compute the sums of that kernel in NumPy, on any machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from cfrnet_ros.vision.engine.golden import load_golden
from cfrnet_ros.vision.engine.model_card import load_card
from cfrnet_ros.vision.engine.models import resolve_model

#: Range of the 16-bit sums of two products.
LOWEST, HIGHEST = -(2**15), 2**15 - 1


def convolutions(path: Path, crop: NDArray[np.uint8]) -> Iterator[tuple[str, int, int]]:
    """Yield the name of each quantised convolution and the extremes of its sums of pairs."""
    model = onnx.load(str(path))
    graph = model.graph
    constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    source = {output: node for node in graph.node for output in node.output}
    quantised = [
        (node, source[node.input[0]].input, source[node.input[1]].input)
        for node in graph.node
        if node.op_type == 'Conv'
    ]
    for _, levels, _ in quantised:
        if levels[0] not in (v.name for v in graph.output):
            graph.output.append(onnx.ValueInfoProto(name=levels[0]))
    options = ort.SessionOptions()
    # Fused operators would hide their operands.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=['CPUExecutionProvider']
    )
    names = [levels[0] for _, levels, _ in quantised]
    values = dict(zip(names, session.run(names, {session.get_inputs()[0].name: crop[None]})))
    for node, levels, weights in quantised:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        zero = int(constants[levels[2]])
        yield node.name, *extremes(values[levels[0]], zero, constants[weights[0]], attributes)


def extremes(
    levels: NDArray[np.uint8],
    zero: int,
    weights: NDArray[np.int8],
    attributes: dict[str, list[int]],
) -> tuple[int, int]:
    top, left, bottom, right = attributes['pads']
    padded = np.pad(
        levels[0], ((0, 0), (top, bottom), (left, right)), constant_values=zero
    ).transpose(1, 2, 0)
    height, width = weights.shape[2:]
    stride = attributes['strides'][0]
    # (row, column, channel, row of the kernel, column of the kernel)
    windows = sliding_window_view(padded, (height, width, 1))[::stride, ::stride, ..., 0]
    # (pixels, row, column, channel), as the kernel orders them.
    rows = windows.transpose(0, 1, 3, 4, 2).reshape(-1, height * width * padded.shape[2])
    # Every seventh pixel, because neighbouring pixels are similar.
    levels_of = rows[::7].astype(np.int32)
    taps = weights.transpose(2, 3, 1, 0).reshape(rows.shape[1], -1).astype(np.int32)
    lowest, highest = 0, 0
    for first in range(0, rows.shape[1] - 1, 2):
        sums = (
            levels_of[:, first, None] * taps[first]
            + levels_of[:, first + 1, None] * taps[first + 1]
        )
        lowest, highest = min(lowest, int(sums.min())), max(highest, int(sums.max()))
    return lowest, highest


@pytest.mark.parametrize('name', ['int8', 'plain_int8'])
def test_sums_of_product_pairs_fit_into_16_bits_on_the_golden_crops(name: str) -> None:
    path = resolve_model(name)
    golden = load_golden(load_card(path))
    assert golden is not None
    found = list(convolutions(path, golden.crop))
    assert len(found) >= 15
    for convolution, lowest, highest in found:
        assert lowest >= LOWEST, convolution
        assert highest <= HIGHEST, convolution
    # The sums are those of a face, not of an empty input.
    assert max(highest for _, _, highest in found) > 8000


def worst_sums(weights: NDArray[np.int8]) -> tuple[int, int]:
    """Return the extremes that the sums of pairs can have for activations of 0..255."""
    ordered = weights.transpose(0, 2, 3, 1).reshape(len(weights), -1).astype(np.int64)
    # An odd last product is added to nothing.
    taps = np.pad(ordered, ((0, 0), (0, ordered.shape[1] % 2)))
    # Either activation may be 0, so weights of opposite signs do not help each other.
    lowest = np.minimum(taps, 0).reshape(len(taps), -1, 2).sum(axis=2).min()
    highest = np.maximum(taps, 0).reshape(len(taps), -1, 2).sum(axis=2).max()
    return 255 * int(lowest), 255 * int(highest)


@pytest.mark.parametrize('name', ['int8', 'plain_int8'])
def test_no_input_can_overflow_16_bits(name: str) -> None:
    graph = onnx.load(str(resolve_model(name))).graph
    constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    weights = [
        values for values in constants.values() if values.dtype == np.int8 and values.ndim == 4
    ]
    assert len(weights) >= 15
    extremes_of = [worst_sums(values) for values in weights]
    assert min(lowest for lowest, _ in extremes_of) >= LOWEST
    highest = max(highest for _, highest in extremes_of)
    assert highest <= HIGHEST
    # The weights use what 16 bits hold.
    assert highest > 0.9 * HIGHEST
    # Three input channels are no whole group of the kernel, so their pairs are not relied on.
    odd = [values.astype(np.int64) for values in weights if values.shape[1] % 4]
    assert all(2 * 255 * np.abs(values).max() <= HIGHEST for values in odd)
    stated = load_card(resolve_model(name)).extra['integer_sums']
    assert stated['same_on_every_cpu']
    assert highest <= stated['largest_pair_sum'] <= HIGHEST


def test_only_weights_of_one_pair_are_added() -> None:
    """65 and 64 overflow together, 127 beside 0 does not, and neither do neighbouring pairs."""

    def weights(*channels: int) -> NDArray[np.int8]:
        return np.asarray(channels, np.int8).reshape(1, -1, 1, 1)

    assert worst_sums(weights(0, 0, 65, 64))[1] > HIGHEST
    assert worst_sums(weights(0, 0, -65, -64))[0] < LOWEST
    assert worst_sums(weights(0, 127, 127, 0)) == (0, 127 * 255)
    assert worst_sums(weights(127, -127, 64, 64)) == (-127 * 255, 128 * 255)


def test_sums_of_larger_weights_would_not_fit() -> None:
    """Eight-bit weights on a bright face overflow, so the test above can fail."""
    bright = np.asarray(cv2.resize(np.full((8, 8, 3), 250, np.uint8), (16, 16)), np.uint8)
    weights = np.full((2, 3, 3, 3), 127, np.int8)
    attributes = {'pads': [1, 1, 1, 1], 'strides': [1, 1]}
    _, highest = extremes(bright.transpose(2, 0, 1)[None], 0, weights, attributes)
    assert highest > HIGHEST
