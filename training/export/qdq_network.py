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

"""A QDQ graph as a PyTorch module: eight-bit arithmetic simulated, with gradients.

ONNX Runtime computes the quantised graph in integers. Here each QuantizeLinear rounds real numbers
to the same levels, so both agree except where a sum falls on the middle between two levels.
Rounded weights pass gradients straight through (Bengio et al., Estimating or Propagating Gradients
Through Stochastic Neurons, 2013); the step of an activation has the gradient of Esser et al.,
Learned Step Size Quantization, ICLR 2020, equation 3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional as F

from training.export.carried import carried_channels
from training.export.fp32 import INPUT, OUTPUT
from training.export.pair_sums import rounded

_LOWEST_LEVEL, _HIGHEST_LEVEL = 0.0, 255.0


class _RoundActivation(torch.autograd.Function):
    """Rounds to 256 unsigned levels and back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, step: Tensor, zero_point: float) -> Tensor:
        """Return x rounded to multiples of the step and limited to the 256 levels."""
        low, high = _LOWEST_LEVEL - zero_point, _HIGHEST_LEVEL - zero_point
        scaled = x / step
        levels = scaled.round().clamp_(low, high)
        inside = (scaled >= low) & (scaled <= high)
        # Inside the range a longer step changes the rounding, beyond it the limit itself.
        ctx.save_for_backward(inside, torch.where(inside, levels - scaled, levels))
        return levels * step

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        """Return the gradients of x and of the step."""
        inside, by_step = ctx.saved_tensors
        (gradient,) = gradients
        return gradient * inside, (gradient * by_step).sum(), None


