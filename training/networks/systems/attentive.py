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

"""CFRNet with attention to channels and places behind each scale of its decoder."""

from __future__ import annotations

from typing import cast

from torch import Tensor
from torch.nn import functional as F

from training.networks.config import NetworkConfig
from training.networks.encoder_decoder import CFRNet
from training.networks.parts import enlarge
from training.networks.systems.blocks import ChannelSpatialAttention


class AttentiveCFRNet(CFRNet):
    """CFRNet with three attention modules: what the attention of FaceFusion would add to it."""

    def __init__(self, config: NetworkConfig | None = None) -> None:
        """Build the layers."""
        super().__init__(config)
        _, c2, c4, c8 = self.config.widths
        self.attend8 = ChannelSpatialAttention(c8, 1)
        self.attend4 = ChannelSpatialAttention(c4, 1)
        self.attend2 = ChannelSpatialAttention(c2, 1)

    def correction(self, x: Tensor) -> Tensor:
        """Return what one cycle adds to its (B, 3, H, W) input; H and W multiples of 8."""
        s1 = F.relu(self.stem(x))
        s2 = self.encode2(self.down2(s1))
        s4 = self.encode4(self.down4(s2))
        s8 = self.attend8(self.body(self.down8(s4)))
        d4 = self.attend4(self.decode4(enlarge(self.up4(s8)) + s4))
        d2 = self.attend2(self.decode2(enlarge(self.up2(d4)) + s2))
        return cast(Tensor, self.head(F.relu(self.refine(enlarge(self.up1(d2)) + s1))))
