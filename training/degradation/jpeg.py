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

"""Baseline JPEG with 4:2:0 colour, a quality for each image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor

from training.degradation.blocks import (
    block_transform,
    dct_matrix,
    from_planes,
    inverse_block_transform,
    to_planes,
)
from training.degradation.step import Extent, Step, check, columns, straight_through

# Annex K of ITU-T T.81 (JPEG): the example luminance and chrominance tables.
_LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMA = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *(((99,) * 8,) * 4),
)


@lru_cache(maxsize=4)
@torch.inference_mode(False)
def _base_tables(device: torch.device) -> Tensor:
    return torch.tensor((_LUMA, _CHROMA), dtype=torch.float32, device=device)


def quantisation_tables(quality: Tensor) -> Tensor:
    """Scale the standard's tables as libjpeg's ``jpeg_set_quality`` does.

    Args:
        quality: (n,) integers 1..100, as float32.

    Returns:
        (n, 2, 8, 8) steps, luminance and chrominance, 1..255.

    """
    quality = quality.view(-1, 1, 1, 1)
    scale = torch.where(quality < 50, (5000.0 / quality).floor(), 200.0 - 2.0 * quality)
    return ((_base_tables(quality.device) * scale + 50.0) / 100.0).floor().clamp(1.0, 255.0)


def _quantise(planes: Tensor, table: Tensor) -> Tensor:
    matrix = dct_matrix(8, planes.device)
    step = table.view(-1, 1, 1, 8, 1, 8)
    levels = (block_transform(planes, matrix) / step).round_()
    return inverse_block_transform(levels.mul_(step), matrix)


def jpeg(images: Tensor, quality: int | Tensor) -> Tensor:
    """Compress as baseline JPEG with 4:2:0 colour would.

    Args:
        images: (n, 3, H, W) RGB in 0..1.
        quality: 1..100, one for all or (n,), scaled as in libjpeg's ``jpeg_set_quality``.

    Returns:
        The decoded images, same shape and range. The gradient passes the rounding.

    """
    if isinstance(quality, int):
        quality = torch.full((images.shape[0],), float(quality), device=images.device)
    luma, colour = to_planes(images)
    with torch.no_grad():
        tables = quantisation_tables(quality)
        coded_luma = _quantise(luma, tables[:, 0])
        coded_colour = _quantise(colour, tables[:, 1])
    luma = straight_through(luma, coded_luma)
    colour = straight_through(colour, coded_colour)
    return from_planes(luma, colour, *images.shape[-2:])


@dataclass(frozen=True)
class Jpeg(Step):
    """JPEG compression.

    Attributes:
        quality: 1..100, libjpeg's scale.

    """

    quality: int
    kind: ClassVar[str] = 'jpeg'
    label: ClassVar[str] = 'jpeg'

    def __post_init__(self) -> None:
        """Check the quality."""
        check(1 <= self.quality <= 100, f'JPEG quality must be 1..100, not {self.quality}')

    @classmethod
    def apply(cls, images: Tensor, steps: Sequence[Jpeg], extents: Sequence[Extent]) -> Tensor:
        """See `Step.apply`."""
        (quality,) = columns([(s.quality,) for s in steps], images)
        return jpeg(images, quality.flatten())
