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

"""What the layouts are made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around an identity shortcut (He et al., CVPR 2016), no normalisation."""

    def __init__(self, channels: int) -> None:
        """Make a block that keeps the number of channels."""
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        # PyTorch's default initialisation, not He's: its smaller weights keep the
        # first activations small. With He's the network sat at the identity for
        # thousands of steps. Without normalisation the branch must start smaller
        # still, or the sum grows with depth (Wang et al., ESRGAN, 2018, section 3.1).
        with torch.no_grad():
            self.conv2.weight.mul_(0.3)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        return x + cast(Tensor, self.conv2(F.relu(self.conv1(x))))


def residual_stage(channels: int, blocks: int) -> nn.Sequential:
    """Return so many residual blocks one after the other."""
    return nn.Sequential(*(ResidualBlock(channels) for _ in range(blocks)))


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    """Return a convolution; sides shrink by the stride, or stay at stride 1."""
    padding = (kernel - 1) // 2 if kernel % 2 else 0
    return nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding)


def conv_relu(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Return such a convolution and a ReLU."""
    return nn.Sequential(conv(inputs, outputs, kernel, stride), nn.ReLU())


def enlarge(x: Tensor) -> Tensor:
    """Repeat each value of (B, C, H, W) over 2x2: pixel shuffle costs NPUs a hundred times more."""
    return F.interpolate(x, scale_factor=2.0, mode='nearest')


class CorrectionHead(nn.Module):
    """From features at a low resolution, and from fine ones, to an RGB correction.

    Channels are halved before each upsampling, not after it: a quarter of the
    multiplications, and the convolution that follows smooths the result. The fine
    features are needed because what nearest upsampling makes of the coarse ones alone is
    too smooth to take noise off: without them networks at stride 4 and 8 were still within
    0.2% of the identity's loss after 300 steps.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        """Make the layers.

        Args:
            widths: Channels of the coarse features, and after each doubling of the sides.

        """
        super().__init__()
        self.up = nn.ModuleList(conv(a, b) for a, b in pairwise(widths))
        self.refine = nn.Conv2d(widths[-1], widths[-1], 3, padding=1)
        self.head = small_head(widths[-1])

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """Map (B, C, H, W) and (B, widths[-1], H * 2^n, W * 2^n) to (B, 3, H * 2^n, W * 2^n)."""
        for up in self.up:
            coarse = enlarge(up(coarse))
        return cast(Tensor, self.head(F.relu(self.refine(coarse + fine))))


def small_head(channels: int) -> nn.Conv2d:
    """Return the last convolution, begun so small that the first correction is next to nothing."""
    head = nn.Conv2d(channels, 3, 3, padding=1)
    with torch.no_grad():
        head.weight.mul_(0.1)
        assert head.bias is not None
        head.bias.zero_()
    return head


class Restorer(nn.Module, ABC):
    """One restoration cycle: RGB face in, restored RGB face out, both 0..1.

    Attributes:
        stages: Names of the submodules whose activations are to stay small (see
            `training.losses.ccfp.ActivationRange`).
        divisor: Number that height and width must be multiples of.

    """

    stages: ClassVar[tuple[str, ...]]
    divisor: ClassVar[int]

    @abstractmethod
    def unclipped(self, x: Tensor) -> Tensor:
        """Return the restored face before clipping, float32."""

    def forward(self, x: Tensor, *, clip: bool = True) -> Tensor:
        """Apply one cycle.

        Args:
            x: (B, 3, H, W) float RGB in 0..1; H and W multiples of `divisor`.
            clip: Whether to limit the result to 0..1. Training leaves it open, because a clipped
                value has no gradient.

        Returns:
            (B, 3, H, W) float32 restored RGB.

        """
        restored = self.unclipped(x)
        return restored.clamp(0.0, 1.0) if clip else restored


class ResidualRestorer(Restorer):
    """A network that predicts a correction, which is added to its input.

    Doing nothing (what a restored face needs) is then its easiest answer.
    """

    @abstractmethod
    def correction(self, x: Tensor) -> Tensor:
        """Return what one cycle adds to its (B, 3, H, W) input."""

    def unclipped(self, x: Tensor) -> Tensor:
        """Return the input plus its correction; the sum is float32 under autocast too."""
        return x.float() + self.correction(x).float()
