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

"""CFRNet with more input channels: its own last output, and where how many frames count."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from training.export.shipped import read_network
from training.networks.config import NetworkConfig
from training.networks.encoder_decoder import CFRNet
from training.run.checkpoint import CHECKPOINT, save_atomically

#: What a network is given beside the fused crop: its last output and the map of the newest frame's
#: weight, the map alone, or neither.
GIVEN = ('previous', 'map', 'nothing')

#: Channels of the last output and of the map.
_MORE = 4


class WideStem(nn.Conv2d):
    """The first convolution of CFRNet, and a second one for the further channels.

    Two convolutions and not one of seven channels, so that the first sums in the order in which the
    shipped network does.
    """

    def __init__(self, channels: int) -> None:
        """Make the layers; the weights of the further channels are zero.

        Args:
            channels: Number of output channels.

        """
        super().__init__(3, channels, 3, padding=1)
        self.memory = nn.Conv2d(_MORE, channels, 3, padding=1, bias=False)
        nn.init.zeros_(self.memory.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, 7, H, W) to (B, channels, H, W)."""
        now, more = x[:, :3].contiguous(), x[:, 3:].contiguous()
        return super().forward(now) + cast(Tensor, self.memory(more))


class RecurrentCFRNet(CFRNet):
    """CFRNet whose input is the output of `joined`."""

    def __init__(self, config: NetworkConfig | None = None) -> None:
        """Build the layers; the further channels have no effect yet."""
        super().__init__(config)
        self.stem = WideStem(self.config.widths[0])

    def unclipped(self, x: Tensor) -> Tensor:
        """Return the fused crop plus its correction; the input is (B, 7, H, W)."""
        return x[:, :3].float() + self.correction(x).float()


def joined(fused: Tensor, previous: Tensor, newest: Tensor, given: str) -> Tensor:
    """Join what the network reads.

    Args:
        fused: (B, 3, H, W) fused crops, RGB in 0..1.
        previous: (B, 3, H, W) last outputs, where the faces are now.
        newest: (B, 1, H, W) weight of the newest frame in the fused crop, 0..1.
        given: Name of what the network is given, one of `GIVEN`; the other channels are zero.

    Returns:
        (B, 7, H, W).

    Raises:
        ValueError: `given` is not one of `GIVEN`.

    """
    if given not in GIVEN:
        raise ValueError(f'a network can be given one of {", ".join(GIVEN)}, not {given!r}')
    if given != 'previous':
        previous = torch.zeros_like(previous)
    if given == 'nothing':
        newest = torch.zeros_like(newest)
    return torch.cat([fused, previous, newest], dim=1)


def recurrent_from(path: Path) -> RecurrentCFRNet:
    """Return a network that does what the network of a shipped FP32 file or of a run does.

    Raises:
        FileNotFoundError, ValueError: See `training.export.shipped.read_network`.
        ValueError: The file holds another layout than CFRNet's.

    """
    source = read_network(path)
    if not isinstance(source, CFRNet):
        raise ValueError(f"'{path}' holds a {type(source).__name__}; give a CFRNet")
    network = RecurrentCFRNet(source.config)
    missing, unexpected = network.load_state_dict(source.state_dict(), strict=False)
    assert missing == ['stem.memory.weight'], missing
    assert not unexpected, unexpected
    return network.eval()


def save(run: Path, network: RecurrentCFRNet, facts: dict[str, Any]) -> None:
    """Write the checkpoint of a run.

    Args:
        run: Folder of the run.
        network: Network.
        facts: Everything else that the checkpoint is to hold; plain values and tensors.

    """
    config = json.dumps({'network': asdict(network.config)})
    state = {**facts, 'config': config, 'recurrent': network.state_dict()}
    save_atomically(state, run / CHECKPOINT)


def read(run: Path) -> tuple[RecurrentCFRNet, dict[str, Any]]:
    """Return the network of a run and what else its checkpoint holds.

    Raises:
        FileNotFoundError: The run has no checkpoint.
        ValueError: The run is not one of this experiment.

    """
    path = run / CHECKPOINT
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no '{path}'; train it by python -m training.experiments.previous_output"
        )
    state: dict[str, Any] = torch.load(path, map_location='cpu', weights_only=True)
    if 'recurrent' not in state:
        raise ValueError(f"'{path}' was not written by training.experiments.previous_output")
    network = RecurrentCFRNet(NetworkConfig.read(json.loads(state['config'])['network']))
    network.load_state_dict(state['recurrent'])
    return network.eval(), state


def parameter_groups(
    network: RecurrentCFRNet, rate: float, memory_rate: float
) -> Sequence[dict[str, Any]]:
    """Return the parameters for an optimiser, those of the further channels with their own rate."""
    memory = list(cast(WideStem, network.stem).memory.parameters())
    own = {id(p) for p in memory}
    others = [p for p in network.parameters() if id(p) not in own]
    return [{'params': others, 'lr': rate}, {'params': memory, 'lr': memory_rate}]
