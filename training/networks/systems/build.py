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

"""The network of each system, by its name."""

from __future__ import annotations

from torch import nn

from training.networks.build import build_network
from training.networks.config import LAYOUTS, NetworkConfig
from training.networks.parts import Restorer
from training.networks.systems.attentive import AttentiveCFRNet
from training.networks.systems.codeformer import CodeFormer
from training.networks.systems.facefusion import FaceFusion
from training.networks.systems.gfpgan import GFPGAN
from training.networks.systems.hifacegan import HiFaceGAN
from training.networks.systems.osdface import OSDFace

_SYSTEMS: dict[str, type[Restorer]] = {
    'hifacegan': HiFaceGAN,
    'gfpgan': GFPGAN,
    'codeformer': CodeFormer,
    'osdface': OSDFace,
    'facefusion': FaceFusion,
    'cfrnet_attention': AttentiveCFRNet,
}

#: Names of all networks: layouts of CFRNet, among them the plain CNN, and the other systems.
NETWORKS = (*LAYOUTS, *_SYSTEMS)


def build_system(name: str) -> Restorer:
    """Return a network with random weights from PyTorch's generator.

    Args:
        name: One of `NETWORKS`.

    Raises:
        ValueError: There is no network of that name.

    """
    if name in LAYOUTS:
        return build_network(NetworkConfig(layout=name))
    if name not in _SYSTEMS:
        raise ValueError(f'unknown network {name!r}; known are {", ".join(NETWORKS)}')
    return _SYSTEMS[name]()


def parts_of(network: nn.Module) -> dict[str, int]:
    """Return the number of parameters of each part of a network, by the part's name."""
    sizes = {
        name: sum(p.numel() for p in part.parameters()) for name, part in network.named_children()
    }
    own = sum(p.numel() for p in network.parameters(recurse=False))
    return {**sizes, **({'own': own} if own else {})}
