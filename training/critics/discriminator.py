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

"""The adversary: a small convolutional judge of patches, trained from scratch with the network.

Hinge loss (Lim and Ye, "Geometric GAN", 2017) over a map of patch scores (Isola et al.,
CVPR 2017), with spectral normalisation (Miyato et al., ICLR 2018). Its own features give
the feature-matching distance (Wang et al., pix2pixHD, CVPR 2018), which steadies the
adversarial term and costs next to nothing: 0.1 GMAC for a 128 px window, against 5 of VGG16.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm


class PatchDiscriminator(nn.Module):
    """Scores patches of about 50 px at two resolutions; used in training only."""

    def __init__(self, width: int = 32) -> None:
        """Build the layers.

        Args:
            width: Channels of the first layer.

        """
        super().__init__()
        self.fine = _judge(width)
        self.coarse = _judge(width)

    def forward(self, image: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Judge images.

        Args:
            image: (B, 3, H, W) RGB in 0..1, sides multiples of 16.

        Returns:
            The (B, 1, h, w) score maps of both resolutions, higher for what looks real, and
            the feature maps on the way there.

        """
        scores: list[Tensor] = []
        features: list[Tensor] = []
        centred = image * 2.0 - 1.0
        for judge, x in ((self.fine, centred), (self.coarse, F.avg_pool2d(centred, 2))):
            for layer in judge[:-1]:
                x = F.leaky_relu(layer(x), 0.2)
                features.append(x)
            scores.append(cast(Tensor, judge[-1](x)))
        return scores, features


def _judge(width: int) -> nn.ModuleList:
    plan = ((3, 1, 2), (1, 2, 2), (2, 4, 2), (4, 4, 1))
    layers: list[nn.Module] = []
    for index, (before, after, stride) in enumerate(plan):
        channels = 3 if index == 0 else before * width
        kernel, padding = (4, 1) if stride == 2 else (3, 1)
        layers.append(
            spectral_norm(nn.Conv2d(channels, after * width, kernel, stride, padding=padding))
        )
    layers.append(spectral_norm(nn.Conv2d(4 * width, 1, 3, padding=1)))
    return nn.ModuleList(layers)


def _weighted(values: Tensor, attention: Tensor) -> Tensor:
    weight = F.interpolate(attention, size=values.shape[-2:], mode='area')
    return (values * weight).mean() / weight.mean()


def judge_loss(
    judge: PatchDiscriminator, real: Tensor, fake: Tensor, attention: Tensor
) -> tuple[Tensor, float]:
    """Return the hinge loss of the discriminator, and the share of patches it gets right.

    Args:
        judge: Discriminator whose features are compared.
        real: (B, 3, H, W) truths in 0..1.
        fake: (B, 3, H, W) restored faces in 0..1, detached.
        attention: (B, 1, H, W) weights of the places, above 0: eyes, nose and mouth count more.

    """
    scores, _ = judge(torch.cat([real, fake]))
    count = real.shape[0]
    losses, right = [], []
    for map_ in scores:
        margin = torch.cat([map_[:count], -map_[count:]]).float()
        losses.append(_weighted(F.relu(1.0 - margin), torch.cat([attention, attention])))
        right.append(float((margin.detach() > 0).float().mean()))
    return torch.stack(losses).mean(), sum(right) / len(right)


def opinions(
    judge: PatchDiscriminator, real: Tensor, fake: Tensor
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Return what a discriminator, which gets no gradient from this, makes of two batches.

    Args:
        judge: Discriminator.
        real: (B, 3, H, W) truths in 0..1; they get no gradient.
        fake: (B, 3, H, W) restored faces in 0..1.

    Returns:
        Maps of scores of the restored faces, their features, and the features of the truths.

    """
    judge.requires_grad_(False)
    try:
        scores, features = judge(fake)
        with torch.no_grad():
            _, references = judge(real)
    finally:
        judge.requires_grad_(True)
    return scores, features, references


def deceive_loss(
    judge: PatchDiscriminator, real: Tensor, fake: Tensor, attention: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the network's adversarial loss and the feature-matching distance.

    Args:
        judge: Discriminator; it gets no gradient from this.
        real: (B, 3, H, W) truths in 0..1.
        fake: (B, 3, H, W) restored faces in 0..1.
        attention: (B, 1, H, W) weights of the places.

    """
    scores, features, references = opinions(judge, real, fake)
    adversarial = torch.stack([-_weighted(s.float(), attention) for s in scores]).mean()
    matching = torch.stack(
        [(a.float() - b.float()).abs().mean() for a, b in zip(features, references, strict=True)]
    ).mean()
    return adversarial, matching