class QdqNetwork(nn.Module):
    """A quantised network, from image planes to image planes."""

    def __init__(self, model: onnx.ModelProto, floats: onnx.ModelProto) -> None:
        """Read a quantised model.

        Args:
            model: QDQ graph between float32 (1, 3, N, N) `INPUT` and `OUTPUT`: unsigned 8-bit
                activations, signed 8-bit weights by channel, 32-bit biases.
            floats: Model that was quantised; between two levels, its weights say where learning
                begins.

        Raises:
            ValueError: the graph has an operator that cannot be simulated here.

        """
        super().__init__()
        self._nodes = list(model.graph.node)
        operators: dict[str, Callable[[onnx.NodeProto, dict[str, Tensor]], Tensor]] = {
            'QuantizeLinear': self._quantise,
            'DequantizeLinear': self._dequantise,
            'Conv': _convolve,
            'Relu': lambda node, values: F.relu(values[node.input[0]]),
            'Add': lambda node, values: values[node.input[0]] + values[node.input[1]],
            'Resize': _enlarge,
        }
        self._operators = operators
        unknown = {node.op_type for node in self._nodes} - set(operators)
        if unknown:
            raise ValueError(
                f'the operators {", ".join(sorted(unknown))} have no simulation in eight bits; '
                'export with --learning-steps 0, or add them to training/export/qdq_network.py'
            )
        initial = {t.name: numpy_helper.to_array(t) for t in floats.graph.initializer}
        constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        roles = _roles(self._nodes)
        self._keys: dict[str, str] = {}
        self._zero_points: dict[str, float] = {}
        #: By key of the integer tensor: (O, I, H, W) weights in steps of their channel, unrounded.
        self.weights = nn.ParameterDict()
        #: By key of the integer tensor: (O,) biases in units of the activation, unrounded.
        self.biases = nn.ParameterDict()
        #: By key of the scale: natural logarithm of an activation's step.
        self.steps = nn.ParameterDict()
        self._weight_steps: dict[str, Tensor] = {}
        self._fixed: dict[str, Tensor] = {}
        for node in self._nodes:
            if node.op_type == 'QuantizeLinear':
                self._add_activation(node, constants)
            elif node.op_type == 'DequantizeLinear' and node.input[0] in constants:
                role, name = roles.get(node.output[0], ''), node.input[0]
                unrounded = initial[name.removesuffix('_quantized')] if role else None
                self._add_constant(role, node, constants, unrounded)
        self._hold_carried(carried_channels(floats.graph))

    def forward(self, image: Tensor) -> Tensor:
        """Apply one cycle.

        Args:
            image: Image planes, (B, 3, N, N) float32, multiples of 1/255 in 0..1.

        Returns:
            (B, 3, N, N) float32, multiples of 1/255 in 0..1.

        """
        values = {INPUT: image}
        for node in self._nodes:
            values[node.output[0]] = self._operators[node.op_type](node, values)
        return values[OUTPUT]

    def hold_all_but(self, layers: int) -> None:
        """Let only the last convolutions learn, and the steps of what comes between them.

        Args:
            layers: Number of convolutions; 0 for all.

        """
        convolutions = [i for i, node in enumerate(self._nodes) if node.op_type == 'Conv']
        if not 0 < layers < len(convolutions):
            return
        for node in self._nodes[: convolutions[-layers]]:
            if node.op_type == 'QuantizeLinear':
                self.steps[self._keys[node.input[1]]].requires_grad_(False)
            elif node.op_type == 'Conv':
                for name in node.input[1:]:
                    self._parameter(name).requires_grad_(False)

    @torch.no_grad()
    def write(self, model: onnx.ModelProto) -> None:
        """Write weights, biases and steps into the model that this was made of, in place."""
        tensors = {tensor.name: tensor for tensor in model.graph.initializer}
        learned: dict[str, NDArray[Any]] = {}
        for node in self._nodes:
            # By way of the logarithm, a step that was held would change its last digit.
            if node.op_type == 'QuantizeLinear' and self._log_step(node.input[1]).requires_grad:
                step = self._step(node.input[1]).item()
                learned[node.input[1]] = np.array(step, np.float32)
            key = self._keys.get(node.input[0], '') if node.input else ''
            if node.op_type == 'DequantizeLinear' and key in self.weights:
                learned[node.input[0]] = rounded(self.weights[key].numpy())
        for node in self._nodes:
            if node.op_type != 'Conv' or len(node.input) < 3:
                continue
            # A bias is added to the sums of products, so its step is the product of theirs.
            weight, bias = (self._source(name) for name in node.input[1:3])
            step = (self._step_of(node.input[0]) * self._weight_steps[weight.input[0]]).flatten()
            levels = (self.biases[self._keys[bias.input[0]]] / step).round()
            learned[bias.input[0]] = levels.numpy().astype(np.int32)
            learned[bias.input[1]] = step.numpy().astype(np.float32)
        for name, values in learned.items():
            tensors[name].CopyFrom(numpy_helper.from_array(values, name))

    def _add_activation(self, node: onnx.NodeProto, constants: dict[str, NDArray[Any]]) -> None:
        data, scale, zero = node.input
        self._zero_points[scale] = float(constants[zero])
        if scale not in self._keys:
            self._keys[scale] = f's{len(self.steps)}'
            self.steps[self._keys[scale]] = nn.Parameter(
                torch.tensor(float(np.log(constants[scale])))
            )
        if data == INPUT or helper.printable_node(node).count(OUTPUT):
            # The levels of an image are those of its bytes.
            self.steps[self._keys[scale]].requires_grad_(False)

    def _add_constant(
        self,
        role: str,
        node: onnx.NodeProto,
        constants: dict[str, NDArray[Any]],
        unrounded: NDArray[np.float32] | None,
    ) -> None:
        name = node.input[0]
        scale = torch.from_numpy(np.atleast_1d(constants[node.input[1]]).astype(np.float32))
        if unrounded is None:
            zero = np.float32(constants[node.input[2]]) if len(node.input) > 2 else np.float32(0)
            values = constants[name].astype(np.float32) - zero
            self._fixed[name] = torch.from_numpy(np.asarray(values, np.float32)) * scale
            return
        values = torch.from_numpy(unrounded.copy())
        if role == 'weight':
            self._weight_steps[name] = scale.reshape(-1, 1, 1, 1)
            self._keys[name] = f'w{len(self.weights)}'
            levels = torch.from_numpy(constants[name].astype(np.float32))
            # As near to the real weight as the level that the model has allows.
            beside = (values / self._weight_steps[name] - levels).clamp(-0.49, 0.49)
            self.weights[self._keys[name]] = nn.Parameter(levels + beside)
        else:
            self._keys[name] = f'b{len(self.biases)}'
            levels = torch.from_numpy(constants[name].astype(np.float32))
            self.biases[self._keys[name]] = nn.Parameter(levels * scale)

    def _hold_carried(self, carried: dict[str, NDArray[np.bool_]]) -> None:
        """Let what carries the picture itself not learn: it is exact already."""
        for node in self._nodes:
            held = carried.get(node.output[0])
            if node.op_type == 'QuantizeLinear' and node.input[0] in carried:
                self.steps[self._keys[node.input[1]]].requires_grad_(False)
            elif node.op_type == 'Conv' and held is not None:
                learned = torch.from_numpy(~held)
                for name in node.input[1:]:
                    values = self._parameter(name)
                    values.register_hook(_mask(learned.reshape(-1, *[1] * (values.ndim - 1))))

    def _quantise(self, node: onnx.NodeProto, values: dict[str, Tensor]) -> Tensor:
        scale = node.input[1]
        rounded = _RoundActivation.apply(
            values[node.input[0]], self._step(scale), self._zero_points[scale]
        )
        return cast(Tensor, rounded)

    def _dequantise(self, node: onnx.NodeProto, values: dict[str, Tensor]) -> Tensor:
        name = node.input[0]
        if name in values:
            # `_quantise` gave numbers, not levels.
            return values[name]
        if name in self._fixed:
            return self._fixed[name]
        key = self._keys[name]
        if key in self.biases:
            # Their steps are so short that rounding them changes nothing worth learning.
            return self.biases[key]
        weight = self.weights[key]
        levels = torch.from_numpy(rounded(weight.detach().numpy()).astype(np.float32))
        return (weight + (levels - weight).detach()) * self._weight_steps[name]

    def _log_step(self, scale: str) -> Tensor:
        return self.steps[self._keys[scale]]

    def _step(self, scale: str) -> Tensor:
        return self._log_step(scale).exp()

    def _step_of(self, tensor: str) -> Tensor:
        """Step of a dequantised activation."""
        return self._step(self._source(tensor).input[1])

    def _parameter(self, tensor: str) -> nn.Parameter:
        """Weights or biases that a dequantised constant is made of."""
        key = self._keys[self._source(tensor).input[0]]
        return self.weights[key] if key in self.weights else self.biases[key]

    def _source(self, tensor: str) -> onnx.NodeProto:
        """Node that gives a tensor."""
        return next(node for node in self._nodes if tensor in node.output)


