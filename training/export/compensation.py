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

"""Rounding the weights of a convolution so that the error of each is made good by the next ones.

Neighbouring pixels and channels are alike, so that a weight that was rounded up can be answered by
others that are rounded down. The weights are rounded one after another, and after each the ones
that are left are moved to where they give the least squared error of the convolution's output
(Frantar et al., GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers,
ICLR 2023, equations 2 and 3 and algorithm 1). The bias is moved last and not rounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnxruntime.capi.onnxruntime_pybind11_state import Fail

from training.export.fp32 import INPUT, unit_range
from training.export.pair_sums import (
    LARGEST_PAIR,
    LARGEST_UNPAIRED,
    LARGEST_WEIGHT,
    paired,
    rounded,
    weight_steps,
)

#: Number of places of an input at which a convolution is looked at, and seed of their choice.
PLACES, SEED = 400, 13

#: One input of so many is looked at. It has no factor in common with the cycles of a face, so that
#: each of them is.
EVERY = 4

#: Share of the inputs' mean square that is added to each of them, so that what was never seen to
#: vary is not given weights without end. From 0.001 to 0.1 it hardly matters: docs/training-log.md.
DAMPING = 0.005


def round_weights(
    model: onnx.ModelProto, floats: onnx.ModelProto, inputs: Sequence[NDArray[np.uint8]]
) -> None:
    """Round the weights of a quantised model anew, to what no CPU overflows, in place.

    Args:
        model: QDQ graph with constant weights, quantised by output channel, and biases.
        floats: Model that was quantised, with the same names, as `prepare` returns it.
        inputs: Inputs of the model in use, (1, 3, N, N) uint8 each; without any, weights are
            rounded to the nearest level.

    """
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    real = {t.name: numpy_helper.to_array(t) for t in floats.graph.initializer}
    source = {output: node for node in model.graph.node for output in node.output}
    moments = _moments(floats, inputs)
    for node in model.graph.node:
        if node.op_type != 'Conv':
            continue
        level_name, step_name = source[node.input[1]].input[:2]
        weight_name = level_name.removesuffix('_quantized')
        if weight_name not in real:
            # Weights that an operator computes are activations.
            continue
        weights = real[weight_name]
        steps = weight_steps(weights)
        activation = numpy_helper.to_array(tensors[source[node.input[0]].input[1]])
        changed: dict[str, NDArray[Any]] = {step_name: steps}
        if len(node.input) == 2:
            changed[level_name] = rounded(weights / steps[:, None, None, None])
        else:
            bias_name, bias_step_name = source[node.input[2]].input[:2]
            bias = real[bias_name.removesuffix('_quantized')].astype(np.float64)
            if weight_name in moments:
                found = round_in_turn(weights, bias, steps, moments[weight_name])
                changed[level_name], bias = found
            else:
                changed[level_name] = rounded(weights / steps[:, None, None, None])
            # A bias is added to the sums of products, so its step is the product of theirs.
            changed[bias_step_name] = (steps * activation).astype(np.float32)
            changed[bias_name] = np.rint(bias / changed[bias_step_name]).astype(np.int32)
        for name, values in changed.items():
            tensors[name].CopyFrom(numpy_helper.from_array(values, name))


def round_in_turn(
    weights: NDArray[np.float32],
    bias: NDArray[np.float64],
    steps: NDArray[np.float32],
    moments: NDArray[np.float64],
) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """Round the weights of one convolution.

    Args:
        weights: (O, I, H, W) real weights.
        bias: (O,) real biases.
        steps: (O,) steps of the weights.
        moments: (K + 1, K + 1) mean products of what the K = H * W * I weights are multiplied
            with, in the order of row, column and channel, and of 1 for the bias.

    Returns:
        (O, I, H, W) levels of which no pair overflows, and (O,) biases.

    """
    outputs, channels, height, width = weights.shape
    in_pairs = paired(channels)
    limit = float(LARGEST_WEIGHT if in_pairs else LARGEST_UNPAIRED)
    count = height * width * channels
    # A convolution that never saw anything but zeros is rounded to the nearest by this as well.
    scale = float(np.diag(moments)[:count].mean()) or 1.0
    damped = moments + DAMPING * scale * np.diag([1.0] * count + [1e-3])
    # What varies most is rounded first, while the most is left to answer it; the bias last.
    order = np.append(np.argsort(-np.diag(damped)[:count], kind='stable'), count)
    inverse = np.linalg.inv(damped[np.ix_(order, order)])
    upper = np.linalg.cholesky(inverse).T
    flat = weights.transpose(0, 2, 3, 1).reshape(outputs, count).astype(np.float64)
    left = np.column_stack([flat / steps[:, None], bias / steps])[:, order]
    levels = np.zeros((outputs, count))
    for turn, place in enumerate(order[:count]):
        low, high = np.full(outputs, -limit), np.full(outputs, limit)
        if in_pairs:
            # A partner that is 0 yet, as it was not rounded, leaves the whole range.
            partner = levels[:, place ^ 1]
            high = np.minimum(high, LARGEST_PAIR - np.maximum(partner, 0.0))
            low = np.maximum(low, -LARGEST_PAIR - np.minimum(partner, 0.0))
        levels[:, place] = np.rint(left[:, turn]).clip(low, high)
        error = (left[:, turn] - levels[:, place]) / upper[turn, turn]
        left[:, turn + 1 :] -= error[:, None] * upper[turn, turn + 1 :]
    shaped = levels.reshape(outputs, height, width, channels).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(shaped.astype(np.int8)), left[:, -1] * steps


def _moments(
    floats: onnx.ModelProto, inputs: Sequence[NDArray[np.uint8]]
) -> dict[str, NDArray[np.float64]]:
    """Return by the name of a convolution's weights the moments that `round_in_turn` takes."""
    watched = onnx.ModelProto()
    watched.CopyFrom(floats)
    sizes = {t.name: tuple(t.dims) for t in floats.graph.initializer}
    convolutions = []
    for node in floats.graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        plain = attributes.get('group', 1) == 1 and set(attributes.get('dilations', [1])) == {1}
        if node.op_type == 'Conv' and plain and node.input[1] in sizes:
            convolutions.append((node, sizes[node.input[1]], attributes))
    names = sorted({node.input[0] for node, _, _ in convolutions} - {INPUT})
    watched.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = _session(watched.SerializeToString())
    rng = np.random.default_rng(SEED)
    sums: dict[str, NDArray[np.float64]] = {}
    seen = inputs[::EVERY]
    for planes in seen:
        image = unit_range(planes)
        values = dict(zip(names, session.run(names, {INPUT: image})), **{INPUT: image})
        for node, size, attributes in convolutions:
            rows = _rows(values[node.input[0]], size, attributes, rng)
            products = (rows.T @ rows).astype(np.float64) / len(rows) / len(seen)
            name = node.input[1]
            sums[name] = sums[name] + products if name in sums else products
    return sums


def _session(model: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    try:
        return ort.InferenceSession(model, options, providers=['CPUExecutionProvider'])
    except Fail:
        # ONNX Runtime 1.31 may add a fused constant twice to a graph that `prepare` fused already.
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        return ort.InferenceSession(model, options, providers=['CPUExecutionProvider'])


def _rows(
    values: NDArray[np.float32],
    size: tuple[int, ...],
    attributes: dict[str, list[int]],
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Return what a convolution multiplies at some places, (places, K + 1)."""
    top, left, bottom, right = attributes.get('pads', [0, 0, 0, 0])
    stride = attributes.get('strides', [1, 1])[0]
    padded = np.pad(values[0], ((0, 0), (top, bottom), (left, right)))
    windows = sliding_window_view(padded, (1, size[2], size[3]))[:, ::stride, ::stride, 0]
    _, height, width = windows.shape[:3]
    chosen = rng.choice(height * width, min(PLACES, height * width), replace=False)
    found = windows[:, chosen // width, chosen % width]
    rows = found.transpose(1, 2, 3, 0).reshape(len(chosen), -1)
    return np.column_stack([rows, np.ones(len(chosen), np.float32)])
