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

"""What a low bit-rate H.264 or H.265 stream leaves of a face.

Not a bit stream but what happens to the pixels: a key picture, coded by itself, then the
picture in question, coded as its difference from the moved key picture. Both go through
cosine transforms of 4 or 8 px, whichever is cheapest for the macroblock in distortion
plus rate, and a quantiser with a dead zone whose step is 2^((QP - 4) / 6) (ITU-T H.264,
8.5; H.265 has the same); then the in-loop filter goes over the edges of the blocks.
`docs/degradations.md` says how near this comes to a real encoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from training.degradation.blocks import from_planes, to_planes
from training.degradation.coder import MACROBLOCK, Rates, code, neighbours, pack, unpack
from training.degradation.step import Extent, Step, check, straight_through

#: By how much finer a key picture is quantised than a predicted one (x264's ipratio, 1.4).
KEY_OFFSET = 3

#: By how much coarser the picture before is taken to be quantised than QP says, for all
#: that went wrong in the pictures between it and its key picture. Chosen, with the range of
#: the softness in `samplers`, to meet x264's figures.
DRIFT_OFFSET = 1

#: The furthest that a face is taken to have moved since the key picture, in pixels.
REACH = 16


@dataclass(frozen=True)
class Video(Step):
    """One picture of a compressed video.

    Attributes:
        qp: Quantisation parameter, 0..51.
        right: Movement to the right since the key picture, in pixels: even, at most `REACH`.
        down: Movement downwards since the key picture, in pixels: even, at most `REACH`.
        soft: Weight (0..0.2) of each neighbour in what is predicted: interpolation between pixels,
            in picture after picture, softens.
        key: Whether the picture is the key picture itself.

    """

    qp: int
    right: int = 0
    down: int = 0
    soft: float = 0.0
    key: bool = False
    cost: ClassVar[int] = 300
    kind: ClassVar[str] = 'video'
    label: ClassVar[str] = 'video'

    def __post_init__(self) -> None:
        """Check the parameters."""
        check(0 <= self.qp <= 51, f'QP must be 0..51, not {self.qp}')
        check(0 <= self.soft <= 0.2, f'softness must be 0..0.2, not {self.soft}')
        for shift in (self.right, self.down):
            check(
                abs(shift) <= REACH and shift % 2 == 0,
                f'a movement must be even and at most {REACH} px, not {shift}',
            )

    @classmethod
    def apply(cls, images: Tensor, steps: Sequence[Video], extents: Sequence[Extent]) -> Tensor:
        """See `Step.apply`; the gradient passes the coder as if it were not there."""
        height, width = images.shape[-2:]
        luma, colour = to_planes(images, 2 * MACROBLOCK)
        with torch.no_grad():
            coded_luma, coded_colour = _compress(luma, colour, steps)
        luma = straight_through(luma, coded_luma)
        colour = straight_through(colour, coded_colour)
        return from_planes(luma, colour, height, width)


def _compress(luma: Tensor, colour: Tensor, steps: Sequence[Video]) -> tuple[Tensor, Tensor]:
    """Code (n, 1, H, W) luminance and (n, 2, H/2, W/2) colour; H, W multiples of 32."""
    qps = [s.qp for s in steps]
    # A key picture is its own past: moved by nothing.
    shifts = [(0, 0) if s.key else (s.down, s.right) for s in steps]
    back = [(-down, -right) for down, right in shifts]
    height = luma.shape[2]

    first = Rates([_first_qp(s) for s in steps], True, luma)
    before_luma, before_colour = _shifted(luma, colour, shifts)
    guess = pack(neighbours(before_luma, first.luma), neighbours(before_colour, first.colour))
    key = code(pack(before_luma, before_colour), guess, first)
    guess = pack(*_shifted(*unpack(key, height), back))
    if all(s.key for s in steps):
        return unpack(guess, height)

    table = torch.tensor([(s.soft, s.key) for s in steps]).to(luma.device, non_blocking=True)
    soft, is_key = table[..., None, None, None].unbind(1)
    coded = code(pack(luma, colour), _softened(guess, soft), Rates(qps, False, luma))
    return unpack(torch.where(is_key > 0, guess, coded), height)


def _first_qp(step: Video) -> int:
    return max(0, step.qp - KEY_OFFSET) if step.key else min(51, step.qp + DRIFT_OFFSET)


def _shifted(
    luma: Tensor, colour: Tensor, shifts: Sequence[tuple[int, int]]
) -> tuple[Tensor, Tensor]:
    """Read each picture from somewhere else, its border repeated; even (down, right)."""
    moved = []
    for planes, reach, unit in ((luma, REACH, 1), (colour, REACH // 2, 2)):
        height, width = planes.shape[-2:]
        padded = F.pad(planes, (reach, reach, reach, reach), mode='replicate')
        parts = []
        for image, (down, right) in zip(padded.unbind(), shifts):
            top, left = reach + down // unit, reach + right // unit
            parts.append(image[:, top : top + height, left : left + width])
        moved.append(torch.stack(parts))
    return moved[0], moved[1]


def _softened(packed: Tensor, soft: Tensor) -> Tensor:
    """Mix every pixel with its four neighbours by a weight for each image."""
    padded = F.pad(packed, (1, 1, 1, 1), mode='replicate')
    around = padded[..., 1:-1, :-2] + padded[..., 1:-1, 2:]
    around += padded[..., :-2, 1:-1]
    around += padded[..., 2:, 1:-1]
    return packed + soft * (around - 4.0 * packed)
