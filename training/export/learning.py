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

"""Learning what rounding to 7 and 8 bits costs back: weights, biases and steps of a QDQ model.

The quantised network learns to give what the float network gives, cycle by cycle, each cycle from
its own output before. No truth and no loss of the training is needed (distillation; Jacob et al.,
Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference, CVPR
2018, section 3, simulate the rounding in the same way).

The mean squared error alone favours an output that is smoother than the float network's: of detail
that rounding has made unpredictable, the mean of all that it could be is nearest. So the energy of
fine detail is held, too (docs/hardware.md has figures of both).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from training.export.fp32 import unit_range
from training.export.qdq_network import QdqNetwork


@dataclass(frozen=True)
class Learning:
    """Settings of the learning.

    Attributes:
        steps: Number of steps; 0 leaves the model as it was calibrated.
        faces: Number of training faces that are drawn from.
        batch: Faces of one step.
        layers: Number of the last convolutions that learn, with the activations before them; the
            ones before stay as calibrated. 0: all.
        weight_rate: Learning rate of Adam for weights, in steps of their channel.
        bias_rate: Learning rate for biases, in units of the activation.
        step_rate: Learning rate for the natural logarithms of the activations' steps.
        energy: Weight of the squared logarithm of the ratio between the energies of fine detail,
            see `energy_error`, beside the mean squared error of values in 0..1.
        seed: Seed of the choice of faces.

    """

    steps: int = 150
    faces: int = 400
    batch: int = 2
    layers: int = 0
    weight_rate: float = 0.03
    bias_rate: float = 2e-4
    step_rate: float = 2e-3
    energy: float = 3e-4
    seed: int = 12


#: Steps in which the rates rise, and the share of them that is left at the end.
WARM_UP, LAST_RATE = 10, 0.02
#: Energy of detail that is added to both sides of a ratio: that of half a level of a byte.
LEAST_ENERGY = (0.5 / 255.0) ** 2


def learn(
    model: onnx.ModelProto,
    float_model: Path,
    chains: NDArray[np.uint8],
    settings: Learning,
) -> None:
    """Let a quantised model learn to give what the float model gives, in place.

    Args:
        model: QDQ graph between float32 planes, see `QdqNetwork`.
        float_model: Path of the model that was quantised.
        chains: Outputs of the float model, as `quantise.chains_of` returns them.
        settings: Settings of the learning.

    Raises:
        ValueError: The model has an operator that `QdqNetwork` cannot simulate.

    """
    network = QdqNetwork(model, onnx.load(str(float_model)))
    network.hold_all_but(settings.layers)
    groups = (
        (network.weights, settings.weight_rate),
        (network.biases, settings.bias_rate),
        (network.steps, settings.step_rate),
    )
    optimiser = torch.optim.Adam(
        [{'params': list(values.values()), 'lr': 0.0} for values, _ in groups], betas=(0.9, 0.99)
    )
    rng = np.random.default_rng(settings.seed)
    bar = tqdm(range(settings.steps), desc='learning', unit='step')
    smoothed: list[float] = []
    for step in bar:
        for group, (_, rate) in zip(optimiser.param_groups, groups):
            group['lr'] = rate * _share(step, settings.steps)
        chosen = rng.choice(len(chains), settings.batch, replace=False)
        chain = torch.from_numpy(unit_range(chains[chosen]))
        optimiser.zero_grad()
        errors = _accumulate(network, chain, settings.energy)
        optimiser.step()
        smoothed = [0.9 * a + 0.1 * b for a, b in zip(smoothed or errors, errors)]
        bar.set_postfix_str(', '.join(f'{-10 * math.log10(e):.2f} dB' for e in smoothed))
    network.write(model)


def _share(step: int, steps: int) -> float:
    """Share of the learning rate at a step: a rise, then half a cosine."""
    decay = LAST_RATE + (1.0 - LAST_RATE) * 0.5 * (1.0 + math.cos(math.pi * step / steps))
    return min(1.0, (step + 1) / WARM_UP) * decay


def energy_error(output: Tensor, target: Tensor) -> Tensor:
    """Return how far the energies of fine detail are from those of a target.

    Args:
        output: (B, C, H, W) pictures in 0..1.
        target: The same shape.

    Returns:
        Scalar tensor, 0 or more: the squared natural logarithm of the ratio between the energies
        of the two finest bands, of about one and two pixels, in the mean over pictures and bands.

    """
    return (_detail_energies(output) / _detail_energies(target)).log().square().mean()


def _detail_energies(pictures: Tensor) -> Tensor:
    """(2, B) mean squares of the two finest bands of (B, C, H, W) pictures, plus `LEAST_ENERGY`."""
    energies = []
    for _ in range(2):
        softer = F.avg_pool2d(pictures, 3, 1, 1, count_include_pad=False)
        energies.append((pictures - softer).square().mean(dim=(1, 2, 3)))
        pictures = softer
    return torch.stack(energies) + LEAST_ENERGY


def _accumulate(network: QdqNetwork, chain: Tensor, energy: float) -> list[float]:
    """Add the gradients of all cycles; return each cycle's mean squared error."""
    current, errors = chain[:, 0], []
    for cycle in range(1, chain.shape[1]):
        output = network(current)
        error = (output - chain[:, cycle]).square().mean()
        (error + energy * energy_error(output, chain[:, cycle])).backward()
        errors.append(error.item())
        # Each cycle learns for itself: through the rounding of a whole cycle gradients are noise.
        current = output.detach()
    return errors
