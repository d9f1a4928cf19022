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

"""Residual layouts whose blocks work at low resolutions alone.

What they keep at full resolution is the output of the first convolution, which the last
two see as well. No ReLU stands where a scale hands over to another (see `CFRNet`).
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from training.networks.parts import (
    CorrectionHead,
    ResidualRestorer,
    conv,
    conv_relu,
    enlarge,
    residual_stage,
)


class Stride4(ResidualRestorer):
    """26 residual blocks of 64 channels at stride 4."""

    stages = ('entry', 'body')
    divisor = 4

    def __init__(self) -> None:
        """Build the layers."""
        super().__init__()
        self.stem = conv_relu(3, 16)
        self.entry = nn.Sequential(conv_relu(16, 32, stride=2), conv(32, 64, stride=2))
        self.body = residual_stage(64, 26)
        self.exit = CorrectionHead((64, 32, 16))

    def correction(self, x: Tensor) -> Tensor:
        """Return what one cycle adds to its (B, 3, H, W) input; H and W multiples of 4."""
        fine = self.stem(x)
        return cast(Tensor, self.exit(self.body(self.entry(fine)), fine))


class Stride8(ResidualRestorer):
    """6 residual blocks of 128 channels at stride 8."""

    stages = ('entry', 'body')
    divisor = 8

    def __init__(self) -> None:
        """Build the layers."""
        super().__init__()
        self.stem = conv_relu(3, 16)
        self.entry = nn.Sequential(
            conv_relu(16, 32, stride=2), conv_relu(32, 64, stride=2), conv(64, 128, stride=2)
        )
        self.body = residual_stage(128, 6)
        self.exit = CorrectionHead((128, 64, 32, 16))

    def correction(self, x: Tensor) -> Tensor:
        """Return what one cycle adds to its (B, 3, H, W) input; H and W multiples of 8."""
        fine = self.stem(x)
        return cast(Tensor, self.exit(self.body(self.entry(fine)), fine))


class SpaceToDepth(ResidualRestorer):
    """Blocks at stride 4 and, between them, at stride 8, behind 4x4 patches.

    The patches go through a 4x4 convolution of stride 4: space-to-depth(4) and a 1x1
    convolution in one operator, without the data movement of the former.
    """

    stages = ('patches', 'encode4', 'down8', 'body', 'decode4')
    divisor = 8

    def __init__(self) -> None:
        """Build the layers."""
        super().__init__()
        self.stem = conv_relu(3, 16)
        self.patches = conv(16, 64, kernel=4, stride=4)
        self.encode4 = residual_stage(64, 4)
        self.down8 = conv(64, 128, stride=2)
        self.body = residual_stage(128, 4)
        self.up4 = conv(128, 64)
        self.decode4 = residual_stage(64, 4)
        self.exit = CorrectionHead((64, 32, 16))

    def correction(self, x: Tensor) -> Tensor:
        """Return what one cycle adds to its (B, 3, H, W) input; H and W multiples of 8."""
        fine = self.stem(x)
        s4 = self.encode4(self.patches(fine))
        s8 = self.body(self.down8(s4))
        return cast(Tensor, self.exit(self.decode4(enlarge(self.up4(s8)) + s4), fine))
