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

"""Hands before a face: palm, fingers and arm as rounded shapes, in the face's own skin colour."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training.data.crops import SIZE

#: Cheeks in the crop, from which the skin's colour is taken: rows and columns, pixels.
_CHEEKS = ((145, 165), (80, 176))


@dataclass(frozen=True)
class Hand:
    """A hand, or something else of its size.

    Attributes:
        bones: Of each part: start x and y, end x and y, radius at the start and at the end, in
            pixels of the crop. The first is the arm, the second the palm, the rest are fingers.
        tint: Gains of red, green and blue against the face's skin, or the colour itself, 0..1, for
            an object.
        skin: Whether it is skin; otherwise an object, a sleeve or a telephone.
        light: Direction the light comes from, radians.
        shade: Share of light that is missing at the edge that is turned away, 0..1.
        soft: Width of the outline's transition in pixels.

    """

    bones: tuple[tuple[float, ...], ...]
    tint: tuple[float, float, float]
    skin: bool
    light: float
    shade: float
    soft: float


def draw_hand(rng: np.random.Generator) -> Hand:
    """Draw a hand that reaches into the crop from below or from a side."""
    # The palm's place and the direction in which the fingers point, 0 to the right.
    side = rng.uniform(0.12, 0.88) * math.pi
    reach = rng.uniform(62.0, 125.0)
    x = SIZE / 2 + reach * math.cos(side)
    y = SIZE * 0.52 + reach * 0.95 * math.sin(side)
    pointing = math.atan2(SIZE * 0.5 - y, SIZE * 0.5 - x) + rng.normal(0.0, 0.5)
    size = rng.uniform(0.75, 1.25)
    skin = bool(rng.random() < 0.75)
    forward = np.array([math.cos(pointing), math.sin(pointing)])
    sideways = np.array([-forward[1], forward[0]])
    palm = np.array([x, y])
    wrist = palm - forward * 46.0 * size
    far = wrist - forward * 150.0 + rng.normal(0.0, 25.0, 2)
    bones = [
        (*far, *wrist, 30.0 * size, 19.0 * size),
        (*wrist, *(palm + forward * 8.0 * size), 21.0 * size, 25.0 * size),
    ]
    fist = rng.random() < 0.25
    spread = rng.uniform(0.03, 0.25)
    for finger in range(4):
        place = finger - 1.5
        length = (26.0, 33.0, 32.0, 24.0)[finger] * size * (0.25 if fist else rng.uniform(0.7, 1.2))
        base = palm + forward * 22.0 * size + sideways * place * 11.5 * size
        bones.append(_finger(rng, base, pointing + place * spread, length, 6.3 * size))
    # The thumb, on either side.
    hand_side = 1.0 if rng.random() < 0.5 else -1.0
    base = palm + sideways * hand_side * 20.0 * size - forward * 8.0 * size
    turned = pointing + hand_side * rng.uniform(0.4, 1.1)
    bones.append(_finger(rng, base, turned, 28.0 * size, 7.5 * size))
    if skin:
        tint = tuple(float(v) for v in np.exp(rng.normal(0.0, 0.05, 3) + rng.normal(0.0, 0.1)))
    else:
        tint = tuple(float(v) for v in rng.uniform(0.03, 0.85) * rng.uniform(0.6, 1.0, 3))
    return Hand(
        bones=tuple(tuple(float(v) for v in bone) for bone in bones),
        tint=(tint[0], tint[1], tint[2]),
        skin=skin,
        light=rng.uniform(-math.pi, 0.0),
        shade=rng.uniform(0.2, 0.6),
        soft=rng.uniform(0.8, 3.0),
    )


def _finger(
    rng: np.random.Generator, base: np.ndarray, angle: float, length: float, radius: float
) -> tuple[float, ...]:
    angle = angle + rng.normal(0.0, 0.08)
    tip = base + length * 1.7 * np.array([math.cos(angle), math.sin(angle)])
    return (*base, *tip, radius * 1.1, radius * 0.8)


def lay_hand(face: Tensor, hand: Hand, left: float, top: float) -> Tensor:
    """Draw a hand over a face.

    Args:
        face: (3, S, S) RGB in 0..1.
        hand: Hand, in pixels of the 256 px crop.
        left: Column of the window's left edge in the crop.
        top: Row of the window's upper edge in the crop.

    Returns:
        The same shape and range.

    """
    side = face.shape[-1]
    axis = torch.arange(side, device=face.device, dtype=torch.float32)
    x, y = (axis + left).view(1, 1, -1), (axis + top).view(1, -1, 1)
    table = torch.tensor(hand.bones, dtype=torch.float32).to(face.device)
    ax, ay, bx, by, start, end = (column.view(-1, 1, 1) for column in table.unbind(1))
    dx, dy = bx - ax, by - ay
    squared = dx * dx + dy * dy
    share = (((x - ax) * dx + (y - ay) * dy) / squared).clamp(0.0, 1.0)
    off_x, off_y = x - ax - share * dx, y - ay - share * dy
    radius = start + share * (end - start)
    depth = 1.0 - (off_x.square() + off_y.square()).sqrt() / radius
    # Each part is round like a cylinder: how far a place is off its axis tells where it faces.
    facing = (off_x * math.cos(hand.light) + off_y * math.sin(hand.light)) / radius
    # Fingers lie before the palm, the palm before the arm; edges between them stay visible.
    inside = torch.sigmoid(depth * radius * 4.0 / hand.soft)
    colour = _colour(face, hand)
    drawn = face
    for part in range(len(hand.bones)):
        brightness = 1.0 + hand.shade * 0.5 * facing[part : part + 1].clamp(-1.0, 1.0)
        brightness = brightness - hand.shade * 0.6 * (1.0 - depth[part : part + 1]).clamp(0, 1) ** 4
        here = inside[part : part + 1]
        # Beside its outline a part takes some light from what is behind it.
        near = torch.sigmoid((depth[part : part + 1] * radius[part : part + 1] + 5.0) / 2.0)
        drawn = drawn * (1.0 - 0.35 * hand.shade * near)
        drawn = drawn * (1.0 - here) + (colour * brightness).clamp(0.0, 1.0) * here
    return drawn.clamp(0.0, 1.0)


def _colour(face: Tensor, hand: Hand) -> Tensor:
    tint = torch.tensor(hand.tint, device=face.device).view(3, 1, 1)
    if not hand.skin:
        return tint
    (top, bottom), (left, right) = _CHEEKS
    scale = face.shape[-1] / SIZE
    rows = slice(int(top * scale), int(bottom * scale))
    columns = slice(int(left * scale), int(right * scale))
    return face[:, rows, columns].mean(dim=(1, 2)).view(3, 1, 1) * tint
