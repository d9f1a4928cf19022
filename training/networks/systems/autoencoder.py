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

"""Convolutional encoders and decoders between faces and latents, and vector quantisation."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.networks.parts import conv, enlarge
from training.networks.systems.blocks import NormalisedBlock, without_autocast


class Encoder(nn.Module):
    """From a face to a latent: a strided convolution and a block at each scale."""

    def __init__(self, widths: Sequence[int], latent: int) -> None:
        """Make the layers.

        Args:
            widths: Channels at strides 2, 4...; multiples of 8.
            latent: Channels of the latent.

        """
        super().__init__()
        self.down = nn.ModuleList(conv(a, b, stride=2) for a, b in pairwise((3, *widths)))
        self.blocks = nn.ModuleList(NormalisedBlock(w, w) for w in widths)
        self.exit = nn.Sequential(nn.GroupNorm(8, widths[-1]), nn.SiLU(), conv(widths[-1], latent))

    def forward(self, face: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Encode.

        Args:
            face: (B, 3, H, W) RGB in 0..1.

        Returns:
            The (B, latent, h, w) latent, and the features at strides 2, 4...

        """
        features: list[Tensor] = []
        x = face * 2.0 - 1.0
        for down, block in zip(self.down, self.blocks, strict=True):
            x = block(down(x))
            features.append(x)
        return self.exit(x), features


class Decoder(nn.Module):
    """From a latent to a face: a block, nearest upsampling and a convolution at each scale."""

    def __init__(self, latent: int, widths: Sequence[int]) -> None:
        """Make the layers.

        Args:
            latent: Channels of the latent.
            widths: Channels at the strides of the encoder, those of stride 2 first; multiples of 8.

        """
        super().__init__()
        coarse = tuple(widths[::-1])
        self.entry = conv(latent, coarse[0])
        self.blocks = nn.ModuleList(NormalisedBlock(w, w) for w in coarse)
        self.up = nn.ModuleList(conv(a, b) for a, b in pairwise((*coarse, 16)))
        self.head = conv(16, 3)
        with torch.no_grad():
            assert self.head.bias is not None
            self.head.bias.fill_(0.5)

    def scale(self, number: int, x: Tensor) -> Tensor:
        """Return what the block of a scale makes of its input; 0 is the coarsest."""
        return cast(Tensor, self.blocks[number](x))

    def enlarge(self, number: int, x: Tensor) -> Tensor:
        """Return the input of the next scale; after the last one, that of `face`."""
        return cast(Tensor, self.up[number](enlarge(x)))

    def face(self, x: Tensor) -> Tensor:
        """Return the (B, 3, H, W) face, not clipped, of (B, 16, H, W) features."""
        return cast(Tensor, self.head(F.silu(x))).float()

    def forward(self, latent: Tensor) -> Tensor:
        """Map (B, latent, h, w) to (B, 3, H, W) RGB around 0..1, not clipped."""
        x = self.entry(latent)
        for number in range(len(self.blocks)):
            x = self.enlarge(number, self.scale(number, x))
        return self.face(x)


class Codebook(nn.Module):
    """Vectors that stand for pieces of faces; a latent is replaced by the nearest ones.

    Van den Oord et al., Neural Discrete Representation Learning, NeurIPS 2017. An entry that no
    latent has chosen for a while becomes a latent of the batch: in short runs most of the entries
    would never be used otherwise.
    """

    used: Tensor

    #: Decay of the entries' use, and the use below which an entry is replaced.
    DECAY, LEAST = 0.95, 0.01

    def __init__(self, entries: int, width: int) -> None:
        """Make random entries.

        Args:
            entries: Number of vectors.
            width: Length of a vector.

        """
        super().__init__()
        self.vectors = nn.Parameter(torch.randn(entries, width) * width**-0.5)
        self.register_buffer('used', torch.ones(entries))

    def nearest(self, tokens: Tensor) -> Tensor:
        """Return the (B, N) indices of the entries that are nearest to (B, N, width) tokens."""
        with without_autocast(tokens.device):
            tokens, vectors = tokens.float(), self.vectors.float()
            # The tokens' own lengths are the same for every entry. The largest is looked for, since
            # compilers for NPUs place an ArgMax more often than an ArgMin.
            return (2.0 * tokens @ vectors.T - vectors.square().sum(dim=1)).argmax(dim=-1)

    def look_up(self, indices: Tensor) -> Tensor:
        """Return the (B, N, width) vectors of (B, N) indices."""
        return F.embedding(indices, self.vectors)

    def quantise(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Replace tokens by their nearest entries; gradients pass to the tokens unchanged.

        Args:
            tokens: (B, N, width).

        Returns:
            The (B, N, width) entries, their (B, N) indices, and the loss that draws entries to
            tokens and, a quarter as strongly, tokens to entries.

        """
        indices = self.nearest(tokens)
        vectors = self.look_up(indices).float()
        tokens = tokens.float()
        loss = F.mse_loss(vectors, tokens.detach()) + 0.25 * F.mse_loss(tokens, vectors.detach())
        return tokens + (vectors - tokens).detach(), indices, loss

    @torch.no_grad()
    def revive(self, tokens: Tensor, indices: Tensor) -> None:
        """Note which entries were chosen, and replace those that have not been for long.

        Args:
            tokens: (B, N, width) tokens of a batch.
            indices: (B, N) entries that they chose.

        """
        chosen = torch.zeros_like(self.used)
        chosen.scatter_add_(0, indices.flatten(), torch.ones_like(indices.flatten().to(chosen)))
        self.used.lerp_(chosen, 1.0 - self.DECAY)
        idle = (self.used < self.LEAST).nonzero().flatten()
        if len(idle):
            flat = tokens.flatten(0, 1).float()
            # Spread over the batch, so that the same step gives the same entries.
            places = torch.arange(len(idle), device=idle.device) * len(flat) // len(idle)
            self.vectors[idle] = flat[places].to(self.vectors.dtype)
            self.used[idle] = 1.0
