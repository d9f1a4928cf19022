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

"""Fewer pixels and back, each image by its own factor, as products with small matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from training.degradation.step import Extent, Step, check

#: Filters for fewer pixels, in the order of the matrices' selector.
DOWN_FILTERS = ('area', 'bilinear', 'bicubic')

#: Filters for more pixels: the aligner samples bilinearly, viewers often bicubically.
UP_FILTERS = ('bilinear', 'bicubic')

#: Side below which no face is shrunk, in pixels.
SMALLEST = 16


def _cubic(distance: Tensor, a: float) -> Tensor:
    """Keys, "Cubic convolution interpolation", 1981; distance is not negative."""
    d2 = distance * distance
    near = ((a + 2.0) * distance - (a + 3.0)) * d2 + 1.0
    far = a * (((distance - 5.0) * distance + 8.0) * distance - 4.0)
    return torch.where(distance <= 1.0, near, torch.where(distance < 2.0, far, 0.0))


def shrink_matrices(rows: int, size: int, smaller: Tensor, kind: Tensor) -> Tensor:
    """Return the matrices that resample lines of `size` to their own smaller lengths.

    `area` weighs by the overlap as OpenCV's INTER_AREA, the others widen their kernel by
    the factor as PyTorch and Pillow do (`antialias=True`).

    Args:
        rows: Number of rows of every matrix; those past the end of a line repeat its last one.
        size: Length of the lines.
        smaller: (n,) lengths after it, at most `rows`.
        kind: (n,) index into `DOWN_FILTERS`.

    Returns:
        (n, rows, size).

    """
    device = smaller.device
    smaller, kind = smaller.view(-1, 1, 1), kind.view(-1, 1, 1)
    step = size / smaller
    row = torch.arange(rows, device=device, dtype=torch.float32).view(1, -1, 1)
    centre = (torch.minimum(row, smaller - 1.0) + 0.5) * step
    column = torch.arange(size, device=device, dtype=torch.float32) + 0.5
    distance = (column - centre).abs()
    scaled = distance / step
    weights = torch.where(
        kind == 0,
        ((step + 1.0) * 0.5 - distance).clamp(0.0, 1.0),
        torch.where(kind == 1, (1.0 - scaled).clamp(min=0.0), _cubic(scaled, -0.5)),
    )
    return weights / weights.sum(dim=2, keepdim=True)


def sampling_matrices(places: Tensor, size: int, valid: Tensor, cubic: Tensor) -> Tensor:
    """Return the matrices that read lines at fractional places, the ends repeated.

    Args:
        places: (n, R) places in pixels, 0 = centre of the first.
        size: Length of the lines.
        valid: (n,) number of pixels of each line that count.
        cubic: (n,) whether to read bicubically (a = -0.75, as OpenCV and PyTorch) or
            else bilinearly.

    Returns:
        (n, R, size).

    """
    places, last = places[..., None], valid.view(-1, 1, 1) - 1.0
    cubic = cubic.view(-1, 1, 1)
    column = torch.arange(size, device=places.device, dtype=torch.float32)
    inside = torch.minimum(places, last).clamp(min=0.0)
    linear = (1.0 - (column - inside).abs()).clamp(min=0.0)
    # What a cubic reads beyond the ends is the end's pixel: its weight goes there.
    places = torch.minimum(places, last + 1.0).clamp(min=-1.0)
    weights = _cubic((column - places).abs(), -0.75) * (column <= last)
    offsets = torch.arange(1, 4, device=places.device, dtype=torch.float32)
    before = _cubic((-offsets - places).abs(), -0.75).sum(dim=2, keepdim=True)
    after = _cubic((last + offsets - places).abs(), -0.75).sum(dim=2, keepdim=True)
    weights = weights + before * (column == 0) + after * (column == last)
    return torch.where(cubic, weights, linear)


def resample(images: Tensor, vertical: Tensor, horizontal: Tensor) -> Tensor:
    """Apply (n, R, H) and (n, S, W) matrices to (n, C, H, W); returns (n, C, R, S)."""
    return vertical[:, None] @ images @ horizontal[:, None].transpose(-1, -2)


@lru_cache(maxsize=1024)
@torch.inference_mode(False)
def _shrink_matrix(rows: int, size: int, smaller: int, name: str, device: torch.device) -> Tensor:
    """Return one matrix of `shrink_matrices`; few sizes occur, so they are kept."""
    number = torch.ones(1, device=device)
    return shrink_matrices(rows, size, number * smaller, number * DOWN_FILTERS.index(name))[0]


@lru_cache(maxsize=1024)
@torch.inference_mode(False)
def _enlarge_matrix(rows: int, size: int, valid: int, name: str, device: torch.device) -> Tensor:
    """Return the (rows, size) matrix that spreads the first `valid` pixels over all rows."""
    place = torch.arange(rows, device=device, dtype=torch.float32) + 0.5
    number = torch.full((1,), float(valid), device=device)
    cubic = torch.full((1,), name == 'bicubic', device=device)
    return sampling_matrices((place * (valid / rows) - 0.5)[None], size, number, cubic)[0]


@dataclass(frozen=True)
class Shrink(Step):
    """Fewer pixels. What follows, up to `Enlarge`, happens at the lower resolution.

    A camera adds its noise and a codec its blocks at the resolution of the sensor; the
    aligner then enlarges both together with the face.

    Attributes:
        factor: Ratio of the crop's side to that of the face, at least 1.
        filter: Name of the filter, one of `DOWN_FILTERS`.

    """

    factor: float
    filter: str = 'area'
    cost: ClassVar[int] = 8
    kind: ClassVar[str] = 'down'
    label: ClassVar[str] = 'down'

    def __post_init__(self) -> None:
        """Check the parameters."""
        check(self.factor >= 1, f'shrinking takes a factor of at least 1, not {self.factor}')
        check(self.filter in DOWN_FILTERS, f'{self.filter!r} is not one of {DOWN_FILTERS}')

    def extent(self, extent: Extent) -> Extent:
        """Return the size of an image after shrinking."""
        height, width = extent
        return (
            min(height, max(SMALLEST, round(height / self.factor))),
            min(width, max(SMALLEST, round(width / self.factor))),
        )

    @classmethod
    def resize(
        cls,
        images: Tensor,
        steps: Sequence[Shrink],
        smaller: Sequence[Extent],
        canvas: Extent,
    ) -> Tensor:
        """Shrink whole images to their own sizes in the corner of a common canvas.

        Args:
            images: (n, 3, H, W) in 0..1, all of it face.
            steps: Steps that resize, one for each image.
            smaller: Sizes of the images after the step.
            canvas: Height and width of the result, padded by repetition.

        Returns:
            (n, 3, *canvas) in 0..1.

        """
        matrices = [
            torch.stack(
                [
                    _shrink_matrix(canvas[axis], size, extent[axis], step.filter, images.device)
                    for step, extent in zip(steps, smaller)
                ]
            )
            for axis, size in enumerate(images.shape[-2:])
        ]
        return resample(images, matrices[0], matrices[1]).clamp(0.0, 1.0)

    @classmethod
    def apply(cls, images: Tensor, steps: Sequence[Shrink], extents: Sequence[Extent]) -> Tensor:
        """Shrink and leave the result in the corner of the images' own size."""
        smaller = [s.extent(e) for s, e in zip(steps, extents)]
        return cls.resize(images, steps, smaller, (images.shape[-2], images.shape[-1]))


