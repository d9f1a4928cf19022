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

"""Give the channels of a tensor like ranges before one 8-bit scale has to serve them all.

A tensor's activations share one scale, which the channel with the widest range sets; the others
get what it leaves. ReLU, addition and enlargement commute with a positive factor a channel, so
that the convolutions before them can divide by it and those behind them multiply, and the network
computes what it did (Nagel et al., Data-Free Quantization Through Weight Equalization and Bias
Correction, ICCV 2019, section 4.1; there the ranges of the weights decide, here the activations').

Tensors with channels that carry the picture (`training.export.carried`) keep the step of its
pixels, so that these channels are never rounded. Each other channel of theirs fills the 256 levels
by its own factor.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import numpy_helper

from training.export.carried import carried_channels
from training.export.fp32 import INPUT, unit_range

#: Operators that a factor a channel passes through.
TRANSPARENT = ('Relu', 'Add', 'Resize')

#: Smallest factor: a channel that hardly does anything is not blown up without end.
SMALLEST_FACTOR = 1 / 32

#: Lowest constant that is added to channels that reach 1. The plain CNN's masks are far lower for
#: some channels, and one 8-bit step has to serve all of them.
DEEPEST = -2.0

#: Largest value that a channel with pixels in 0..1 may reach by the rounding of float32.
WHITE = 1 + 1e-4


class _Groups:
    """Tensors that have to have the same factors, by union-find."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def of(self, tensor: str) -> str:
        self._parent.setdefault(tensor, tensor)
        while self._parent[tensor] != tensor:
            tensor = self._parent[tensor]
        return tensor

    def join(self, first: str, second: str) -> None:
        self._parent[self.of(first)] = self.of(second)


def equalise(float_model: Path, path: Path, inputs: Sequence[NDArray[np.uint8]]) -> tuple[str, ...]:
    """Write the same network with channels of like range.

    Args:
        float_model: Path of a float32 model, (1, 3, N, N) in 0..1.
        path: Path of the ONNX file to write; may be the same.
        inputs: Inputs of the model in use, (1, 3, N, N) uint8 each (`calibration_inputs`).

    Returns:
        Names of the tensors that carry the picture: 0..1 is the range of their channels, and their
        step in eight bits has to be `carried.PIXEL_STEP`.

    """
    model = onnx.load(str(float_model))
    groups, tied = _groups(model.graph)
    carried = _carrying(model.graph, groups)
    ranges = _ranges(model, groups, tied, inputs)
    carried = {
        group: channels
        for group, channels in carried.items()
        # Weights of one that add pixels up reach beyond white.
        if group in ranges and np.max(ranges[group], axis=0)[channels].max() <= WHITE
    }
    factors = {
        group: filling_factors(np.stack(r), carried[group])
        if group in carried
        else best_factors(np.stack(r))
        for group, r in ranges.items()
    }
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == 'Add':
            group = groups.of(node.output[0])
            _share_constants(node, factors.get(group), weights, group in carried)
        if node.op_type != 'Conv':
            continue
        before = factors.get(groups.of(node.input[0]))
        after = factors.get(groups.of(node.output[0]))
        if before is None and after is None:
            continue
        kernel = weights[node.input[1]]
        values = numpy_helper.to_array(kernel).copy()
        if before is not None:
            values *= before[None, :, None, None]
        if after is not None:
            values /= after[:, None, None, None]
            if len(node.input) > 2:
                bias = weights[node.input[2]]
                shifted = numpy_helper.to_array(bias) / after
                bias.CopyFrom(numpy_helper.from_array(shifted.astype(np.float32), bias.name))
        kernel.CopyFrom(numpy_helper.from_array(values.astype(np.float32), kernel.name))
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    outputs = (node.output[0] for node in model.graph.node)
    return tuple(name for name in outputs if groups.of(name) in carried)


def _carrying(graph: onnx.GraphProto, groups: _Groups) -> dict[str, NDArray[np.bool_]]:
    """Return by group the (C,) channels that may carry the picture; only groups with some."""
    found: dict[str, NDArray[np.bool_]] = {}
    for name, channels in carried_channels(graph).items():
        group = groups.of(name)
        found[group] = found.get(group, channels) & channels
    return {group: channels for group, channels in found.items() if channels.any()}


