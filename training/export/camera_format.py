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

"""Make a network take camera crops as they are: colour order and range go into the weights."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

#: Relative error that the folded network may have against the original.
FOLD_TOLERANCE = 1e-5


class BytePixels(nn.Module):
    """A folded network between uint8 pixels: (1, N, N, 3) BGR 0..255 in and out."""

    def __init__(self, folded: nn.Module) -> None:
        """Wrap a network that `fold` made with a scale of 255."""
        super().__init__()
        self.network = folded

    def forward(self, face: Tensor) -> Tensor:
        """Apply one cycle, rounded to the nearest level and clipped."""
        # The casts stand outermost: TensorRT takes uint8 at its borders only, for a cast.
        planes = face.to(torch.float32).permute(0, 3, 1, 2)
        restored: Tensor = self.network(planes, clip=False)
        return restored.clamp(0.0, 255.0).round().permute(0, 2, 3, 1).to(torch.uint8)


class FloatPlanes(nn.Module):
    """A network between float32 planes: (1, 3, N, N) in 0..1 in and out."""

    def __init__(self, network: nn.Module, clip: bool) -> None:
        """Wrap a network; without `clip` the output may leave 0..1."""
        super().__init__()
        self.network = network
        self.clip = clip

    def forward(self, face: Tensor) -> Tensor:
        """Apply one cycle."""
        restored: Tensor = self.network(face, clip=self.clip)
        return restored


def fold(network: nn.Module, scale: float = 1.0, size: int = 256) -> nn.Module:
    """Return a copy of a network that takes and gives BGR in 0..scale instead of RGB in 0..1.

    The first convolution's input channels are reversed and its weights divided by the
    scale; the last one's output channels are reversed, its weights and bias multiplied.
    A shortcut from the input to the output stays consistent, since either end is BGR in
    the same range. Costs nothing at run time.

    Args:
        network: Network that maps (B, 3, N, N) to the same shape; ``forward(x, *, clip)``. It has
            to begin with a convolution (after a space-to-depth, if at all) and to end with one
            (before an upsampling or the addition of the input, if at all).
        scale: Value that stands for white.
        size: Side N of the face on which the result is verified.

    Returns:
        The folded copy, in evaluation mode.

    Raises:
        ValueError: The network is not built like that, so that the folded copy differs.

    """
    folded = copy.deepcopy(network).eval()
    first, last = _ends(folded, size)
    with torch.no_grad():
        first.weight.copy_(_reversed(first.weight, 1) / scale)
        last.weight.copy_(_reversed(last.weight, 0) * scale)
        if last.bias is not None:
            last.bias.copy_(_reversed(last.bias, 0) * scale)
    _verify(network, folded, scale, size)
    return folded


def _ends(network: nn.Module, size: int) -> tuple[nn.Conv2d, nn.Conv2d]:
    """Return the convolutions that run first and last."""
    ran: list[nn.Conv2d] = []

    def hook(module: nn.Module, _inputs: Any, _output: Any) -> None:
        assert isinstance(module, nn.Conv2d)
        ran.append(module)

    handles = [
        module.register_forward_hook(hook)
        for module in network.modules()
        if isinstance(module, nn.Conv2d)
    ]
    try:
        with torch.no_grad():
            network(torch.zeros(1, 3, size, size), clip=False)
    finally:
        for handle in handles:
            handle.remove()
    if len(ran) < 2:
        raise ValueError(
            f'a network needs two convolutions to fold colour order and range into, this one has '
            f'{len(ran)}; export it with --io float'
        )
    if ran[0].in_channels % 3 or ran[-1].out_channels % 3 or ran[0].groups != 1:
        raise ValueError(
            'the first convolution must read, and the last one write, three channels (or a '
            f'multiple, around a space-to-depth), but they have {ran[0].in_channels} and '
            f'{ran[-1].out_channels}; export it with --io float'
        )
    return ran[0], ran[-1]


def _reversed(values: Tensor, axis: int) -> Tensor:
    """Reverse the colours along an axis whose channels are ordered colour by colour."""
    shape = values.shape
    parts = values.reshape(*shape[:axis], 3, shape[axis] // 3, *shape[axis + 1 :])
    return parts.flip(axis).reshape(shape)


def _verify(network: nn.Module, folded: nn.Module, scale: float, size: int) -> None:
    generator = torch.Generator().manual_seed(0)
    face = torch.rand(1, 3, size, size, generator=generator, dtype=torch.float64)
    # In float32 some CPUs' convolutions round by more than the tolerance.
    network, folded = (copy.deepcopy(one).double().eval() for one in (network, folded))
    with torch.no_grad():
        wanted = network(face, clip=False)
        got = folded(face.flip(1) * scale, clip=False).flip(1) / scale
    difference = float((wanted - got).abs().max())
    if not difference <= FOLD_TOLERANCE * max(1.0, float(wanted.abs().max())):
        raise ValueError(
            f'colour order and range cannot be folded into this network: the result differs by '
            f'{difference:.1e}; something else than its first convolution reads the input, or '
            'than its last one writes the output. Export it with --io float'
        )
