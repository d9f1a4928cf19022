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

"""Building blocks that several systems share."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class NormalisedBlock(nn.Module):
    """Residual block with group normalisation and SiLU, as VQGAN's autoencoder has it.

    Esser et al., Taming Transformers for High-Resolution Image Synthesis, CVPR 2021.
    """

    def __init__(self, inputs: int, outputs: int, groups: int = 8) -> None:
        """Make a block.

        Args:
            inputs: Channels of the input, a multiple of `groups`.
            outputs: Channels of the output, a multiple of `groups`.
            groups: Number of groups that are normalised together.

        """
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2 = nn.GroupNorm(groups, outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H, W)."""
        y = self.conv1(F.silu(self.norm1(x)))
        y = self.conv2(F.silu(self.norm2(y)))
        return cast(Tensor, self.shortcut(x) + y)


class Attention(nn.Module):
    """Multi-head attention of one sequence of tokens to another or to itself.

    Written out in matrix products and softmax, so that it exports to a static graph of plain
    operators (Vaswani et al., Attention Is All You Need, NeurIPS 2017).
    """

    def __init__(self, width: int, heads: int, context: int | None = None) -> None:
        """Make the projections.

        Args:
            width: Width of a token, a multiple of `heads`.
            heads: Number of heads.
            context: Width of the tokens that are attended to; None for `width`.

        """
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(context or width, width)
        self.value = nn.Linear(context or width, width)
        self.out = nn.Linear(width, width)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attend.

        Args:
            query: (B, N, width) tokens that attend.
            key: (B, M, context) tokens that are attended to.
            value: (B, M, context) what is taken from them.

        Returns:
            (B, N, width).

        """
        q, k, v = (
            self._split(layer(x))
            for layer, x in ((self.query, query), (self.key, key), (self.value, value))
        )
        weights = torch.softmax(q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5, dim=-1)
        return cast(Tensor, self.out((weights @ v).transpose(1, 2).flatten(2)))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class ChannelSpatialAttention(nn.Module):
    """Weighs channels by their means, then places by what their channels show.

    The feature-aware attention of FaceFusion-style restorers, in the form of CBAM (Woo et al.,
    ECCV 2018) without its second pooling: every NPU compiler maps a mean.
    """

    def __init__(self, channels: int, reduction: int = 4) -> None:
        """Make the layers.

        Args:
            channels: Channels of the features.
            reduction: Factor by which the channels are reduced in between.

        """
        super().__init__()
        self.squeeze = nn.Conv2d(channels, channels // reduction, 1)
        self.excite = nn.Conv2d(channels // reduction, channels, 1)
        self.places = nn.Sequential(
            nn.Conv2d(channels, channels // reduction, 1),
            nn.ReLU(),
            nn.Conv2d(channels // reduction, 1, 7, padding=3),
        )
        # The features pass nearly unchanged at first (sigmoid(3) = 0.95).
        for last in (self.excite, cast(nn.Conv2d, self.places[2])):
            assert last.bias is not None
            nn.init.constant_(last.bias, 3.0)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        means = x.mean(dim=(2, 3), keepdim=True)
        x = x * torch.sigmoid(self.excite(F.relu(self.squeeze(means))))
        return x * torch.sigmoid(cast(Tensor, self.places(x)))


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which matrix products are computed in the types that they are given.

    Under autocast they would be rounded to bfloat16, in which near distances are equal. Where
    autocast is off the context is empty, so that an exporter sees nothing of it.

    Args:
        device: Device of the tensors.

    """
    if torch.is_autocast_enabled(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()


def tokens_of(features: Tensor) -> Tensor:
    """Return (B, C, H, W) features as (B, H * W, C) tokens."""
    return features.flatten(2).transpose(1, 2)


def features_of(tokens: Tensor, height: int) -> Tensor:
    """Return (B, H * W, C) tokens as (B, C, H, W) features, H being `height`."""
    return tokens.transpose(1, 2).unflatten(2, (height, -1))
