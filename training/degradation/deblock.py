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

"""The in-loop filter that H.264 lays over the edges of its blocks (ITU-T H.264, 8.7)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

# Table 8-17 of the standard, from QP 17 on (0 below): the most by which the filter moves a
# pixel at an edge between coded blocks of a predicted picture (strength 2), and at one
# inside a key picture (strength 3).
_CLIP_CODED = (
    *(0,) * 4, *(1,) * 10, *(2,) * 4, *(3,) * 3, *(4,) * 2, 5, 5, 6, 7, 8, 8, 10, 11, 12, 13, 15, 17
)  # fmt: skip
_CLIP_KEY = (
    *(1,) * 10, *(2,) * 4, 3, 3, 3, 4, 4, 4, 5, 6, 6, 7, 8, 9, 10, 11, 13, 14, 16, 18, 20, 23, 25
)  # fmt: skip


def edge_limits(qp: int, key: bool) -> tuple[float, float, float]:
    """Return what the filter takes for an edge of the coder's, in grey values.

    Args:
        qp: Quantisation parameter of the planes, 0..51.
        key: Whether the picture is a key picture or a predicted one.

    Returns:
        The step across an edge below which it is smoothed (alpha), the slope beside it
        below which it is (beta), and the most by which a pixel moves. The first two by
        the formulas behind table 8-16 that the reference encoder (JM) gives.

    """
    if qp < 16:
        return 0.0, 0.0, 0.0
    clip = _CLIP_KEY if key else _CLIP_CODED
    most = float(clip[qp - 17]) if qp > 16 else 0.0
    return 0.8 * (2.0 ** (qp / 6.0) - 1.0), 0.5 * qp - 7.0, most


@dataclass(frozen=True)
class Edges:
    """Which edges of one direction are smoothed, and within which limits.

    Every tensor broadcasts to (n, rows, columns) of the edges.

    Attributes:
        here: Mask (bool) of the places where a block begins.
        strong: Mask (bool) of the places where a macroblock of a key picture begins; None for
            nowhere.
        alpha: Limit alpha, see `edge_limits`.
        beta: Limit beta, see `edge_limits`.
        clip: Limit of the correction, see `edge_limits`.

    """

    here: Tensor
    strong: Tensor | None
    alpha: Tensor
    beta: Tensor
    clip: Tensor


def _moves(sides: Tensor, edges: Edges) -> tuple[Tensor, Tensor]:
    """Return by how much the two pixels next to each edge move, on both of its sides.

    Args:
        sides: (2, 4, n, rows, columns): the four pixels before an edge and the four after
            it, the nearest first.
        edges: Places of the edges, and the limits within which they are filtered.

    Returns:
        (2, n, rows, columns) for the nearest pixels, and for the second ones.

    """
    others = sides.flip(0)
    s0, s1, s2, o0, o1 = sides[:, 0], sides[:, 1], sides[:, 2], others[:, 0], others[:, 1]
    step = o0 - s0
    # How far the two pixels behind the nearest are from it.
    slopes = (sides[:, 1:3] - sides[:, :1]).abs_() < edges.beta
    flat = slopes[:, 1]
    size = step[0].abs()
    here = (size < edges.alpha) & slopes[0, 0] & slopes[1, 0] & edges.here
    most = edges.clip + flat.sum(dim=0)
    first = (step * 4.0).add_(s1).sub_(o1).mul_(0.125).clamp_(-most, most)
    second = (s0 + o0).mul_(0.5).add_(s2).mul_(0.5).sub_(s1).clamp_(-edges.clip, edges.clip)
    if edges.strong is not None:
        firm = edges.strong & (size < edges.alpha * 0.25 + 2.0) & flat
        total = (s1 + s0).add_(o0)
        first = torch.where(firm, (total * 2.0).add_(s2).add_(o1).mul_(0.125).sub_(s0), first)
        second = torch.where(firm, total.add_(s2).mul_(0.25).sub_(s1), second)
    return first.mul_(here), second.mul_(flat & here)


def deblock(planes: Tensor, columns: Edges, rows: Edges) -> Tensor:
    """Smooth the edges of blocks: the vertical ones, then the horizontal ones.

    All edges of a direction are smoothed at once, from the pixels before any was: the
    standard goes edge by edge, which differs where edges are 4 px apart.

    Args:
        planes: (n, 1, H, W) grey values; H and W are multiples of 4.
        columns: Edges between the columns 4 i + 3 and 4 i + 4: (n, H, W/4 - 1).
        rows: Edges between the rows 4 i + 3 and 4 i + 4: (n, H/4 - 1, W).

    Returns:
        (n, 1, H, W).

    """
    n, _, height, width = planes.shape
    phases = planes.view(n, height, width // 4, 4).permute(3, 0, 1, 2).contiguous()
    before, after = phases[..., :-1], phases[..., 1:]
    _smooth(before, after, columns)
    phases = phases.permute(1, 2, 3, 0).reshape(n, height // 4, 4, width)
    phases = phases.permute(2, 0, 1, 3).contiguous()
    before, after = phases[:, :, :-1], phases[:, :, 1:]
    _smooth(before, after, rows)
    return phases.permute(1, 2, 0, 3).reshape(n, 1, height, width)


def _smooth(before: Tensor, after: Tensor, edges: Edges) -> None:
    """Smooth in place; (4, n, rows, columns): a pixel's place in its four, and its edge."""
    nearest, second = _moves(torch.stack([before.flip(0), after]), edges)
    before[3] += nearest[0]
    before[2] += second[0]
    after[0] += nearest[1]
    after[1] += second[1]
