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

"""HiFaceGAN-lite: nested stages that suppress the degradation and replenish the detail.

Yang et al., HiFaceGAN: Face Renovation via Collaborative Suppression and Replenishment, ACM MM
2020. Each stage takes the features of the stage inside it, and replenishes them from what its
content-adaptive suppression has left of the input at its own scale, by SPADE (Park et al., CVPR
2019). The paper has six stages of up to 1,024 channels; here are four of up to 120.
"""

from __future__ import annotations

from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.networks.parts import Restorer, conv, enlarge
from training.networks.systems.blocks import NormalisedBlock


class ContentAdaptiveConvolution(nn.Module):
    """A 3x3 convolution whose kernel is modulated at each place by the features' correlation.

    output(p) = sum over q of W(q - p) C(p, q) x(q), C being the softmax over the neighbours of the
    correlation of embedded features: what does not belong to the structure at p, as noise does not,
    takes little part in the sum.
    """

    def __init__(self, channels: int, embedding: int = 16) -> None:
        """Make the layers.

        Args:
            channels: Channels of the input and of the output.
            embedding: Channels in which features are correlated.

        """
        super().__init__()
        self.embed = nn.Conv2d(channels, embedding, 1)
        self.kernel = nn.Conv2d(9 * channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        embedded = self.embed(x)
        scale = embedded.shape[1] ** -0.5
        correlations = [
            (embedded * shifted).sum(dim=1, keepdim=True) * scale
            for shifted in _neighbours(embedded)
        ]
        # Nine equal correlations make an ordinary convolution.
        shares = 9.0 * torch.softmax(torch.cat(correlations, dim=1), dim=1)
        parts = [
            shifted * shares[:, place : place + 1] for place, shifted in enumerate(_neighbours(x))
        ]
        return cast(Tensor, self.kernel(torch.cat(parts, dim=1)))


def _neighbours(x: Tensor) -> list[Tensor]:
    """Return (B, C, H, W) features shifted to each of the nine places of a 3x3 kernel."""
    height, width = x.shape[-2:]
    padded = F.pad(x, (1, 1, 1, 1))
    return [
        padded[..., row : row + height, column : column + width]
        for row in range(3)
        for column in range(3)
    ]


class Suppression(nn.Module):
    """Halves the sides and suppresses what is not structure."""

    def __init__(self, inputs: int, outputs: int) -> None:
        """Make the layers.

        Args:
            inputs: Channels of the input.
            outputs: Channels of the output.

        """
        super().__init__()
        self.down = conv(inputs, outputs, stride=2)
        self.adaptive = ContentAdaptiveConvolution(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H / 2, W / 2)."""
        x = F.leaky_relu(self.down(x), 0.2)
        return x + F.leaky_relu(self.adaptive(x), 0.2)


class SpatialNormalisation(nn.Module):
    """SPADE: normalises each channel, then scales and shifts it place by place from a guide."""

    def __init__(self, channels: int, guide: int, hidden: int) -> None:
        """Make the layers.

        Args:
            channels: Channels of the features.
            guide: Channels of the guide.
            hidden: Channels between the guide and the scales and shifts.

        """
        super().__init__()
        self.normalise = nn.InstanceNorm2d(channels)
        self.shared = conv(guide, hidden)
        self.scale = conv(hidden, channels)
        self.shift = conv(hidden, channels)

    def forward(self, x: Tensor, guide: Tensor) -> Tensor:
        """Map (B, channels, H, W) with a (B, guide, H, W) guide to the shape of the former."""
        hidden = F.relu(self.shared(guide))
        return cast(Tensor, self.normalise(x) * (1.0 + self.scale(hidden)) + self.shift(hidden))


class Replenishment(nn.Module):
    """SPADE's residual block, guided by the suppressed features of the same scale."""

    def __init__(self, inputs: int, outputs: int, guide: int, hidden: int = 32) -> None:
        """Make the layers.

        Args:
            inputs: Channels of the features of the stage inside.
            outputs: Channels of the output.
            guide: Channels of the suppressed features.
            hidden: See `SpatialNormalisation`.

        """
        super().__init__()
        self.first = SpatialNormalisation(inputs, guide, hidden)
        self.conv1 = conv(inputs, outputs)
        self.second = SpatialNormalisation(outputs, guide, hidden)
        self.conv2 = conv(outputs, outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, guide: Tensor) -> Tensor:
        """Map (B, inputs, H, W) with a (B, guide, H, W) guide to (B, outputs, H, W)."""
        y = self.conv1(F.leaky_relu(self.first(x, guide), 0.2))
        y = self.conv2(F.leaky_relu(self.second(y, guide), 0.2))
        return cast(Tensor, self.shortcut(x) + y)


class HiFaceGAN(Restorer):
    """Four nested stages at strides 2, 4, 8 and 16; the innermost one begins."""

    stages: ClassVar[tuple[str, ...]] = ()
    divisor = 16

    def __init__(self, widths: tuple[int, int, int, int] = (36, 64, 100, 120)) -> None:
        """Build the layers.

        Args:
            widths: Channels at strides 2, 4, 8 and 16.

        """
        super().__init__()
        self.suppressions = nn.ModuleList(
            Suppression(before, after)
            for before, after in zip((3, *widths[:-1]), widths, strict=True)
        )
        self.innermost = NormalisedBlock(widths[-1], widths[-1])
        self.replenishments = nn.ModuleList(
            Replenishment(before, after, after)
            for before, after in zip((widths[-1], *widths[:0:-1]), widths[::-1], strict=True)
        )
        self.exit = conv(widths[0], 24)
        self.head = conv(24, 3)
        with torch.no_grad():
            assert self.head.bias is not None
            self.head.bias.fill_(0.5)

    def unclipped(self, x: Tensor) -> Tensor:
        """Return the restored face; H and W multiples of 16."""
        guides = []
        inner = x * 2.0 - 1.0
        for suppress in self.suppressions:
            inner = suppress(inner)
            guides.append(inner)
        inner = self.innermost(inner)
        for number, replenish in enumerate(self.replenishments):
            inner = replenish(inner if number == 0 else enlarge(inner), guides[-1 - number])
        fine = F.leaky_relu(self.exit(enlarge(inner)), 0.2)
        return cast(Tensor, self.head(fine)).float()
