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

"""What a studio never shows, drawn into a face: a turned head, cast shadows, reflections, hands.

All of it belongs to the scene, so it is in the truth as well: a restorer is to keep it. Everything
is computed for a batch on the faces' device, in pixels of the 256 px crop, from which a window may
have been cut.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cfrnet_ros.vision.preprocessing.align import DEFAULT_TEMPLATE
from training.data.augmentation import Augmentation
from training.data.crops import SIZE
from training.data.hands import Hand, draw_hand, lay_hand

#: Places of the eyes in the crop, pixels.
_EYES = DEFAULT_TEMPLATE[:2] * SIZE - 0.5

#: Display gamma between encoded values and light.
_GAMMA = 2.2


@dataclass(frozen=True)
class Scene:
    """What is drawn into one face.

    Attributes:
        shadow: Direction of the shadow's edge in radians, its distance from the middle, the width
            of its transition, the height and the length of the edge's waves in pixels, the phase of
            the waves in radians, the share of light it takes and how much bluer it is; or None.
        glints: Of each reflection: centre x and y, half length, half width, angle in radians and
            light 0..1.
        hand: Hand before the face, or None.

    """

    shadow: tuple[float, ...] | None = None
    glints: tuple[tuple[float, ...], ...] = ()
    hand: Hand | None = None


def draw_scene(rng: np.random.Generator, chances: Augmentation) -> Scene:
    """Draw what is put into one face.

    Args:
        rng: Source of randomness.
        chances: Share of each kind; kinds whose share is 0 draw nothing from `rng`.

    """
    shadow = glints = hand = None
    if chances.shadow > 0 and rng.random() < chances.shadow:
        shadow = _draw_shadow(rng)
    if chances.glint > 0 and rng.random() < chances.glint:
        glints = _draw_glints(rng)
    if chances.hand > 0 and rng.random() < chances.hand:
        hand = draw_hand(rng)
    return Scene(shadow, glints or (), hand)


def _draw_shadow(rng: np.random.Generator) -> tuple[float, ...]:
    return (
        rng.uniform(0.0, 2.0 * math.pi),
        rng.uniform(-70.0, 70.0),
        math.exp(rng.uniform(math.log(1.5), math.log(25.0))),
        rng.uniform(0.0, 14.0),
        rng.uniform(40.0, 160.0),
        rng.uniform(0.0, 2.0 * math.pi),
        rng.uniform(0.25, 0.75),
        rng.uniform(0.0, 0.15),
    )


def _draw_glints(rng: np.random.Generator) -> tuple[tuple[float, ...], ...]:
    # Both lenses mirror the same thing, so that its picture lies in the same place in both.
    offset = rng.normal(0.0, 1.0, 2) * (7.0, 5.0)
    length, angle = rng.uniform(4.0, 16.0), rng.normal(0.0, 0.5)
    width, light = length * rng.uniform(0.2, 0.8), rng.uniform(0.25, 0.95)
    sides = (0, 1) if rng.random() < 0.7 else (int(rng.integers(2)),)
    return tuple(
        (
            float(_EYES[side][0] + offset[0] + rng.normal(0.0, 1.5)),
            float(_EYES[side][1] + offset[1] + rng.normal(0.0, 1.0)),
            length,
            width,
            angle,
            light * rng.uniform(0.5, 1.0),
        )
        for side in sides
    )


def lay_scenes(faces: Tensor, scenes: list[Scene], places: NDArray[np.float64]) -> Tensor:
    """Draw the scenes into the faces.

    Args:
        faces: (B, 3, S, S) RGB in 0..1.
        scenes: Scene of each face.
        places: (B, 2) column and row of each window's corner in the 256 px crop.

    Returns:
        The same shape and range; the faces themselves where no scene holds anything.

    """
    faces = _lay_shadows(faces, scenes, places)
    hands = [(i, scene.hand) for i, scene in enumerate(scenes) if scene.hand is not None]
    if hands:
        faces = faces.clone()
        for index, hand in hands:
            faces[index] = lay_hand(faces[index], hand, *places[index])
    return _lay_glints(faces, scenes, places)


def _axes(faces: Tensor, chosen: list[int], places: NDArray[np.float64]) -> tuple[Tensor, Tensor]:
    """Return crop coordinates of the chosen windows: (n, 1, 1, S) and (n, 1, S, 1)."""
    axis = torch.arange(faces.shape[-1], device=faces.device, dtype=torch.float32)
    corner = torch.from_numpy(places[chosen].astype(np.float32)).to(faces.device)
    return (
        corner[:, 0].view(-1, 1, 1, 1) + axis.view(1, 1, 1, -1),
        corner[:, 1].view(-1, 1, 1, 1) + axis.view(1, 1, -1, 1),
    )


def _numbers(rows: list[tuple[float, ...]], like: Tensor) -> list[Tensor]:
    table = torch.tensor(rows, dtype=torch.float32).to(like.device)
    return [column.view(-1, 1, 1, 1) for column in table.unbind(1)]


def _lay_shadows(faces: Tensor, scenes: list[Scene], places: NDArray[np.float64]) -> Tensor:
    rows = [(i, scene.shadow) for i, scene in enumerate(scenes) if scene.shadow is not None]
    if not rows:
        return faces
    chosen = [i for i, _ in rows]
    x, y = _axes(faces, chosen, places)
    angle, distance, soft, height, length, phase, taken, blue = _numbers(
        [shadow for _, shadow in rows], faces
    )
    x, y = x - SIZE / 2, y - SIZE / 2
    along = angle.cos() * y - angle.sin() * x
    across = angle.cos() * x + angle.sin() * y - distance
    across = across + height * torch.sin(along * (2.0 * math.pi / length) + phase)
    dark = taken * torch.sigmoid(across * 4.0 / soft)
    # The sky lights what the sun does not reach.
    tint = torch.tensor([1.0, 0.5, 0.0], device=faces.device).view(1, 3, 1, 1)
    light = 1.0 - dark * (1.0 + blue * tint).clamp(max=1.2)
    shaded = faces[chosen] * light.clamp(0.05, 1.0) ** (1.0 / _GAMMA)
    return faces.index_copy(0, torch.tensor(chosen, device=faces.device), shaded)


def _lay_glints(faces: Tensor, scenes: list[Scene], places: NDArray[np.float64]) -> Tensor:
    rows = [(i, glint) for i, scene in enumerate(scenes) for glint in scene.glints]
    if not rows:
        return faces
    chosen = [i for i, _ in rows]
    x, y = _axes(faces, chosen, places)
    centre_x, centre_y, length, width, angle, light = _numbers([g for _, g in rows], faces)
    along = angle.cos() * (x - centre_x) + angle.sin() * (y - centre_y)
    across = angle.cos() * (y - centre_y) - angle.sin() * (x - centre_x)
    # A rounded rectangle, as of a window, with an edge of about two pixels.
    outside = ((along / length).abs() ** 4 + (across / width).abs() ** 4) ** 0.25 - 1.0
    spot = light * torch.sigmoid(-outside * width * 2.0)
    total = torch.zeros(faces.shape[0], 1, *faces.shape[2:], device=faces.device)
    total.index_add_(0, torch.tensor(chosen, device=faces.device), spot)
    return 1.0 - (1.0 - faces) * (1.0 - total.clamp(max=1.0))
