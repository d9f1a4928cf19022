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

"""Crops that were averaged over frames before they are restored, as the node's fusion makes them.

The node averages the aligned crops of a track where nothing moved, and lets the newest crop through
where something did. What comes out has noise of a strength that changes over the face, with soft
transitions, and is slightly blurred where the crops were not aligned exactly. Here the same face is
degraded several times by the same plan, each time with noise of its own and moved by a few pixels,
moved back, and averaged with a smooth map of how many frames count in which place.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from training.degradation.colour import ColourBlotches
from training.degradation.noise import LowLight, Noise, normal_field
from training.degradation.step import Extent, Step, check, columns

#: Cells a side of the map of moving parts: an eye, a mouth and a hand are one to three of them.
_CELLS = 7

#: Width in pixels of the border in which the newest frame alone counts: moved crops have mirrored
#: pixels there.
_BORDER = 8

#: Largest movement between frames in pixels; two blocks of JPEG on a face of half the crop's size.
_MOST_MOVED = 7


@dataclass(frozen=True)
class Fusion:
    """How many frames are averaged, and where.

    Attributes:
        frames: Number of frames N.
        moving: Share of the face in which the newest frame alone counts, above 0 and below 1.
        softness: Width of the transition between moving and still parts, in standard deviations
            of the map, above 0.
        misaligned: Standard deviation of the error of alignment along each axis, in pixels.
        seed: Seed of the map, of the movements and of the frames' noise, 0..2^31 - 1.

    Raises:
        ValueError: A number is out of its range.

    """

    frames: int
    moving: float
    softness: float
    misaligned: float
    seed: int
    colourless: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check the parameters."""
        check(1 <= self.frames <= 64, f'1..64 frames can be fused, not {self.frames}')
        check(0 < self.moving < 1, f'the moving share must be in (0, 1), not {self.moving}')
        check(self.softness > 0, f'the softness must be above 0, not {self.softness}')
        check(self.misaligned >= 0, f'an error of alignment is not below 0: {self.misaligned}')
        check(0 <= self.seed < 2**31, f'a seed is 0..2^31 - 1, not {self.seed}')


@dataclass(frozen=True)
class Shift(Step):
    """A movement of the face in the picture, sampled bilinearly; borders are mirrored.

    Attributes:
        right: Pixels to the right.
        down: Pixels downwards.

    """

    right: float
    down: float
    kind: ClassVar[str] = 'shift'
    cost: ClassVar[int] = 10
    label: ClassVar[str] = 'shift'

    @classmethod
    def apply(cls, images: Tensor, steps: Sequence[Shift], extents: Sequence[Extent]) -> Tensor:
        """See `Step.apply`."""
        height, width = images.shape[-2:]
        right, down = columns([(s.right, s.down) for s in steps], images)
        across = torch.arange(width, device=images.device, dtype=torch.float32)
        below = torch.arange(height, device=images.device, dtype=torch.float32)
        x = (across - right.view(-1, 1, 1)).expand(-1, height, -1) * (2.0 / (width - 1)) - 1.0
        y = (below[:, None] - down.view(-1, 1, 1)).expand(-1, -1, width) * (2.0 / (height - 1)) - 1
        grid = torch.stack([x, y], dim=-1)
        return F.grid_sample(images, grid, padding_mode='reflection', align_corners=True)