@dataclass(frozen=True)
class Enlarge(Step):
    """Back to the size before `Shrink`.

    Attributes:
        filter: Name of the filter, one of `UP_FILTERS`.

    """

    filter: str = 'bilinear'
    cost: ClassVar[int] = 8
    kind: ClassVar[str] = 'up'
    label: ClassVar[str] = 'up'

    def __post_init__(self) -> None:
        """Check the filter."""
        check(self.filter in UP_FILTERS, f'{self.filter!r} is not one of {UP_FILTERS}')

    @classmethod
    def resize(
        cls, images: Tensor, steps: Sequence[Enlarge], extents: Sequence[Extent], size: Extent
    ) -> Tensor:
        """Enlarge what counts of each image to a common size; (n, 3, *size) in 0..1."""
        matrices = [
            torch.stack(
                [
                    _enlarge_matrix(size[axis], stored, extent[axis], step.filter, images.device)
                    for step, extent in zip(steps, extents)
                ]
            )
            for axis, stored in enumerate(images.shape[-2:])
        ]
        return resample(images, matrices[0], matrices[1]).clamp(0.0, 1.0)

    @classmethod
    def apply(cls, images: Tensor, steps: Sequence[Enlarge], extents: Sequence[Extent]) -> Tensor:
        """Enlarge to the images' own size."""
        return cls.resize(images, steps, extents, (images.shape[-2], images.shape[-1]))


def mosaic(images: Tensor, factor: int) -> Tensor:
    """Replace every factor x factor block of (n, C, H, W) by its mean, as a pixelated face."""
    height, width = images.shape[-2:]
    low = F.avg_pool2d(images, factor, ceil_mode=True)
    n, channels, down, across = low.shape
    blocks = low[:, :, :, None, :, None].expand(-1, -1, -1, factor, -1, factor)
    full = blocks.reshape(n, channels, down * factor, across * factor)
    return full[..., :height, :width]


@dataclass(frozen=True)
class Mosaic(Step):
    """Blocks of their mean.

    Attributes:
        factor: Side of a block in pixels.

    """

    factor: int
    cost: ClassVar[int] = 8
    kind: ClassVar[str] = 'mosaic'
    label: ClassVar[str] = 'mosaic'

    def __post_init__(self) -> None:
        """Check the factor."""
        check(self.factor >= 1, f'a mosaic needs blocks of at least 1 px, not {self.factor}')

    @classmethod
    def apply(cls, images: Tensor, steps: Sequence[Mosaic], extents: Sequence[Extent]) -> Tensor:
        """See `Step.apply`."""
        factors = [s.factor for s in steps]
        if len(set(factors)) == 1:
            return mosaic(images, factors[0])
        return torch.cat([mosaic(images[i : i + 1], f) for i, f in enumerate(factors)])
