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

"""Fits the network to eyes of known openness."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from cfrnet_ros.vision.quality.eye_patches import PATCH_SIZE
from training.critics.eye_network import EyeNetwork
from training.eyes.samples import SPARE, EyeSamples

BATCH = 128
LEARNING_RATE = 3e-3

#: How far the alignment of a crop is off: shift in pixels, turn in radians and logarithm of the
#: scale, each the standard deviation.
_SHIFT, _TURN, _SCALE = 2.0, 0.05, 0.05


@dataclass(frozen=True)
class Errors:
    """Errors of the network on eyes that it was not trained on.

    Attributes:
        mean_abs: Mean absolute error of the openness, of an eye's width.
        bias: Mean error.
        spread: Standard deviation of the error divided by the predicted one: 1 if the network
            knows how sure it is.
        beyond_3: Share of errors above three predicted standard deviations.

    """

    mean_abs: float
    bias: float
    spread: float
    beyond_3: float


def fit(samples: EyeSamples, steps: int, seed: int, log_every: int = 500) -> EyeNetwork:
    """Fit a network by the likelihood of a normal distribution.

    Source of the loss: Nix and Weigend, "Estimating the mean and variance of the target
    probability distribution", ICNN 1994.

    Args:
        samples: Eyes to train on.
        steps: Number of steps of `BATCH` eyes.
        seed: Seed of weights, order and jitter.
        log_every: Number of steps between lines of the log.

    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = EyeNetwork()
    average = {name: value.clone() for name, value in network.state_dict().items()}
    optimiser = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps)
    strips = torch.from_numpy(samples.strips).reshape(-1, 1, *samples.strips.shape[2:])
    openness = torch.from_numpy(samples.openness).reshape(-1)
    started_s, total = time.monotonic(), 0.0
    for step in range(1, steps + 1):
        chosen = torch.from_numpy(rng.integers(len(strips), size=BATCH))
        patches = jittered(strips[chosen].float(), rng)
        found = network(patches)
        loss = _likelihood_loss(found, openness[chosen])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        total += float(loss.detach())
        keep = min(0.999, step / (step + 100))
        for name, value in network.state_dict().items():
            average[name].lerp_(value, 1 - keep)
        if step % log_every == 0:
            print(
                f'{step} {total / log_every:.3f} {time.monotonic() - started_s:.0f} s', flush=True
            )
            total = 0.0
    network.load_state_dict(average)
    return network.eval()


def _likelihood_loss(found: Tensor, openness: Tensor) -> Tensor:
    value, sigma = found[:, 0], found[:, 1]
    # An eye that the landmarks measured wrongly must not count for more than five deviations.
    error = F.huber_loss(value / sigma, openness / sigma, delta=5.0, reduction='none')
    return (error + sigma.log()).mean()


def jittered(strips: Tensor, rng: np.random.Generator | None) -> Tensor:
    """Cut patches out of strips, aligned as exactly as a detector's landmarks allow.

    Args:
        strips: (N, 1, H, W) luma around eyes, as `EyeSamples.strips`.
        rng: Random numbers of the jitter; None for none.

    Returns:
        (N, 1, 40, 56) luma.

    """
    count = len(strips)
    width, height = PATCH_SIZE
    if rng is None:
        return strips[:, :, SPARE : SPARE + height, SPARE : SPARE + width]
    angle = torch.from_numpy(rng.normal(0.0, _TURN, count)).float()
    scale = torch.from_numpy(np.exp(rng.normal(0.0, _SCALE, count))).float()
    shift = torch.from_numpy(rng.normal(0.0, _SHIFT, (count, 2))).float()
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    x = torch.arange(width).float() - (width - 1) / 2
    y = torch.arange(height).float() - (height - 1) / 2
    grid_y, grid_x = torch.meshgrid(y, x, indexing='ij')
    turned_x = cosine[:, None, None] * grid_x - sine[:, None, None] * grid_y
    turned_y = sine[:, None, None] * grid_x + cosine[:, None, None] * grid_y
    # grid_sample counts from -1 to 1 between the outer borders of the strip.
    grid = torch.stack(
        [
            (turned_x + shift[:, 0, None, None]) * 2 / strips.shape[3],
            (turned_y + shift[:, 1, None, None]) * 2 / strips.shape[2],
        ],
        dim=-1,
    )
    return F.grid_sample(strips, grid, padding_mode='border', align_corners=False)


@torch.no_grad()
def measure_errors(network: EyeNetwork, samples: EyeSamples, seed: int = 0) -> Errors:
    """Compare what the network measures in jittered samples with their openness."""
    strips = torch.from_numpy(samples.strips).reshape(-1, 1, *samples.strips.shape[2:]).float()
    rng = np.random.default_rng(seed)
    found = torch.cat([network(jittered(part, rng)) for part in strips.split(512)]).numpy()
    error = found[:, 0] - samples.openness.reshape(-1)
    scaled = error / found[:, 1]
    return Errors(
        float(np.abs(error).mean()),
        float(error.mean()),
        float(np.sqrt(np.mean(np.clip(scaled, -5, 5) ** 2))),
        float((np.abs(scaled) > 3).mean()),
    )