def frame_steps(steps: Sequence[Step], fusion: Fusion) -> list[tuple[Step, ...]]:
    """Return the steps of every frame, the newest first, which is degraded as it would be alone.

    Args:
        steps: Steps of the plan.
        fusion: Fusion of the plan.

    Returns:
        For each of the N frames its steps: those of the plan with noise of its own, between a
        movement and its reversal but for the error of alignment.

    """
    rng = np.random.default_rng((fusion.seed, fusion.frames))
    frames = [tuple(steps)]
    for _ in range(fusion.frames - 1):
        # Whole pixels are moved exactly. Blocks and sensor pixels then fall elsewhere on the face.
        right, down = (float(v) for v in rng.integers(-_MOST_MOVED, _MOST_MOVED + 1, 2))
        off_right, off_down = (float(v) for v in rng.normal(0.0, 1.0, 2) * fusion.misaligned)
        noisy = [
            dataclasses.replace(step, seed=int(rng.integers(2**31)))
            if isinstance(step, (Noise, LowLight, ColourBlotches))
            else step
            for step in steps
        ]
        moved = Shift(right + off_right, down + off_down)
        frames.append((moved, *noisy, Shift(-right, -down)))
    return frames


def effective_frames(fusions: Sequence[Fusion], like: Tensor) -> Tensor:
    """Return the maps of how many frames count in which place.

    Args:
        fusions: The n fusions.
        like: (..., H, W) tensor whose size and device the maps have.

    Returns:
        (n, 1, H, W), 1..N: 1 where something moved and at the border, near N elsewhere.

    """
    height, width = like.shape[-2:]
    # A second field varies how long a still part has been still.
    cells = normal_field(fusions, like, 0, 0, 2 * _CELLS, _CELLS)[:, :1]
    movement, age = (
        F.interpolate(field, size=(height, width), mode='bicubic', align_corners=True)
        for field in (cells[:, :, :_CELLS], cells[:, :, _CELLS:])
    )
    threshold, softness, most = columns(
        [(NormalDist().inv_cdf(1.0 - f.moving), f.softness, float(f.frames)) for f in fusions],
        like,
    )
    still = torch.sigmoid((threshold - movement) * 4.0 / softness)
    aged = torch.sigmoid(age + 1.5)
    return 1.0 + (most - 1.0) * still * aged * _inside(height, width, like.device)


def _inside(height: int, width: int, device: torch.device) -> Tensor:
    """Return (H, W): 0 at the border, 1 from twice `_BORDER` on."""
    rows, columns_ = (
        torch.minimum(torch.arange(n, device=device), n - 1 - torch.arange(n, device=device))
        for n in (height, width)
    )
    nearest = torch.minimum(rows[:, None], columns_)
    return ((nearest.float() - _BORDER) / _BORDER).clamp(0.0, 1.0)


def fuse(frames: Tensor, fusions: Sequence[Fusion]) -> Tensor:
    """Average the frames of several faces.

    With a count c of frames, the newest floor(c) ones weigh 1 / c each, and the next the rest, so
    that the variance of independent noise falls to 1 / c of what it was, or slightly more.

    Args:
        frames: (M, 3, H, W), those of the first face from the newest on, then of the second...
        fusions: The n fusions, whose numbers of frames add up to M.

    Returns:
        (n, 3, H, W).

    """
    count = effective_frames(fusions, frames)
    owners = [i for i, fusion in enumerate(fusions) for _ in range(fusion.frames)]
    ages = [age for fusion in fusions for age in range(fusion.frames)]
    owner = torch.tensor(owners).to(frames.device, non_blocking=True)
    age = torch.tensor(ages, dtype=torch.float32).to(frames.device, non_blocking=True)
    of_frame = count[owner]
    weights = (of_frame - age.view(-1, 1, 1, 1)).clamp(0.0, 1.0) / of_frame
    fused = torch.zeros(len(fusions), *frames.shape[1:], device=frames.device)
    return fused.index_add(0, owner, frames * weights)


def draw_fusion(rng: np.random.Generator) -> Fusion:
    """Draw how many of at most 12 frames are fused, and where."""
    return Fusion(
        frames=round(math.exp(rng.uniform(math.log(1.5), math.log(12.0)))),
        moving=float(rng.beta(1.0, 3.0) * 0.9 + 0.02),
        softness=math.exp(rng.uniform(math.log(0.3), math.log(2.5))),
        misaligned=float(abs(rng.normal(0.0, 0.25))),
        seed=int(rng.integers(2**31)),
    )
