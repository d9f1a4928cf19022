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

"""How H.264 codes the difference of a picture from a prediction, for many at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from training.degradation.blocks import block_transform, dct_matrix, inverse_block_transform
from training.degradation.deblock import Edges, deblock, edge_limits

#: Side of a macroblock in pixels, and of the transforms that divide it.
MACROBLOCK, SIZES = 16, (4, 8)

#: Rounding of the quantiser for key and predicted pictures: those of the reference encoder
#: (JM) and, within a hundredth, of x264. A half would be plain rounding.
ROUND_KEY, ROUND_PREDICTED = 1.0 / 3.0, 1.0 / 6.0

#: Price of a bit in squared quantiser steps, from lambda = 0.85 * 2^((QP - 12) / 3)
#: (Sullivan and Wiegand, "Rate-distortion optimization for video compression", IEEE Signal
#: Processing Magazine 1998); a coefficient of level l is taken to cost 4 sqrt(l) bits.
_BIT, _BITS = 0.85 * 2.0 ** (-8.0 / 3.0), 4.0

# ITU-T H.264, table 8-15: QP of the colour planes from a luminance QP of 30 on.
_COLOUR_QP = (
    29, 30, 31, 32, 32, 33, 34, 34, 35, 35, 36, 36, 37, 37, 37, 38, 38, 38, 39, 39, 39, 39
)  # fmt: skip


def colour_qp(qp: int) -> int:
    """Return the QP of the colour planes that goes with a luminance QP of 0..51."""
    return qp if qp < 30 else _COLOUR_QP[qp - 30]


class Rates:
    """What a picture's QP decides, for each row of its packed planes.

    Attributes:
        key: Whether the picture is a key picture.
        luma: (n, 1, 1, 1) quantiser step of the luminance, in grey values.
        colour: (n, 1, 1, 1) quantiser step of the colour planes, in grey values.
        rows: (n, 1, 3 H / 2, 1) quantiser step of each row of the packed planes.
        limits: Limits of the in-loop filter for each row, three of (n, 3 H / 2, 1).

    """

    def __init__(self, qps: Sequence[int], key: bool, luma: Tensor) -> None:
        """Look up what belongs to each QP."""
        self.key = key
        rows = [
            (2.0 ** ((q - 4) / 6.0), *edge_limits(q, key))
            for qp in qps
            for q in (qp, colour_qp(qp))
        ]
        table = torch.tensor(rows).to(luma.device, non_blocking=True).view(len(qps), 2, 4)
        self.luma, self.colour = table[:, :, 0, None, None, None].unbind(1)
        height = luma.shape[2]
        spread = torch.cat(
            [
                table[:, :1].expand(-1, height, -1),
                table[:, 1:].expand(-1, height // 2, -1),
            ],
            dim=1,
        )
        self.rows = spread[:, None, :, :1]
        self.limits = spread[:, :, 1:].contiguous()

    def edges(self, here: Tensor, strong: Tensor | None, across: bool) -> Edges:
        """Attach the limits to edges between columns or (across) rows."""
        limits = self.limits[:, 4::4] if across else self.limits
        return Edges(here, strong, limits[..., 0:1], limits[..., 1:2], limits[..., 2:3])


def pack(luma: Tensor, colour: Tensor) -> Tensor:
    """Lay the colour planes side by side under the luminance: (n, 1, 3 H / 2, W).

    So each operation goes over all planes in one call. H and W are multiples of 32, so no
    macroblock lies in two planes.
    """
    n, _, height, width = colour.shape
    below = colour.transpose(1, 2).reshape(n, 1, height, 2 * width)
    return torch.cat([luma, below], dim=2)


def unpack(packed: Tensor, height: int) -> tuple[Tensor, Tensor]:
    """Undo `pack`."""
    n, _, rows, width = packed.shape
    below = packed[:, :, height:].reshape(n, rows - height, 2, width // 2)
    return packed[:, :, :height], below.transpose(1, 2)


def neighbours(planes: Tensor, step: Tensor) -> Tensor:
    """Predict a key picture's planes from their surroundings: a ramp between coded means.

    A real encoder extrapolates decoded neighbours, one block after the other; this leaves
    a difference of the same kind and can be had for all blocks at once.
    """
    n, channels, height, width = planes.shape
    means = planes.reshape(n, channels, height // 8, 8, width // 8, 8).mean(dim=(3, 5))
    means = (means * (8.0 / step)).round_() * (step / 8.0)
    return F.interpolate(means, size=(height, width), mode='bilinear', align_corners=False)


def _cells(values: Tensor, size: int) -> Tensor:
    """View (n, 1, H, W) as (n, H/size, size, W/size, size)."""
    n, _, height, width = values.shape
    return values.view(n, height // size, size, width // size, size)


def _transform_code(difference: Tensor, size: int, rounding: float) -> tuple[Tensor, Tensor]:
    """Transform, quantise by steps of 1 and restore a difference.

    Returns:
        The restored difference, and what coding it cost in each macroblock in squared
        steps, (n, H/16, W/16).

    """
    matrix = dct_matrix(size, difference.device)
    coefficients = block_transform(difference, matrix)
    magnitude = coefficients.abs()
    level = (magnitude + rounding).floor_()
    cost = magnitude.sub_(level).square_().add_(level.sqrt(), alpha=_BIT * _BITS)
    restored = inverse_block_transform(level.copysign_(coefficients), matrix)
    return restored, _cells(cost.view(difference.shape), MACROBLOCK).sum(dim=(2, 4))


def code(packed: Tensor, guess: Tensor, rates: Rates) -> Tensor:
    """Code pictures as their difference from a guess.

    Args:
        packed: (n, 1, 3 H / 2, W), see `pack`; -128..127.
        guess: Predicted planes, of the same shape and range.
        rates: Rates of the pictures.

    Returns:
        The decoded pictures, likewise.

    """
    difference = (packed - guess) / rates.rows
    rounding = ROUND_KEY if rates.key else ROUND_PREDICTED
    results = [_transform_code(difference, size, rounding) for size in SIZES]
    best = torch.stack([cost for _, cost in results]).argmin(dim=0)
    restored = _cells(results[0][0], MACROBLOCK)
    for index in range(1, len(SIZES)):
        chosen = (best == index)[:, :, None, :, None]
        restored = torch.where(chosen, _cells(results[index][0], MACROBLOCK), restored)
    restored = restored.view(packed.shape)
    decoded = torch.addcmul(guess, restored, rates.rows).clamp_(-128.0, 127.0)
    return _filtered(decoded, restored, best, rates)


@lru_cache(maxsize=32)
@torch.inference_mode(False)
def _grid(rows: int, width: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return which edges of packed planes lie inside a plane, and which begin a macroblock.

    Args:
        rows: Number of rows of the packed planes.
        width: Width of the packed planes.
        device: Device of the tensors.

    Returns:
        (1, rows, width / 4 - 1) and (1, rows / 4 - 1, 1) bool, True inside; and
        (1, 1, width / 4 - 1) and (1, rows / 4 - 1, 1) bool.

    """
    height = rows // 3 * 2
    inside_columns = torch.ones(1, rows, width // 4 - 1, dtype=torch.bool)
    inside_columns[:, height:, width // 8 - 1] = False
    inside_lines = torch.ones(1, rows // 4 - 1, 1, dtype=torch.bool)
    inside_lines[:, height // 4 - 1] = False
    every = torch.arange(1, max(rows, width) // 4) % 4 == 0
    strong_columns = every[: width // 4 - 1].view(1, 1, -1)
    strong_lines = every[: rows // 4 - 1].view(1, -1, 1)
    return (
        inside_columns.to(device),
        inside_lines.to(device),
        strong_columns.to(device),
        strong_lines.to(device),
    )


def _filtered(decoded: Tensor, restored: Tensor, best: Tensor, rates: Rates) -> Tensor:
    """Apply the in-loop filter."""
    n, _, rows, width = decoded.shape
    device = decoded.device
    # Every macroblock begins with an edge; columns 4, 8 and 12 of it are edges with
    # transforms up to 4, 8 and 4 px.
    limits = torch.tensor([1, 0, 1, 0], device=device)
    columns = (best[..., None] <= limits).view(n, -1, 1, width // 4)[..., 1:]
    columns = columns.expand(-1, -1, MACROBLOCK, -1).reshape(n, rows, -1)
    lines = (best[:, :, None] <= limits.view(1, 1, 4, 1)).view(n, rows // 4, -1, 1)[:, 1:]
    lines = lines.expand(-1, -1, -1, MACROBLOCK).reshape(n, -1, width)
    inside_columns, inside_lines, strong_columns, strong_lines = _grid(rows, width, device)
    columns, lines = columns & inside_columns, lines & inside_lines
    if rates.key:
        return deblock(
            decoded,
            rates.edges(columns, strong_columns, across=False),
            rates.edges(lines, strong_lines, across=True),
        )
    # Between predicted blocks only those are smoothed where a difference was coded.
    coded = _cells(restored, 4).abs().amax(dim=(2, 4)) > 1e-3
    beside = (coded[..., 1:] | coded[..., :-1]).repeat_interleave(4, dim=1)
    above = (coded[:, 1:] | coded[:, :-1]).repeat_interleave(4, dim=2)
    return deblock(
        decoded,
        rates.edges(columns & beside, None, across=False),
        rates.edges(lines & above, None, across=True),
    )