def _mask(learned: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda gradient: gradient * learned


def _roles(nodes: list[onnx.NodeProto]) -> dict[str, str]:
    """Return which tensors are weights and biases of convolutions."""
    roles: dict[str, str] = {}
    for node in nodes:
        if node.op_type == 'Conv':
            roles.update(zip(node.input[1:], ('weight', 'bias')))
    return roles


def _convolve(node: onnx.NodeProto, values: dict[str, Tensor]) -> Tensor:
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    x, weight = values[node.input[0]], values[node.input[1]]
    bias = values[node.input[2]] if len(node.input) > 2 else None
    top, left, bottom, right = attributes.get('pads', (0, 0, 0, 0))
    if any(attributes.get('dilations', (1, 1))[i] != 1 for i in (0, 1)):
        raise ValueError(f'the dilated convolution {node.name!r} has no simulation in eight bits')
    if (top, left) != (bottom, right):
        x, top, left = F.pad(x, (left, right, top, bottom)), 0, 0
    return F.conv2d(
        x,
        weight,
        bias,
        stride=tuple(attributes.get('strides', (1, 1))),
        padding=(top, left),
        groups=attributes.get('group', 1),
    )


def _enlarge(node: onnx.NodeProto, values: dict[str, Tensor]) -> Tensor:
    mode = next((a.s.decode() for a in node.attribute if a.name == 'mode'), 'nearest')
    if mode != 'nearest':
        raise ValueError(f'Resize {node.name!r} in mode {mode!r} has no simulation in eight bits')
    return F.interpolate(values[node.input[0]], scale_factor=2.0, mode='nearest')
