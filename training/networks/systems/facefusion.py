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

"""FaceFusion-lite: a depthwise-separable encoder-decoder with attention, coarse first, then fine.

Restorers of this kind spend few multiplications: depthwise-separable convolutions (Howard et al.,
MobileNets, 2017), skips, and attention to channels and places behind each scale. A coarse stage
restores the face at half of its size, a fine one takes what it gave and the input in full size.
"""

from __future__ import annotations

import itertools
from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.networks.parts import Restorer, conv, enlarge, small_head
from training.networks.systems.blocks import ChannelSpatialAttention


class SeparableBlock(nn.Module):
    """Two depthwise-separable convolutions around an identity shortcut."""

    def __init__(self, channels: int) -> None:
        """Make a block that keeps the number of channels."""
        super().__init__()
        self.layers = nn.Sequential(*_separable(channels), nn.ReLU(), *_separable(channels))
        with torch.no_grad():
            cast(nn.Conv2d, self.layers[-1]).weight.mul_(0.3)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        return x + cast(Tensor, self.layers(x))


def _separable(channels: int) -> tuple[nn.Conv2d, nn.Conv2d]:
    return (
        nn.Conv2d(channels, channels, 3, padding=1, groups=channels),
        nn.Conv2d(channels, channels, 1),
    )


class Scale(nn.Module):
    """Separable blocks of one scale and the attention behind them."""

    def __init__(self, channels: int, blocks: int) -> None:
        """Make the layers.

        Args:
            channels: Number of channels.
            blocks: Number of separable blocks.

        """
        super().__init__()
        self.blocks = nn.Sequential(*(SeparableBlock(channels) for _ in range(blocks)))
        self.attention = ChannelSpatialAttention(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        return cast(Tensor, self.attention(self.blocks(x)))


class EncoderDecoder(nn.Module):
    """One stage: four scales down and up with skips, giving a correction."""

    def __init__(self, inputs: int, widths: tuple[int, int, int, int], blocks: int) -> None:
        """Make the layers.

        Args:
            inputs: Channels of the input.
            widths: Channels of the four scales, the finest first.
            blocks: Separable blocks a scale.

        """
        super().__init__()
        self.stem = conv(inputs, widths[0])
        pairs = list(itertools.pairwise(widths))
        self.encode = nn.ModuleList(Scale(w, blocks) for w in widths)
        self.down = nn.ModuleList(conv(a, b, stride=2) for a, b in pairs)
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairs[::-1])
        self.decode = nn.ModuleList(Scale(a, blocks) for a, _ in pairs[::-1])
        self.head = small_head(widths[0])

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to a (B, 3, H, W) correction."""
        skips = [self.encode[0](F.relu(self.stem(x)))]
        for down, encode in zip(self.down, list(self.encode)[1:], strict=True):
            skips.append(encode(down(skips[-1])))
        x = skips.pop()
        for up, decode in zip(self.up, self.decode, strict=True):
            x = decode(enlarge(up(x)) + skips.pop())
        return cast(Tensor, self.head(x))


class FaceFusion(Restorer):
    """A coarse stage at half of the size and a fine stage at the whole."""

    stages: ClassVar[tuple[str, ...]] = ()
    divisor = 16

    def __init__(self) -> None:
        """Build the layers."""
        super().__init__()
        self.coarse = EncoderDecoder(3, (36, 72, 152, 288), 3)
        self.fine = EncoderDecoder(6, (16, 36, 72, 144), 2)

    def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the restored face of half the size and that of the whole, not clipped.

        Args:
            x: (B, 3, H, W) RGB in 0..1; H and W multiples of 16.

        Returns:
            (B, 3, H / 2, W / 2) and (B, 3, H, W), float32.

        """
        half = F.avg_pool2d(x, 2)
        coarse = half.float() + self.coarse(half).float()
        seen = torch.cat([x.float(), enlarge(coarse)], dim=1)
        return coarse, x.float() + self.fine(seen).float()

    def unclipped(self, x: Tensor) -> Tensor:
        """Return the restored face; H and W multiples of 16."""
        return self.both(x)[1]
