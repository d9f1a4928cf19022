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

"""Light that should not be there, and light without colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from training.degradation.noise import normal_field
from training.degradation.step import Extent, Step, check, columns

#: Share of a pixel's way to white that glare covers at most.
MOST_LIGHT = 0.7

#: Cells a side of the picture that a windscreen mirrors: out of focus, it has a few soft
#: shapes over the width of a face.
_REFLECTION_CELLS = 6


@dataclass(frozen=True)
class Glare(Step):
    """Sunlight scattered and mirrored by a windscreen, laid over the face.

    Scatter gives an even veil, a broad glow around the light and, from smears and wiper
    scratches, streaks through it; the mirrored top of the dashboard gives a soft picture of
    its own. Under sun the mirrored part is about 60% of the veiling luminance and the
    scattered one 40% (Mefford and Flannagan, "Daytime veiling luminance from windshields",
    UMTRI-2003-36).

    Attributes:
        x: Horizontal place of the light as a share of the width; outside 0..1 too.
        y: Vertical place of the light as a share of the height; outside 0..1 too.
        radius: Radius of the glow as a share of the side.
        glow: Light at the centre of the glow, 0..1.
        veil: Light that is added evenly, 0..1.
        streak: Light in the middle of a streak, 0..1.
        streak_angle: Direction of the streaks, radians.
        streak_width: Standard deviation across a streak, as a share of the side.
        reflection: Light of the brightest part of the mirrored picture, 0..1.
        seed: Seed of the mirrored picture, 0..2^31 - 1.

    """

    x: float
    y: float
    radius: float
    glow: float
    veil: float = 0.0
    streak: float = 0.0
    streak_angle: float = 0.0
    streak_width: float = 0.02
    reflection: float = 0.0
    seed: int = 0
    colourless: ClassVar[bool] = True
    cost: ClassVar[int] = 60
    kind: ClassVar[str] = 'glare'
    label: ClassVar[str] = 'glare'

    def __post_init__(self) -> None:
        """Check the parameters."""
        check(
            min(self.radius, self.streak_width) > 0,
            f'sizes must be above 0: radius {self.radius}, streak width {self.streak_width}',
        )
        lights = (self.glow, self.veil, self.streak, self.reflection)
        check(min(lights) >= 0 and max(lights) <= 1, f'light must be 0..1, not {lights}')

    @property
    def row(self) -> tuple[float, ...]:
        """Return all numbers but the seed, in the order of the attributes."""
        values = (self.x, self.y, self.radius, self.glow, self.veil, self.streak)
        return (*values, self.streak_angle, self.streak_width, self.reflection)

    @classmethod
    def apply(cls, images: Tensor, steps: Sequence[Glare], extents: Sequence[Extent]) -> Tensor:
        """See `Step.apply`."""
        with torch.no_grad():
            light = glare_light(images, steps, extents)
        # Screen blending: light adds, but a bright pixel cannot pass white.
        return 1.0 - (1.0 - images) * (1.0 - light)


def glare_light(images: Tensor, steps: Sequence[Glare], extents: Sequence[Extent]) -> Tensor:
    """Return the light that glare lays over images: (n, 1, H, W), 0..`MOST_LIGHT`."""
    height, width = images.shape[-2:]
    x, y, radius, glow, veil, streak, angle, thick, mirrored, h, w = columns(
        [(*s.row, *extent) for s, extent in zip(steps, extents)], images
    )
    across = torch.arange(width, device=images.device, dtype=torch.float32).view(1, 1, 1, -1)
    down = torch.arange(height, device=images.device, dtype=torch.float32).view(1, 1, -1, 1)
    right, below = across / (w - 1.0) - x, down / (h - 1.0) - y
    distance = right * right + below * below
    light = veil + glow * torch.exp(distance / (-2.0 * radius * radius))
    if any(s.streak > 0 for s in steps):
        off = angle.cos() * below - angle.sin() * right
        # The main streak, and a weaker one crossing it at a small angle.
        second = (angle + 0.35).cos() * below - (angle + 0.35).sin() * right
        lines = torch.exp((off / thick).square() * -0.5)
        lines = lines + 0.5 * torch.exp((second / (0.6 * thick)).square() * -0.5)
        # Scattered light fades with the distance from its source.
        light = light + streak * lines / (1.0 + 4.0 * distance)
    if any(s.reflection > 0 for s in steps):
        cells = normal_field(steps, images, 0, 0, _REFLECTION_CELLS, _REFLECTION_CELLS)[:, :1]
        picture = F.interpolate(cells, size=(height, width), mode='bicubic', align_corners=True)
        light = light + mirrored * torch.sigmoid(2.5 * picture)
    return light.clamp_(max=MOST_LIGHT)


def grey(images: Tensor, weights: Tensor) -> Tensor:
    """Mix the channels by weights and repeat the result three times.

    Args:
        images: (n, 3, H, W).
        weights: (n, 3).

    Returns:
        (n, 3, H, W).

    """
    mix = weights.view(-1, 3, 1, 1)
    return (images * mix).sum(dim=1, keepdim=True).expand(-1, 3, -1, -1)


@dataclass(frozen=True)
class Grey(Step):
    """One channel instead of three: nothing of a face's colour is left, as in infrared.

    Attributes:
        weights: Weights of red, green and blue.

    """

    weights: tuple[float, float, float]
    kind: ClassVar[str] = 'grey'
    label: ClassVar[str] = 'infrared'

    @classmethod
    def apply(cls, images: Tensor, steps: Sequence[Grey], extents: Sequence[Extent]) -> Tensor:
        """See `Step.apply`."""
        return grey(images, torch.cat(columns([s.weights for s in steps], images), dim=1))


@dataclass(frozen=True)
class Mono(Grey):
    """Keeps a later step's colour out of a grey picture; the luminance of BT.601."""

    weights: tuple[float, float, float] = (0.299, 0.587, 0.114)
    label: ClassVar[str] = 'mono'
