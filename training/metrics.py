"""Full-reference metrics on (B, 3, H, W) RGB batches in 0..1."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def psnr(first: Tensor, second: Tensor) -> Tensor:
    """Return the (B,) peak signal-to-noise ratios in dB, over all channels (peak 1)."""
    error = (first - second).square().mean(dim=(1, 2, 3)).clamp(min=1e-12)
    return -10.0 * error.log10()


def ssim(first: Tensor, second: Tensor) -> Tensor:
    """Return the (B,) structural similarities, mean over channels.

    Wang et al., TIP 2004: 11x11 Gaussian window of sigma 1.5, K1 0.01, K2 0.03,
    no padding.
    """
    axis = torch.arange(11, dtype=torch.float32, device=first.device) - 5
    line = torch.exp(-axis.square() / (2 * 1.5**2))
    line = line / line.sum()
    channels = first.shape[1]
    window = (line[:, None] * line[None, :]).expand(channels, 1, 11, 11)

    def blur(x: Tensor) -> Tensor:
        return F.conv2d(x, window, groups=channels)

    mean_a, mean_b = blur(first), blur(second)
    var_a = blur(first.square()) - mean_a.square()
    var_b = blur(second.square()) - mean_b.square()
    covariance = blur(first * second) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    value = ((2 * mean_a * mean_b + c1) * (2 * covariance + c2)) / (
        (mean_a.square() + mean_b.square() + c1) * (var_a + var_b + c2)
    )
    return value.mean(dim=(1, 2, 3))