def filling_factors(reach: NDArray[np.float32], carried: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the factors with which every channel fills the range of the carried ones, 0..1.

    Args:
        reach: (T, C) largest magnitude of each channel of each tensor of a group.
        carried: (C,) whether a channel carries pixels in 0..1.

    Returns:
        (C,) factors, exactly 1 for the carried channels.

    """
    found = reach.astype(np.float64).max(axis=0)
    # A channel that never did anything may do so on another face. Nothing is cut off: a range of
    # least squared error brought a trained plain CNN 11 dB further from FP32, because what is cut
    # off lies together in one place of one face, while rounding averages out.
    return np.where(carried | (found == 0), 1.0, np.maximum(found, SMALLEST_FACTOR))


def _share_constants(
    node: onnx.NodeProto,
    factors: NDArray[np.float64] | None,
    weights: dict[str, onnx.TensorProto],
    filled: bool,
) -> None:
    """Divide what an addition adds to every face by the factors of its group, in place."""
    for name in node.input:
        if factors is not None and name in weights:
            values = numpy_helper.to_array(weights[name]) / factors[None, :, None, None]
            if filled:
                values = np.maximum(values, DEEPEST)
            weights[name].CopyFrom(numpy_helper.from_array(values.astype(np.float32), name))


def best_factors(reach: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the factors with which eight bits add least noise to the tensors of a group.

    A tensor whose channels reach r_c is stored with a step that is proportional to the largest
    r_c / s_c, so in channel c with a noise that is proportional to that times s_c. The sum of its
    squares over channels and tensors is what gets small; for ranges R_t that the tensors may have,
    the best factors are max_t(r_tc / R_t), which leaves the R_t to be searched.

    Args:
        reach: (T, C) largest magnitude of each channel of each tensor; no tensor all zero.

    Returns:
        (C,) factors, the largest 1.

    """
    reach = reach.astype(np.float64)

    def factors(limits: NDArray[np.float64]) -> NDArray[np.float64]:
        found = (reach / limits[:, None]).max(axis=0)
        return np.maximum(found / found.max(), SMALLEST_FACTOR)

    def noise(limits: NDArray[np.float64]) -> float:
        found = factors(limits)
        return float(((reach / found).max(axis=1) ** 2).sum() * (found**2).sum())

    # One range for all suits tensors that are added, each its own those that differ: the search
    # goes on from whichever is better, one range at a time, in ever smaller steps.
    limits = min((np.ones(len(reach)), reach.max(axis=1)), key=noise)
    for step in (2.0, 1.4, 1.2, 1.1, 1.05):
        improved = True
        while improved:
            improved = False
            for tensor, factor in itertools.product(range(len(reach)), (step, 1 / step)):
                trial = limits.copy()
                trial[tensor] *= factor
                if noise(trial) < 0.9999 * noise(limits):
                    limits, improved = trial, True
    return factors(limits)


def _groups(graph: onnx.GraphProto) -> tuple[_Groups, set[str]]:
    """Return the groups, and the tensors whose groups must stay as they are."""
    groups = _Groups()
    constants = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    tied = {value.name for value in (*graph.input, *graph.output)}
    readers = Counter(name for node in graph.node for name in node.input)
    for node in graph.node:
        if node.op_type == 'Conv':
            grouped = any(a.name == 'group' and a.i != 1 for a in node.attribute)
            # Weights that come from an operator or serve two convolutions have no one factor.
            if grouped or any(p not in constants or readers[p] > 1 for p in node.input[1:]):
                tied.update((node.input[0], node.output[0]))
        elif node.op_type in TRANSPARENT:
            data = [node.input[0], *(node.input[1:] if node.op_type == 'Add' else [])]
            for name in data:
                groups.join(name, node.output[0])
                if name in constants:
                    # One for each channel is divided with them; one for all cannot be.
                    shape = constants[name]
                    if len(shape) != 4 or shape[1] == 1 or readers[name] > 1:
                        tied.add(name)
        else:
            tied.update((*node.input, *node.output))
    return groups, {groups.of(name) for name in tied}


def _ranges(
    model: onnx.ModelProto,
    groups: _Groups,
    tied: set[str],
    inputs: Sequence[NDArray[np.uint8]],
) -> dict[str, list[NDArray[np.float32]]]:
    """Return by group its tensors' (C,) largest magnitudes of the channels."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    # ONNX Runtime runs a convolution and its ReLU as one: what is negative is never stored.
    rectified = {node.input[0] for node in model.graph.node if node.op_type == 'Relu'}
    seen = [
        name
        for node in model.graph.node
        if node.op_type in ('Conv', *TRANSPARENT)
        and (name := node.output[0]) not in rectified
        and groups.of(name) not in tied
    ]
    for name in seen:
        watched.graph.output.append(onnx.ValueInfoProto(name=name))
    options = ort.SessionOptions()
    # Fused operators would have no output of their own.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(
        watched.SerializeToString(), options, providers=['CPUExecutionProvider']
    )
    largest: dict[str, NDArray[np.float32]] = {}
    for planes in inputs:
        values = session.run(seen, {INPUT: unit_range(planes)})
        for name, value in zip(seen, values):
            found = np.abs(value).max(axis=(0, 2, 3))
            largest[name] = np.maximum(largest.get(name, found), found)
    ranges: dict[str, list[NDArray[np.float32]]] = {}
    for name, found in largest.items():
        if found.max() > 0:
            ranges.setdefault(groups.of(name), []).append(found)
    return ranges
