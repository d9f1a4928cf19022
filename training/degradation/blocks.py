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

"""What still and video coders share: YCbCr 4:2:0 and the block cosine transform."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from training.degradation.step import to_eight_bits

# ITU-T T.871 (JFIF), section 7: full-range BT.601.
_TO_YCBCR = (
    (0.299, 0.587, 0.114),
    (-0.299 / 1.772, -0.587 / 1.772, 0.886 / 1.772),
    (0.701 / 1.402, -0.587 / 1.402, -0.114 / 1.402),
)
_TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))


@lru_cache(maxsize=16)
@torch.inference_mode(False)
def _colour_matrix(forward: bool, device: torch.device) -> Tensor:
    """Return the matrix from RGB in 0..1 to YCbCr in 0..255, or back to RGB in 0..255."""
    if forward:
        return torch.tensor(_TO_YCBCR, device=device) * 255.0
    return torch.tensor(_TO_RGB, device=device)


@lru_cache(maxsize=16)
@torch.inference_mode(False)
def dct_matrix(size: int, device: torch.device) -> Tensor:
    """Return the orthonormal DCT-II as a (size, size) float32 matrix."""
    k = torch.arange(size, dtype=torch.float64)
    basis = torch.cos((2 * k[None, :] + 1) * k[:, None] * math.pi / (2 * size))
    basis *= math.sqrt(2.0 / size)
    basis[0] /= math.sqrt(2.0)
    return basis.float().to(device)


def to_planes(images: Tensor, multiple: int = 16) -> tuple[Tensor, Tensor]:
    """Split RGB into luminance and half-size colour, padded at the right and the bottom.

    Args:
        images: (n, 3, H, W) RGB in 0..1.
        multiple: Divisor that the padded height and width get, in pixels; even.

    Returns:
        (n, 1, H', W') luminance and (n, 2, H'/2, W'/2) Cb and Cr, all centred: -128..127.

    """
    height, width = images.shape[-2:]
    pad_h, pad_w = -height % multiple, -width % multiple
    if pad_h or pad_w:
        images = F.pad(images, (0, pad_w, 0, pad_h), mode='replicate')
    n, _, height, width = images.shape
    mixed = _colour_matrix(True, images.device) @ images.flatten(2)
    mixed = mixed.view(n, 3, height, width)
    # Adding views is several times faster on a CPU than pooling.
    rows = mixed[:, 1:, 0::2] + mixed[:, 1:, 1::2]
    colour = (rows[..., 0::2] + rows[..., 1::2]) * 0.25
    return mixed[:, :1] - 128.0, colour


def from_planes(luma: Tensor, colour: Tensor, height: int, width: int) -> Tensor:
    """Undo `to_planes`, with linearly interpolated colour and values rounded to eight bits.

    Returns:
        (n, 3, height, width) RGB in 0..1.

    """
    size = luma.shape[-2:]
    colour = F.interpolate(colour, size=size, mode='bilinear', align_corners=False)
    planes = torch.cat([luma + 128.0, colour], dim=1)
    rgb = to_eight_bits(_colour_matrix(False, luma.device) @ planes.flatten(2))
    return rgb.view(luma.shape[0], 3, *size)[..., :height, :width]


def block_transform(planes: Tensor, matrix: Tensor) -> Tensor:
    """Transform the k x k blocks of (n, C, H, W) by a (k, k) matrix; H, W multiples of k.

    Returns:
        (n, C, H/k, k, W/k, k) coefficients: vertical frequency in dimension 3, horizontal
        in 5. This order needs no copy.

    """
    n, channels, height, width = planes.shape
    k = matrix.shape[0]
    rows = matrix @ planes.reshape(n, channels, height // k, k, width)
    return rows.view(n, channels, height // k, k, width // k, k) @ matrix.T


def inverse_block_transform(coefficients: Tensor, matrix: Tensor) -> Tensor:
    """Undo `block_transform`; the matrix is the same orthonormal one."""
    n, channels, down, k, across, _ = coefficients.shape
    rows = (coefficients @ matrix).view(n, channels, down, k, across * k)
    return (matrix.T @ rows).view(n, channels, down * k, across * k)
