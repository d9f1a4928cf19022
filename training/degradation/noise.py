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

"""Camera noise whose every value follows from a seed and a place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from training.degradation.step import Extent, Step, check, columns

#: Display gamma that undoes the camera's encoding, as in most such models.
GAMMA = 2.2

#: The in-camera filter that correlates noise, and what it is multiplied by afterwards.
_GRAIN_SIGMA, _GRAIN_GAIN, _GRAIN_REACH = 0.7, 2.0, 3

# Places are numbered from (-_MARGIN, -_MARGIN) on, by odd steps without a pattern in their
# bits (those of the plastic number, Roberts, "The unreasonable effectiveness of quasirandom
# sequences", 2018), so that neighbours' numbers differ in many.
_MARGIN, _ROW, _COLUMN = 1024, 0xC13FA9A9, 0x91E10DA5


def _scramble(x: Tensor) -> Tensor:
    """Hash int32 in place: lowbias32 of Wellons' "Prospecting for hash functions", 2018.

    PyTorch shifts arithmetically, so the sign's copies are masked away.
    """
    x ^= (x >> 16) & 0xFFFF
    x *= 0x7FEB352D
    x ^= (x >> 15) & 0x1FFFF
    x *= -0x7B935975  # 0x846CA68B as a signed number
    x ^= (x >> 16) & 0xFFFF
    return x


@lru_cache(maxsize=64)
@torch.inference_mode(False)
def _counters(top: int, left: int, pairs: int, width: int, device: torch.device) -> Tensor:
    """Number pairs of pixels, one above the other, by their place: (pairs, width) int32."""
    row = torch.arange(pairs, device=device, dtype=torch.int64).view(-1, 1)
    column = torch.arange(width, device=device, dtype=torch.int64)
    first = (top + _MARGIN) // 2
    # Wraps as 32-bit arithmetic does.
    return ((row + first) * _ROW + (column + left + _MARGIN) * _COLUMN).to(torch.int32)


def normal_field(
    steps: Sequence[Seeded], like: Tensor, top: int, left: int, height: int, width: int
) -> Tensor:
    """Return standard normal noise, each value a function of seed, channel and place alone.

    A counter-based generator (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
    SC 2011): a generator with a state could not give a part of a batch, or a face within
    another batch or on a larger canvas, the noise it had before. Two pixels, one above the
    other, share a hash, of which the Box-Muller transform makes two normal numbers.

    Args:
        steps: The n steps that carry the seeds.
        like: Tensor on whose device the field is made.
        top: Row of the field at which to begin, at least -1024 and even.
        left: Column at which to begin, at least -1024.
        height: Height of the field in pixels.
        width: Width of the field in pixels.

    Returns:
        (n, 3, height, width) float32, |value| <= 4.9.

    """
    channels = [(0, 0, 0) if step.colourless else (0, 1, 2) for step in steps]
    seeds = torch.tensor([step.seed for step in steps], dtype=torch.int32)
    keys = _scramble(_scramble(seeds[:, None] + 0) + torch.tensor(channels, dtype=torch.int32))
    keys = keys.to(like.device, non_blocking=True)
    pairs = (height + 1) // 2
    bits = _scramble(keys[..., None, None] + _counters(top, left, pairs, width, like.device))
    # Sixteen bits each, taken in the middle of their interval: 0 has no logarithm.
    radius = ((bits >> 16) & 0xFFFF).float().add_(0.5).mul_(2.0**-16).log_().mul_(-2.0).sqrt_()
    angle = (bits & 0xFFFF).float().mul_(2.0**-15 * math.pi)
    field = torch.stack([radius * angle.cos(), radius.mul_(angle.sin_())], dim=3)
    return field.view(len(steps), 3, 2 * pairs, width)[:, :, :height]


def _correlated(fields: Tensor) -> Tensor:
    """Filter (n, C, H + 8, W + 8) fields, begun 4 px early, to (n, C, H, W)."""
    weights = [math.exp(-0.5 * (x / _GRAIN_SIGMA) ** 2) for x in range(_GRAIN_REACH + 1)]
    total = weights[0] + 2.0 * sum(weights[1:])
    for axis in (2, 3):
        size = fields.shape[axis] - 8
        # Sums of views: a one-channel convolution is far slower on a CPU.
        result = fields.narrow(axis, 4, size) * (weights[0] / total)
        for reach, weight in enumerate(weights[1:], start=1):
            pair = fields.narrow(axis, 4 - reach, size) + fields.narrow(axis, 4 + reach, size)
            result.add_(pair, alpha=weight / total)
        fields = result
    return fields.mul_(_GRAIN_GAIN)


class Seeded(Protocol):
    """What has a noise of its own."""

    @property
    def seed(self) -> int:
        """Of the realisation, 0..2^31 - 1."""

    @property
    def colourless(self) -> bool:
        """Whether it is the same in all channels."""


@dataclass(frozen=True)
class Noise(Step):
    """Gaussian noise on the encoded values.

    Attributes:
        sigma: Standard deviation on a scale of 0..1.
        seed: Seed of the realisation, 0..2^31 - 1.
        correlated: Whether the noise has been through the camera's own filters.
        colourless: Whether the noise is the same in all channels.

    """

    sigma: float
    seed: int
    correlated: bool = False
    colourless: bool = False
    kind: ClassVar[str] = 'noise'
    label: ClassVar[str] = 'noise'

    def __post_init__(self) -> None:
        """Check the parameters."""
        check(self.sigma >= 0, f'the noise needs a sigma of at least 0, not {self.sigma}')
        check(0 <= self.seed < 2**31, f'a seed is 0..2^31 - 1, not {self.seed}')

    @property
    def reach(self) -> int:
        """Correlated noise is filtered."""
        return _GRAIN_REACH if self.correlated else 0

    @classmethod
    def apply(cls, images: Tensor, steps: Sequence[Noise], extents: Sequence[Extent]) -> Tensor:
        """See `Step.apply`."""
        with torch.no_grad():
            noise = _noise(images, steps)
        return (images + noise).clamp(0.0, 1.0)


def _noise(images: Tensor, steps: Sequence[Noise]) -> Tensor:
    """Return the steps' noise for images, correlated noise apart from white."""
    height, width = images.shape[-2:]
    (sigma,) = columns([(s.sigma,) for s in steps], images)
    grainy = [s.correlated for s in steps]
    if not any(grainy):
        return normal_field(steps, images, 0, 0, height, width).mul_(sigma)
    wide = normal_field(steps, images, -4, -4, height + 8, width + 8)
    noise = _correlated(wide)
    if not all(grainy):
        chosen = torch.tensor(grainy).to(images.device, non_blocking=True).view(-1, 1, 1, 1)
        noise = torch.where(chosen, noise, wide[..., 4:-4, 4:-4])
    return noise.mul_(sigma)


