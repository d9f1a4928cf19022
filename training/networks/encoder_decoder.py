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

"""CFRNet as a residual encoder-decoder over four scales."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from training.networks.config import NetworkConfig
from training.networks.parts import ResidualRestorer, enlarge, residual_stage, small_head


class CFRNet(ResidualRestorer):
    """Strides 1, 2, 4 and 8, with additions from the encoder to the decoder at each."""

    stages = ('encode2', 'encode4', 'down8', 'body', 'decode4', 'decode2')
    divisor = 8

    def __init__(self, config: NetworkConfig | None = None) -> None:
        """Build the layers; the default has 2.0 M parameters."""
        super().__init__()
        self.config = config or NetworkConfig()
        c1, c2, c4, c8 = self.config.widths
        self.stem = nn.Conv2d(3, c1, 3, padding=1)
        self.down2 = nn.Conv2d(c1, c2, 3, stride=2, padding=1)
        self.encode2 = residual_stage(c2, self.config.blocks_s2)
        self.down4 = nn.Conv2d(c2, c4, 3, stride=2, padding=1)
        self.encode4 = residual_stage(c4, self.config.blocks_s4)
        self.down8 = nn.Conv2d(c4, c8, 3, stride=2, padding=1)
        self.body = residual_stage(c8, self.config.body_blocks)
        # Channels are halved before the upsampling, not after it: a quarter of
        # the multiplications, and the blocks that follow smooth the result.
        self.up4 = nn.Conv2d(c8, c4, 3, padding=1)
        self.decode4 = residual_stage(c4, self.config.blocks_s4)
        self.up2 = nn.Conv2d(c4, c2, 3, padding=1)
        self.decode2 = residual_stage(c2, self.config.blocks_s2)
        self.up1 = nn.Conv2d(c2, c1, 3, padding=1)
        self.refine = nn.Conv2d(c1, c1, 3, padding=1)
        self.head = small_head(c1)

    def correction(self, x: Tensor) -> Tensor:
        """Return what one cycle adds to its (B, 3, H, W) input; H and W multiples of 8."""
        # No ReLU on the ways between the scales: behind one, what came up from stride 4 died
        # early in training and stayed dead for 23,000 steps, so that strides 4 and 8 took no
        # part in the weights of that time (docs/training-log.md).
        s1 = F.relu(self.stem(x))
        s2 = self.encode2(self.down2(s1))
        s4 = self.encode4(self.down4(s2))
        s8 = self.body(self.down8(s4))
        d4 = self.decode4(enlarge(self.up4(s8)) + s4)
        d2 = self.decode2(enlarge(self.up2(d4)) + s2)
        return cast(Tensor, self.head(F.relu(self.refine(enlarge(self.up1(d2)) + s1))))


class ShallowEncoderDecoder(ResidualRestorer):
    """Strides 1, 2 and 4 only, with wider features at strides 2 and 4."""

    stages = ('encode2', 'down4', 'body', 'decode2')
    divisor = 4

    def __init__(self) -> None:
        """Build the layers."""
        super().__init__()
        c1, c2, c4 = 16, 48, 96
        self.stem = nn.Conv2d(3, c1, 3, padding=1)
        self.down2 = nn.Conv2d(c1, c2, 3, stride=2, padding=1)
        self.encode2 = residual_stage(c2, 1)
        self.down4 = nn.Conv2d(c2, c4, 3, stride=2, padding=1)
        self.body = residual_stage(c4, 11)
        self.up2 = nn.Conv2d(c4, c2, 3, padding=1)
        self.decode2 = residual_stage(c2, 1)
        self.up1 = nn.Conv2d(c2, c1, 3, padding=1)
        self.refine = nn.Conv2d(c1, c1, 3, padding=1)
        self.head = small_head(c1)

    def correction(self, x: Tensor) -> Tensor:
        """Return what one cycle adds to its (B, 3, H, W) input; H and W multiples of 4."""
        s1 = F.relu(self.stem(x))
        s2 = self.encode2(self.down2(s1))
        s4 = self.body(self.down4(s2))
        d2 = self.decode2(enlarge(self.up2(s4)) + s2)
        return cast(Tensor, self.head(F.relu(self.refine(enlarge(self.up1(d2)) + s1))))
