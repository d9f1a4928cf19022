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

"""The plain CNN: a chain of convolutions without a skip of any kind."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.networks.parts import Restorer, conv_relu, enlarge

#: Values of a pixel, of a 2x2 and of a 4x4 patch: so many channels carry the face itself.
_PIXEL, _PATCH2, _PATCH4 = 3, 12, 48
#: Largest of the random weights by which the last convolution begins to correct the face.
_WHISPER = 5e-4


class PositionMask(nn.Module):
    """Of four groups of channels, keeps a different one at each pixel of every 2x2.

    Nearest upsampling makes four pixels of one that no convolution can tell apart. Behind
    this mask each has channels of its own, so that upsampling, mask and convolution
    together do what pixel shuffle does (Shi et al., CVPR 2016), which NPUs map a hundred
    times worse (docs/hardware.md). Two additions of a constant row and column: below
    `DEPTH` nothing passes the ReLU that follows.
    """

    #: Above every activation: they are held below 4 while training (`LossWeights`).
    DEPTH = 8.0

    def __init__(self, channels: int, side: int) -> None:
        """Make the mask.

        Args:
            channels: Number of channels, a multiple of four; group 2 * row + column of them is kept
                at that place of each 2x2.
            side: Largest height and width, even.

        """
        super().__init__()
        group = torch.arange(channels) // (channels // 4)
        place = torch.arange(side) % 2
        for name, wanted in (('rows', group // 2), ('columns', group % 2)):
            mask = torch.where(wanted[:, None] == place[None], 0.0, -self.DEPTH)
            shape = (1, channels, side, 1) if name == 'rows' else (1, channels, 1, side)
            self.register_buffer(name, mask.reshape(shape), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map non-negative (B, C, H, W) to the same shape; H and W even."""
        x = F.relu(x + _shortened(cast(Tensor, self.rows), 2, x))
        return F.relu(x + _shortened(cast(Tensor, self.columns), 3, x))


def _shortened(mask: Tensor, axis: int, x: Tensor) -> Tensor:
    """Cut a mask to the side of a smaller face; a graph of the full size has no such operator."""
    side = x.shape[axis]
    mask = mask if mask.shape[axis] == side else mask.narrow(axis, 0, side)
    return mask.to(x.dtype)


class PlainCNN(Restorer):
    """Convolution and ReLU one after the other, strided ones down, nearest upsampling up.

    Never two tensors alive at once: the easiest graph to deploy. It has to carry the face
    itself through its narrowest place, stride 4 with 128 channels, of which the 48 values
    of each 4x4 patch take 48; the other 80 work out what to add to it.
    """

    stages = ('entry', 'body', 'exit2', 'exit1')
    divisor = 4

    def __init__(self, side: int = 256) -> None:
        """Build the layers; faces may be up to `side` pixels high and wide."""
        super().__init__()
        self.entry = nn.Sequential(conv_relu(3, 48, stride=2), conv_relu(48, 128, stride=2))
        self.body = nn.Sequential(*(conv_relu(128, 128) for _ in range(12)))
        self.exit2 = conv_relu(128, 96)
        self.mask2 = PositionMask(96, side // 2)
        self.merge2 = nn.Sequential(conv_relu(96, 48), conv_relu(48, 48))
        self.exit1 = conv_relu(48, 32)
        self.mask1 = PositionMask(32, side)
        self.merge1 = conv_relu(32, 16)
        self.head = nn.Conv2d(16, 3, 3, padding=1)
        self._begin_with_the_identity()

    def unclipped(self, x: Tensor) -> Tensor:
        """Return the restored face; H and W multiples of 4."""
        x = self.exit2(self.body(self.entry(x)))
        x = self.exit1(self.merge2(self.mask2(enlarge(x))))
        return cast(Tensor, self.head(self.merge1(self.mask1(enlarge(x))))).float()

    def _begin_with_the_identity(self) -> None:
        """Let the face come out as it went in, and training leave the channels that carry it.

        What is not negative passes a ReLU unchanged. From random weights, through as many
        convolutions, the face itself was still being learned after 1,600 steps
        (docs/training-log.md). Begun with the identity but free to learn everywhere, each of
        Adam's steps moved the face a little in every layer, and the loss rose by a half before
        it fell. So the channels beside it learn what the last convolution adds to it. They
        begin with He's gain: with PyTorch's smaller default eighteen convolutions leave nothing
        of what the first found.
        """
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity='relu')
        patch2 = [(1 + q // 2, 1 + q % 2) for q in range(4)]
        _carry(
            self.entry[0][0],
            [(_PIXEL * q + c, c, *patch2[q]) for q in range(4) for c in range(_PIXEL)],
        )
        _carry(
            self.entry[1][0],
            [(_PATCH2 * q + i, i, *patch2[q]) for q in range(4) for i in range(_PATCH2)],
        )
        for layer in self.body:
            _carry(layer[0], [(i, i, 1, 1) for i in range(_PATCH4)])
        for exit_, merge, kept in (
            (self.exit2, self.merge2[0], _PATCH2),
            (self.exit1, self.merge1, _PIXEL),
        ):
            convolution = exit_[0]
            group = convolution.out_channels // 4
            pairs = [(group * q + i, kept * q + i) for q in range(4) for i in range(kept)]
            _carry(convolution, [(place, value, 1, 1) for place, value in pairs])
            _carry(merge[0], [(value % kept, place, 1, 1) for place, value in pairs])
        _carry(self.merge2[1][0], [(i, i, 1, 1) for i in range(_PATCH2)])
        _carry(self.head, [(c, c, 1, 1) for c in range(_PIXEL)], corrected_from=_PIXEL)


def _carry(
    convolution: nn.Conv2d,
    taps: list[tuple[int, int, int, int]],
    corrected_from: int | None = None,
) -> None:
    """Let outputs pass their inputs on as they are, and hold them at that while training.

    Args:
        convolution: Convolution whose weights are changed, and masked in every gradient.
        taps: (output, input, row, column) of the weights that become one; those from other
            inputs to these outputs become zero.
        corrected_from: Input from which on the weights are small instead, and learned; None if
            nothing of these outputs is.

    """
    assert convolution.bias is not None
    outputs = sorted({tap[0] for tap in taps})
    learned = torch.ones_like(convolution.weight)
    biases = torch.ones_like(convolution.bias)
    inputs = convolution.in_channels if corrected_from is None else corrected_from
    learned[outputs, :inputs] = 0.0
    biases[outputs] = float(corrected_from is not None)
    with torch.no_grad():
        convolution.weight[outputs] *= _WHISPER / convolution.weight.abs().max()
        convolution.weight.mul_(learned)
        convolution.bias[outputs] = 0.0
        for tap in taps:
            convolution.weight[tap] = 1.0
    convolution.weight.register_hook(lambda gradient: gradient * learned.to(gradient))
    convolution.bias.register_hook(lambda gradient: gradient * biases.to(gradient))
