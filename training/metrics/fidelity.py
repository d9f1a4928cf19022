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

"""Full-reference fidelity of (B, 3, H, W) RGB batches in 0..1: PSNR, SSIM, MS-SSIM."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

#: Exponents of the five scales, finest first (Wang, Simoncelli, Bovik,
#: "Multiscale structural similarity for image quality assessment", 2003, fig. 5).
MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)

_WINDOW = 11


def psnr(first: Tensor, second: Tensor) -> Tensor:
    """Return the (B,) peak signal-to-noise ratios in dB, over all channels (peak 1).

    Equal images give 120 dB.
    """
    error = (first - second).square().mean(dim=(1, 2, 3)).clamp(min=1e-12)
    return -10.0 * error.log10()


def ssim(first: Tensor, second: Tensor) -> Tensor:
    """Return the (B,) structural similarities, mean over channels.

    Wang et al., TIP 2004: 11x11 Gaussian window of sigma 1.5, K1 0.01, K2 0.03,
    no padding.

    Args:
        first: (B, C, H, W) float32 in 0..1, H and W at least 11.
        second: Images of the same shape.

    """
    similarity, _ = _similarity_maps(first, second)
    return similarity.mean(dim=(1, 2, 3))


def ms_ssim(first: Tensor, second: Tensor) -> Tensor:
    """Return the (B,) multi-scale structural similarities, mean over channels.

    Wang, Simoncelli, Bovik 2003: contrast and structure at five scales, each half
    of the one before (2x2 mean), luminance at the last. Negative means, which the
    exponents do not admit, count as 0.

    Args:
        first: (B, C, H, W) float32 in 0..1, H and W at least 176.
        second: Images of the same shape.

    Raises:
        ValueError: The images are too small for the window at the fifth scale.

    """
    last = len(MS_SSIM_WEIGHTS) - 1
    smallest = _WINDOW << last
    if min(first.shape[-2:]) < smallest:
        raise ValueError(
            f'MS-SSIM needs images of at least {smallest}x{smallest} pixels, '
            f'got {first.shape[-1]}x{first.shape[-2]}; use ssim for smaller ones'
        )
    product = torch.ones(first.shape[:2], device=first.device)
    for scale, weight in enumerate(MS_SSIM_WEIGHTS):
        similarity, contrast_structure = _similarity_maps(first, second)
        term = similarity if scale == last else contrast_structure
        product = product * term.mean(dim=(2, 3)).clamp(min=0.0).pow(weight)
        if scale != last:
            first, second = F.avg_pool2d(first, 2), F.avg_pool2d(second, 2)
    return product.mean(dim=1)


def _similarity_maps(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return the SSIM map and its contrast-structure factor, (B, C, H-10, W-10) each."""
    axis = torch.arange(_WINDOW, dtype=torch.float32, device=first.device) - _WINDOW // 2
    line = torch.exp(-axis.square() / (2 * 1.5**2))
    line = line / line.sum()
    channels = first.shape[1]
    # The window is separable: two passes of 11 taps cost a fifth of one of 121.
    across = line.view(1, 1, 1, -1).expand(channels, 1, 1, _WINDOW)
    down = line.view(1, 1, -1, 1).expand(channels, 1, _WINDOW, 1)

    def blur(x: Tensor) -> Tensor:
        return F.conv2d(F.conv2d(x, across, groups=channels), down, groups=channels)

    mean_a, mean_b = blur(first), blur(second)
    var_a = blur(first.square()) - mean_a.square()
    var_b = blur(second.square()) - mean_b.square()
    covariance = blur(first * second) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    contrast_structure = (2 * covariance + c2) / (var_a + var_b + c2)
    luminance = (2 * mean_a * mean_b + c1) / (mean_a.square() + mean_b.square() + c1)
    return luminance * contrast_structure, contrast_structure
