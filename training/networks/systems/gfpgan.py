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

"""GFPGAN-lite: a U-Net that removes the degradation steers a style-modulated generator.

Wang et al., Towards Real-World Blind Face Restoration with Generative Facial Prior, CVPR 2021. The
U-Net gives a style code and features of every scale; the generator (StyleGAN2's, Karras et al.,
CVPR 2020) is modulated by the code, and half of its channels by the features (channel-split spatial
feature transform, CS-SFT). The paper's generator was pretrained on 70,000 faces; this one learns
together with the U-Net, and injects no noise, so that the same face gives the same result.
"""

from __future__ import annotations

import itertools
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.networks.parts import Restorer, conv, enlarge
from training.networks.systems.blocks import without_autocast

#: Side of the generator's learned constant, pixels of a 256 px face's stride 32.
_CONSTANT = 8


class ModulatedConvolution(nn.Module):
    """A 3x3 or 1x1 convolution whose input channels a style scales; outputs are demodulated.

    Scaling the input and the output is the same as scaling the kernel of each face, and needs no
    grouped convolution, whose kernels are computed at run time.
    """

    def __init__(
        self, inputs: int, outputs: int, style: int, kernel: int = 3, demodulate: bool = True
    ) -> None:
        """Make the kernel.

        Args:
            inputs: Channels of the input.
            outputs: Channels of the output.
            style: Width of the style code.
            kernel: Side of the kernel, odd.
            demodulate: Whether outputs are brought back to unit variance.

        """
        super().__init__()
        self.modulation = nn.Linear(style, inputs)
        nn.init.ones_(self.modulation.bias)
        self.conv = conv(inputs, outputs, kernel)
        self.demodulate = demodulate

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Map (B, inputs, H, W) and a (B, style) code to (B, outputs, H, W)."""
        scales = self.modulation(style)
        y = F.conv2d(x * scales[:, :, None, None], self.conv.weight, padding=self.conv.padding)
        if self.demodulate:
            # In float32: the squares of small scales underflow in half precision.
            with without_autocast(x.device):
                energy = self.conv.weight.float().square().sum(dim=(2, 3))
                norm = scales.float().square() @ energy.transpose(0, 1)
            y = y * torch.rsqrt(norm + 1e-8).to(y.dtype)[:, :, None, None]
        assert self.conv.bias is not None
        return y + self.conv.bias.to(y.dtype)[None, :, None, None]


class GeneratorStage(nn.Module):
    """One scale of the generator: two modulated convolutions with CS-SFT between, RGB out."""

    def __init__(self, inputs: int, outputs: int, style: int, condition: int) -> None:
        """Make the layers.

        Args:
            inputs: Channels of the input.
            outputs: Channels of the output, even.
            style: Width of the style code.
            condition: Channels of the U-Net's features of this scale.

        """
        super().__init__()
        self.half = outputs // 2
        self.conv1 = ModulatedConvolution(inputs, outputs, style)
        self.conv2 = ModulatedConvolution(outputs, outputs, style)
        self.rgb = ModulatedConvolution(outputs, 3, style, kernel=1, demodulate=False)
        self.scale = nn.Sequential(conv(condition, condition), nn.LeakyReLU(0.2))
        self.scale_out = conv(condition, self.half)
        self.shift_out = conv(condition, self.half)

    def forward(self, x: Tensor, style: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Return the (B, outputs, H, W) features and what they add to the (B, 3, H, W) face."""
        x = F.leaky_relu(self.conv1(x, style), 0.2)
        kept, changed = x[:, : self.half], x[:, self.half :]
        hidden = self.scale(condition)
        changed = changed * (1.0 + self.scale_out(hidden)) + self.shift_out(hidden)
        x = F.leaky_relu(self.conv2(torch.cat([kept, changed], dim=1), style), 0.2)
        return x, self.rgb(x, style)


class GFPGAN(Restorer):
    """U-Net over strides 1 to 32, and a generator over the same scales.

    Attributes:
        pyramid: Names of the U-Net's RGB outputs, coarsest first, for the pyramid loss.

    """

    stages: ClassVar[tuple[str, ...]] = ()
    divisor = 256

    def __init__(
        self,
        widths: tuple[int, ...] = (16, 28, 44, 68, 96, 128),
        generator: tuple[int, ...] = (20, 32, 40, 56, 88, 116),
        style: int = 96,
    ) -> None:
        """Build the layers.

        Args:
            widths: Channels of the U-Net at strides 1, 2, 4, 8, 16 and 32.
            generator: Channels of the generator at the same strides.
            style: Width of the style code.

        """
        super().__init__()
        self.stem = conv(3, widths[0])
        self.down = nn.ModuleList(conv(a, b, stride=2) for a, b in itertools.pairwise(widths))
        # As in the paper, features of half of the channels would do for the code.
        self.to_code = nn.Conv2d(widths[-1], 16, 1)
        self.code = nn.Linear(16 * _CONSTANT**2, style)
        self.middle = conv(widths[-1], widths[-1])
        self.up = nn.ModuleList(
            conv(b, a) for a, b in zip(widths[-2::-1], widths[:0:-1], strict=True)
        )
        self.pyramid = nn.ModuleList(nn.Conv2d(w, 3, 1) for w in widths[::-1])
        self.constant = nn.Parameter(torch.randn(1, generator[-1], _CONSTANT, _CONSTANT))
        inputs = (generator[-1], *generator[:0:-1])
        self.generator = nn.ModuleList(
            GeneratorStage(before, after, style, condition)
            for before, after, condition in zip(inputs, generator[::-1], widths[::-1], strict=True)
        )

    def remove_degradation(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the (B, style) code and the U-Net's features, coarsest first."""
        skips = [F.leaky_relu(self.stem(x * 2.0 - 1.0), 0.2)]
        for down in self.down:
            skips.append(F.leaky_relu(down(skips[-1]), 0.2))
        code = self.code(F.leaky_relu(self.to_code(skips[-1]), 0.2).flatten(1))
        features = [F.leaky_relu(self.middle(skips[-1]), 0.2)]
        for number, up in enumerate(self.up):
            inner = enlarge(features[-1])
            features.append(F.leaky_relu(up(inner), 0.2) + skips[-2 - number])
        return code, features

    def with_pyramid(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the restored face before clipping, and the U-Net's faces of all scales.

        Args:
            x: (B, 3, 256, 256) RGB in 0..1.

        Returns:
            The (B, 3, 256, 256) face, and (B, 3, n, n) faces in 0..1 of n = 8, 16... 256.

        """
        code, features = self.remove_degradation(x)
        face = self._generate(code, features)
        scales = [to_rgb(f) + 0.5 for to_rgb, f in zip(self.pyramid, features, strict=True)]
        return face, scales

    def unclipped(self, x: Tensor) -> Tensor:
        """Return the restored face; H and W are 256."""
        return self._generate(*self.remove_degradation(x))

    def _generate(self, code: Tensor, features: list[Tensor]) -> Tensor:
        inner = self.constant.expand(code.shape[0], -1, -1, -1)
        face = torch.zeros(())
        for number, (stage, condition) in enumerate(zip(self.generator, features, strict=True)):
            inner, added = stage(inner if number == 0 else enlarge(inner), code, condition)
            face = added if number == 0 else enlarge(face) + added
        return face.float() + 0.5
