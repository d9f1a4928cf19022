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

"""Blur of optics and of motion, a kernel for each image, by products of spectra."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from training.degradation.step import Extent, Step, check

#: Reach up to which a kernel is cheaper applied directly than by spectra, in pixels.
DIRECT_REACH = 4

#: Places of a path that make its kernel; 16 px are then covered in steps of a sixth of a pixel.
PATH_SAMPLES = 96


def _grid(radius: int, device: torch.device) -> tuple[Tensor, Tensor]:
    axis = torch.arange(-radius, radius + 1, dtype=torch.float32, device=device)
    return axis.view(1, 1, -1), axis.view(1, -1, 1)


def gaussian_kernels(sigma_x: Tensor, sigma_y: Tensor, angle: Tensor, radius: int) -> Tensor:
    """Return anisotropic Gaussians, each of sum 1 and cut off at 3 of its larger sigma.

    Args:
        sigma_x: (n,) pixels, along the angle.
        sigma_y: (n,) pixels, across it.
        angle: (n,) radians.
        radius: Radius of the kernels, in pixels.

    Returns:
        (n, 2 radius + 1, 2 radius + 1).

    """
    sigma_x, sigma_y, angle = (v.view(-1, 1, 1) for v in (sigma_x, sigma_y, angle))
    x, y = _grid(radius, angle.device)
    u = angle.cos() * x + angle.sin() * y
    v = angle.cos() * y - angle.sin() * x
    kernels = torch.exp(-0.5 * ((u / sigma_x) ** 2 + (v / sigma_y) ** 2))
    reach = (3.0 * torch.maximum(sigma_x, sigma_y)).ceil().clamp(min=1.0)
    kernels = kernels * ((x.abs() <= reach) & (y.abs() <= reach))
    return kernels / kernels.sum(dim=(1, 2), keepdim=True)


def motion_kernels(length: Tensor, angle: Tensor, radius: int) -> Tensor:
    """Return the kernels of straight motions, each of sum 1.

    Args:
        length: (n,) pixels.
        angle: (n,) radians.
        radius: Radius of the kernels, in pixels.

    Returns:
        (n, 2 radius + 1, 2 radius + 1).

    """
    length, angle = length.view(-1, 1, 1), angle.view(-1, 1, 1)
    x, y = _grid(radius, angle.device)
    along = (angle.cos() * x + angle.sin() * y).abs()
    across = (angle.cos() * y - angle.sin() * x).abs()
    kernels = (length / 2.0 + 0.5 - along).clamp(0.0, 1.0) * (1.0 - across).clamp(0.0, 1.0)
    return kernels / kernels.sum(dim=(1, 2), keepdim=True)


def path_kernels(length: Tensor, angle: Tensor, bend: Tensor, pace: Tensor, radius: int) -> Tensor:
    """Return the kernels of movements along arcs at a changing speed, each of sum 1.

    At the time u of 0..1 the point has covered the share u + pace u (u - 1) of the arc. Where it is
    at equally spaced times is added to the four pixels around it, bilinearly.

    Args:
        length: (n,) length of the arc in pixels.
        angle: (n,) direction in the middle of the arc, radians.
        bend: (n,) angle by which the arc turns, radians.
        pace: (n,) change of the speed, -1..1: 0 for a constant speed, 1 for a start from rest.
        radius: Radius of the kernels, in pixels.

    Returns:
        (n, 2 radius + 1, 2 radius + 1), the centroid in the middle, so that the face stays where it
        is. The paths are mirrored at the centre, since `convolve` correlates.

    """
    length, angle, bend, pace = (v.view(-1, 1) for v in (length, angle, bend, pace))
    device = length.device
    time = (torch.arange(PATH_SAMPLES, dtype=torch.float32, device=device) + 0.5) / PATH_SAMPLES
    place = time + pace * time * (time - 1.0) - 0.5
    half = bend * place / 2.0
    # The chord from the middle of the arc to the place, along and across the middle's direction.
    chord = length * place * torch.sinc(half / math.pi)
    along, across = chord * half.cos(), chord * half.sin()
    x = angle.cos() * along - angle.sin() * across
    y = angle.sin() * along + angle.cos() * across
    x, y = (v.mean(dim=1, keepdim=True) - v for v in (x, y))
    columns, rows = _grid(radius, device)
    spread_x = (1.0 - (columns - x[..., None]).abs()).clamp(min=0.0)
    spread_y = (1.0 - (rows - y[:, None]).abs()).clamp(min=0.0)
    kernels = spread_y @ spread_x
    return kernels / kernels.sum(dim=(1, 2), keepdim=True)


def _folded(count: int, size: int, radius: int) -> np.ndarray:
    """Return the places from which a line of `size`, mirrored at both ends, is read."""
    place = np.abs(np.arange(-radius, count + radius))
    period = 2 * (size - 1)
    place %= period
    return np.where(place < size, place, period - place)


def mirrored(images: Tensor, radius: int, extents: Sequence[Extent]) -> Tensor:
    """Pad (n, C, H, W) by `radius`, every image mirrored at the border of its own extent."""
    n, channels, height, width = images.shape
    if radius < min(height, width) and all(e == (height, width) for e in extents):
        return F.pad(images, (radius, radius, radius, radius), mode='reflect')
    places = np.stack(
        [
            _folded(height, h, radius)[:, None] * width + _folded(width, w, radius)[None]
            for h, w in extents
        ]
    )
    index = torch.from_numpy(places.astype(np.int32)).to(images.device, non_blocking=True)
    index = index.view(n, 1, -1).long().expand(-1, channels, -1)
    padded = images.flatten(2).gather(2, index)
    return padded.view(n, channels, height + 2 * radius, width + 2 * radius)


def _quick_length(length: int) -> int:
    """Return the next even length whose transform is fast (factors 2, 3, 5 and 7)."""
    length += length % 2
    while True:
        rest = length
        for prime in (2, 3, 5, 7):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return length
        length += 2


def convolve(images: Tensor, kernels: Tensor, extents: Sequence[Extent] | None = None) -> Tensor:
    """Correlate every image with its own kernel, borders mirrored.

    Args:
        images: (n, C, H, W) float32.
        kernels: (n, K, K) or (1, K, K), K odd.
        extents: Part of each image that counts; its border is the mirror. None for the whole
            images.

    Returns:
        (n, C, H, W).

    """
    height, width = images.shape[-2:]
    radius = kernels.shape[-1] // 2
    padded = mirrored(images, radius, extents or [(height, width)] * images.shape[0])
    if radius <= DIRECT_REACH:
        n, channels = images.shape[:2]
        weights = kernels.expand(n, -1, -1).repeat_interleave(channels, dim=0)[:, None]
        full = F.conv2d(padded.flatten(0, 1)[None], weights, groups=n * channels)
        return full.view(n, channels, height, width)
    size = (_quick_length(height + 2 * radius), _quick_length(width + 2 * radius))
    spectrum = torch.fft.rfft2(padded, s=size)
    # The conjugate correlates; its result begins at the first whole overlap: nothing is shifted.
    response = torch.fft.rfft2(kernels, s=size).conj()
    full = torch.fft.irfft2(spectrum * response[:, None], s=size)
    return full[..., :height, :width]


class Blur(Step):
    """A blur of any kind."""

    kind: ClassVar[str] = 'blur'

    @property
    @abstractmethod
    def row(self) -> tuple[float, ...]:
        """Sigma along and across, length (0 = Gaussian), angle, bend and pace of a path."""

    @classmethod
    def apply(cls, images: Tensor, steps: Sequence[Blur], extents: Sequence[Extent]) -> Tensor:
        """See `Step.apply`."""
        radius = max(s.reach for s in steps)
        with torch.no_grad():
            table = torch.from_numpy(np.array([s.row for s in steps], dtype=np.float32))
            numbers = table.to(images.device, non_blocking=True).unbind(1)
            along, across, length, angle, bend, pace = numbers
            kernels = gaussian_kernels(along, across, angle, radius)
            if any(isinstance(s, MotionBlur) for s in steps):
                lines = motion_kernels(length, angle, radius)
                kernels = torch.where(length.view(-1, 1, 1) > 0, lines, kernels)
            if any(isinstance(s, MotionPath) for s in steps):
                paths = path_kernels(length, angle, bend, pace, radius)
                chosen = torch.tensor([isinstance(s, MotionPath) for s in steps])
                chosen = chosen.to(images.device, non_blocking=True).view(-1, 1, 1)
                kernels = torch.where(chosen, paths, kernels)
        return convolve(images, kernels, extents).clamp(0.0, 1.0)


@dataclass(frozen=True)
class GaussianBlur(Blur):
    """Defocus and the lens: an anisotropic Gaussian.

    Attributes:
        along: Standard deviation in the direction of `angle`, in pixels.
        across: Standard deviation across that direction, in pixels.
        angle: Angle in radians.

    """

    along: float
    across: float
    angle: float
    label: ClassVar[str] = 'blur'

    def __post_init__(self) -> None:
        """Check the sigmas."""
        smallest = min(self.along, self.across)
        check(smallest > 0, f'a blur needs a sigma above 0, not {smallest}')

    @property
    def row(self) -> tuple[float, ...]:
        """Return the numbers of `Blur.row`."""
        return self.along, self.across, 0.0, self.angle, 0.0, 0.0

    @property
    def reach(self) -> int:
        """Three sigma."""
        return max(1, math.ceil(3.0 * max(self.along, self.across)))


@dataclass(frozen=True)
class MotionBlur(Blur):
    """A straight movement during the exposure.

    Attributes:
        length: Length of the movement in pixels.
        angle: Direction of the movement in radians.

    """

    length: float
    angle: float
    label: ClassVar[str] = 'motion'

    def __post_init__(self) -> None:
        """Check the length."""
        check(self.length > 0, f'a motion needs a length above 0 px, not {self.length}')

    @property
    def row(self) -> tuple[float, ...]:
        """Return the numbers of `Blur.row`."""
        return 1.0, 1.0, self.length, self.angle, 0.0, 0.0

    @property
    def reach(self) -> int:
        """Half the length."""
        return max(1, math.ceil(self.length / 2.0))


@dataclass(frozen=True)
class MotionPath(Blur):
    """A movement during the exposure along an arc, at a changing speed.

    Attributes:
        length: Length of the arc in pixels.
        angle: Direction in the middle of the arc, radians.
        bend: Angle by which the arc turns, radians, at most half a turn.
        pace: Change of the speed, above -1 and below 1; 0 for a constant speed.

    """

    length: float
    angle: float
    bend: float = 0.0
    pace: float = 0.0
    label: ClassVar[str] = 'motion'

    def __post_init__(self) -> None:
        """Check the parameters."""
        check(self.length > 0, f'a motion needs a length above 0 px, not {self.length}')
        check(abs(self.bend) <= math.pi, f'an arc turns by at most pi radians, not {self.bend}')
        check(abs(self.pace) < 1, f'the pace must be above -1 and below 1, not {self.pace}')

    @property
    def row(self) -> tuple[float, ...]:
        """Return the numbers of `Blur.row`."""
        return 1.0, 1.0, self.length, self.angle, self.bend, self.pace

    @property
    def reach(self) -> int:
        """Half the length, what the centroid is off its middle, and a pixel of interpolation."""
        return math.ceil(self.length * (0.5 + abs(self.pace) / 6.0)) + 1
