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

"""Adversarial games: what a discriminator minimises, and what the network does to deceive it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from training.critics.discriminator import PatchDiscriminator, opinions

#: 'hinge' (Lim and Ye, 2017), 'least_squares' (Mao et al., LSGAN, ICCV 2017) and 'logistic'
#: (Goodfellow et al., NeurIPS 2014, in the non-saturating form of StyleGAN).
Game = Literal['hinge', 'least_squares', 'logistic']


def judge_game(
    judge: PatchDiscriminator, real: Tensor, fake: Tensor, game: Game
) -> tuple[Tensor, float]:
    """Return the discriminator's loss, and the share of patches that it gets right.

    Args:
        judge: Discriminator, which learns.
        real: (B, 3, H, W) truths in 0..1.
        fake: (B, 3, H, W) restored faces in 0..1, detached.
        game: Kind of the game.

    """
    scores, _ = judge(torch.cat([real, fake]))
    count = real.shape[0]
    losses, right = [], []
    for map_ in scores:
        true, false = map_[:count].float(), map_[count:].float()
        middle = 0.5 if game == 'least_squares' else 0.0
        losses.append(_judge_loss(true, false, game))
        hits = [(true > middle).float().mean(), (false <= middle).float().mean()]
        right.append(float(torch.stack(hits).mean()))
    return torch.stack(losses).mean(), sum(right) / len(right)


def _judge_loss(real: Tensor, fake: Tensor, game: Game) -> Tensor:
    if game == 'hinge':
        return 0.5 * (F.relu(1.0 - real).mean() + F.relu(1.0 + fake).mean())
    if game == 'least_squares':
        return 0.5 * ((real - 1.0).square().mean() + fake.square().mean())
    return 0.5 * (F.softplus(-real).mean() + F.softplus(fake).mean())


def deceive_game(
    judge: PatchDiscriminator, real: Tensor, fake: Tensor, game: Game
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the network's adversarial loss and two distances of the discriminator's features.

    Args:
        judge: Discriminator; it gets no gradient from this.
        real: (B, 3, H, W) truths in 0..1.
        fake: (B, 3, H, W) restored faces in 0..1.
        game: Kind of the game.

    Returns:
        The adversarial loss, the distance of the features (Wang et al., pix2pixHD, CVPR 2018), and
        that of their Gram matrices (Gatys et al., CVPR 2016), which leaves open where they are.

    """
    scores, features, references = opinions(judge, real, fake)
    losses = []
    for map_ in scores:
        score = map_.float()
        if game == 'hinge':
            losses.append(-score.mean())
        elif game == 'least_squares':
            losses.append((score - 1.0).square().mean())
        else:
            losses.append(F.softplus(-score).mean())
    pairs = [(a.float(), b.float()) for a, b in zip(features, references, strict=True)]
    matching = torch.stack([(a - b).abs().mean() for a, b in pairs]).mean()
    style = torch.stack([(_gram(a) - _gram(b)).abs().mean() for a, b in pairs]).mean()
    return torch.stack(losses).mean(), matching, style


def _gram(features: Tensor) -> Tensor:
    flat = features.flatten(2)
    with torch.autocast(flat.device.type, enabled=False):
        return flat @ flat.transpose(1, 2) / (flat.shape[1] * flat.shape[2])


def component_crops(face: Tensor, centres: Sequence[tuple[float, float]], side: int = 64) -> Tensor:
    """Cut the same squares out of every face.

    Args:
        face: (B, 3, H, H) aligned faces.
        centres: Places (x, y) of the N squares' middles, as fractions of the face's side.
        side: Side of a square in pixels, at most H.

    Returns:
        (B * N, 3, side, side), moved inwards where a square would leave the face.

    """
    size = face.shape[-1]
    parts = []
    for centre in centres:
        x, y = (min(max(round(v * size) - side // 2, 0), size - side) for v in centre)
        parts.append(face[..., y : y + side, x : x + side])
    return torch.cat(parts)
