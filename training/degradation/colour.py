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

"""What little light does to colours: a wrong white balance, cut shadows and blotches.

At night a camera has little to measure white by, mixes its channels to hide their noise, takes a
little too much as its black level, and its codec keeps of the noise of the colours what is coarse:
blotches that, brightened, give a face eyes of two colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from training.degradation.noise import GAMMA, normal_field
from training.degradation.step import Extent, Step, check, columns

#: Largest number of blotches a side.
_MOST_CELLS = 64

#: Weights of BT.601's luma.
_LUMA = (0.299, 0.587, 0.114)


def _luma(images: Tensor) -> Tensor:
    weights = torch.tensor(_LUMA, device=images.device).view(1, 3, 1, 1)
    return (images * weights).sum(dim=1, keepdim=True)


@dataclass(frozen=True)
class ColourCast(Step):
    """Washed-out colours and a white balance that is off, in linear light.

    Attributes:
        saturation: Share 0..1 of the colour that is left; the rest is the mean of the channels.
        red: Gain of red, above 0.
        green: Gain of green, above 0.
        blue: Gain of blue, above 0.

    """

    saturation: float
    red: float
    green: float
    blue: float
    kind: ClassVar[str] = 'cast'
    label: ClassVar[str] = 'cast'

    def __post_init__(self) -> None:
        """Check the parameters."""
        check(0 <= self.saturation <= 1, f'saturation must be 0..1, not {self.saturation}')
        gains = (self.red, self.green, self.blue)
        check(min(gains) > 0, f'gains of the channels must be above 0, not {gains}')

    @classmethod
    def apply(
        cls, images: Tensor, steps: Sequence[ColourCast], extents: Sequence[Extent]
    ) -> Tensor:
        """See `Step.apply`."""
        saturation, red, green, blue = columns(
            [(s.saturation, s.red, s.green, s.blue) for s in steps], images
        )
        linear = images.clamp(1e-4, 1.0).pow(GAMMA)
        mixed = saturation * linear + (1.0 - saturation) * linear.mean(dim=1, keepdim=True)
        gained = mixed * torch.cat([red, green, blue], dim=1)
        return gained.clamp(1e-4, 1.0).pow(1.0 / GAMMA)


@dataclass(frozen=True)
class CutShadows(Step):
    """A black level that is too high: what is darker becomes black.

    Attributes:
        black: Encoded value, 0..0.5, that becomes 0; white stays where it is.

    """

    black: float
    kind: ClassVar[str] = 'shadows'
    cost: ClassVar[int] = 5
    label: ClassVar[str] = 'shadows'

    def __post_init__(self) -> None:
        """Check the level."""
        check(0 <= self.black <= 0.5, f'the black level must be 0..0.5, not {self.black}')

    @classmethod
    def apply(
        cls, images: Tensor, steps: Sequence[CutShadows], extents: Sequence[Extent]
    ) -> Tensor:
        """See `Step.apply`."""
        (black,) = columns([(s.black,) for s in steps], images)
        return ((images - black) / (1.0 - black)).clamp(0.0, 1.0)


@dataclass(frozen=True)
class ColourBlotches(Step):
    """Coarse noise of the colours, without noise of the luma.

    Attributes:
        sigma: Standard deviation of the noise that is laid over each channel before its luma is
            taken out of it, on a scale of 0..1.
        cells: Number of blotches a side of the face, 2..64.
        seed: Seed of the realisation, 0..2^31 - 1.

    """

    sigma: float
    cells: int
    seed: int
    colourless: ClassVar[bool] = False
    kind: ClassVar[str] = 'blotches'
    label: ClassVar[str] = 'blotches'

    def __post_init__(self) -> None:
        """Check the parameters."""
        check(self.sigma >= 0, f'the noise needs a sigma of at least 0, not {self.sigma}')
        check(
            2 <= self.cells <= _MOST_CELLS,
            f'2..{_MOST_CELLS} blotches a side can be drawn, not {self.cells}',
        )
        check(0 <= self.seed < 2**31, f'a seed is 0..2^31 - 1, not {self.seed}')

    @classmethod
    def apply(
        cls, images: Tensor, steps: Sequence[ColourBlotches], extents: Sequence[Extent]
    ) -> Tensor:
        """See `Step.apply`."""
        with torch.no_grad():
            noise = _blotches(images, steps, extents)
        return (images + noise).clamp(0.0, 1.0)


def _blotches(images: Tensor, steps: Sequence[ColourBlotches], extents: Sequence[Extent]) -> Tensor:
    height, width = images.shape[-2:]
    # One cell around, for what the cubic interpolation reads. The size is the same for any group of
    # faces: the coordinates are rounded alike then, and a face gets the same noise in each.
    cells = normal_field(steps, images, 0, 0, _MOST_CELLS + 2, _MOST_CELLS + 2)
    sigma, count, h, w = columns(
        [(s.sigma, float(s.cells), *extent) for s, extent in zip(steps, extents)], images
    )
    # A face takes the corner of the field that has its number of cells, over its own extent.
    scale = 2.0 / (_MOST_CELLS + 1)
    wide = (count - 1.0).view(-1, 1, 1)
    across = torch.arange(width, device=images.device, dtype=torch.float32)
    down = torch.arange(height, device=images.device, dtype=torch.float32)
    x = (1.0 + (across / (w.view(-1, 1, 1) - 1.0)).clamp(max=1.0) * wide) * scale - 1.0
    y = (1.0 + (down[:, None] / (h.view(-1, 1, 1) - 1.0)).clamp(max=1.0) * wide) * scale - 1.0
    grid = torch.stack([x.expand(-1, height, -1), y.expand(-1, -1, width)], dim=-1)
    field = F.grid_sample(cells, grid, mode='bicubic', align_corners=True)
    return (field - _luma(field)) * sigma