@dataclass(frozen=True)
class LowLight(Step):
    """Less light, then the shot and read noise of a sensor: Foi et al., TIP 2008.

    Attributes:
        gain: Share (0..1] of the light that is left.
        shot: Variance of the photon noise for a unit of linear signal.
        read: Standard deviation of the linear read noise.
        seed: Seed of the realisation, 0..2^31 - 1.

    """

    gain: float
    shot: float
    read: float
    seed: int
    colourless: ClassVar[bool] = False
    kind: ClassVar[str] = 'low light'
    label: ClassVar[str] = 'low light'

    def __post_init__(self) -> None:
        """Check the parameters."""
        check(0 < self.gain <= 1, f'the share of light must be in (0, 1], not {self.gain}')
        check(
            self.shot >= 0 and self.read >= 0,
            f'noise cannot be negative: shot {self.shot}, read {self.read}',
        )
        check(0 <= self.seed < 2**31, f'a seed is 0..2^31 - 1, not {self.seed}')

    @classmethod
    def apply(cls, images: Tensor, steps: Sequence[LowLight], extents: Sequence[Extent]) -> Tensor:
        """See `Step.apply`."""
        gain, shot, read = columns([(s.gain, s.shot, s.read) for s in steps], images)
        linear = _power(images.clamp(1e-4, 1.0), GAMMA) * gain
        with torch.no_grad():
            noise = normal_field(steps, images, 0, 0, *images.shape[-2:])
            # The noise keeps its strength while gradients pass through the signal.
            noise *= (shot * linear + read * read).sqrt_()
        return _power((linear + noise).clamp(1e-4, 1.0), 1.0 / GAMMA)


def _power(values: Tensor, exponent: float) -> Tensor:
    """Raise values above 0 to a power; on a CPU in two thirds of the time of `pow`."""
    return (values.log() * exponent).exp()
