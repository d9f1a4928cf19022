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

"""The network that a configuration asks for, and its size."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.networks.config import NetworkConfig
from training.networks.encoder_decoder import CFRNet, ShallowEncoderDecoder
from training.networks.parts import Restorer
from training.networks.plain import PlainCNN
from training.networks.single_scale import SpaceToDepth, Stride4, Stride8

_FIXED_SIZE: dict[str, type[Restorer]] = {
    'shallow_encoder_decoder': ShallowEncoderDecoder,
    'stride4': Stride4,
    'space_to_depth': SpaceToDepth,
    'stride8': Stride8,
    'plain': PlainCNN,
}


def build_network(config: NetworkConfig | None = None) -> Restorer:
    """Return a network of the layout, with random weights from PyTorch's generator."""
    config = config or NetworkConfig()
    if config.layout == 'encoder_decoder':
        return CFRNet(config)
    return _FIXED_SIZE[config.layout]()


def count_parameters(network: nn.Module) -> int:
    """Return the number of trainable scalars."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def count_macs(network: nn.Module, size: int = 256) -> int:
    """Count the multiply-accumulate operations of one cycle on a size x size face."""
    total = 0

    def hook(module: nn.Module, _inputs: object, output: Tensor) -> None:
        nonlocal total
        assert isinstance(module, nn.Conv2d)
        total += module.weight.numel() * output.shape[-1] * output.shape[-2]

    handles = [m.register_forward_hook(hook) for m in network.modules() if isinstance(m, nn.Conv2d)]
    try:
        with torch.no_grad():
            network(torch.zeros(1, 3, size, size))
    finally:
        for handle in handles:
            handle.remove()
    return total
