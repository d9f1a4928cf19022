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

"""CodeFormer-lite: a codebook of face pieces, codes predicted with attention, fidelity by choice.

Zhou et al., Towards Robust Blind Face Restoration with Codebook Lookup Transformer, NeurIPS 2022.
A VQ autoencoder learns the codebook on undegraded faces; then a transformer learns to name the
codes of a degraded face; at last controllable feature transforms let as much of the degraded
face's own features into the decoder as is asked for. The paper has 1,024 codes and nine layers of
attention.
"""

from __future__ import annotations

from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.networks.parts import Restorer, conv
from training.networks.systems.autoencoder import Codebook, Decoder, Encoder
from training.networks.systems.blocks import Attention, features_of, tokens_of

#: Channels at strides 2, 4, 8 and 16.
WIDTHS = (32, 40, 80, 112)
#: Entries of the codebook, their length, and the side of a 256 px face's grid of codes.
CODES, WIDTH, GRID = 256, 48, 16


class Layer(nn.Module):
    """One layer of the transformer; places enter queries and keys, not values."""

    def __init__(self, width: int, heads: int) -> None:
        """Make the layers.

        Args:
            width: Width of a token.
            heads: Number of heads of the attention.

        """
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.wide, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, tokens: Tensor, places: Tensor) -> Tensor:
        """Map (B, N, width) tokens at (N, width) places to the same shape."""
        normal = self.norm1(tokens)
        placed = normal + places
        tokens = tokens + self.attention(placed, placed, normal)
        return cast(Tensor, tokens + self.narrow(F.gelu(self.wide(self.norm2(tokens)))))


class ControllableTransform(nn.Module):
    """Scales and shifts the decoder's features by the encoder's, as much as is asked for."""

    def __init__(self, channels: int) -> None:
        """Make the layers.

        Args:
            channels: Channels of either features.

        """
        super().__init__()
        self.merge = conv(2 * channels, channels)
        self.scale, self.shift = conv(channels, channels), conv(channels, channels)
        with torch.no_grad():
            for layer in (self.scale, self.shift):
                layer.weight.mul_(0.1)

    def forward(self, decoded: Tensor, encoded: Tensor, fidelity: float) -> Tensor:
        """Map two (B, C, H, W) to the same shape; fidelity 0 returns `decoded`."""
        merged = F.leaky_relu(self.merge(torch.cat([encoded, decoded], dim=1)), 0.2)
        return decoded + fidelity * (decoded * self.scale(merged) + self.shift(merged))


class CodeFormer(Restorer):
    """Encoder, code prediction, codebook and decoder, with transforms at strides 4 and 8.

    Attributes:
        fidelity: Weight of the degraded face's own features, 0 (codes alone) to 1.

    """

    stages: ClassVar[tuple[str, ...]] = ()
    divisor = 256

    def __init__(self, layers: int = 5, width: int = 104) -> None:
        """Build the layers.

        Args:
            layers: Number of layers of the transformer.
            width: Width of a token.

        """
        super().__init__()
        self.fidelity = 1.0
        self.encoder = Encoder(WIDTHS, WIDTH)
        self.codebook = Codebook(CODES, WIDTH)
        self.decoder = Decoder(WIDTH, WIDTHS)
        self.into = nn.Linear(WIDTH, width)
        self.places = nn.Parameter(torch.randn(GRID**2, width) * 0.02)
        self.layers = nn.ModuleList(Layer(width, 4) for _ in range(layers))
        self.logits = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, CODES))
        # By the number of the decoder's scale: 1 and 2 are strides 8 and 4.
        self.transforms = nn.ModuleDict(
            {'1': ControllableTransform(WIDTHS[2]), '2': ControllableTransform(WIDTHS[1])}
        )

    def reconstruct(self, face: Tensor) -> tuple[Tensor, Tensor]:
        """Pass a face through encoder, codebook and decoder, as the first stage trains them.

        Args:
            face: (B, 3, 256, 256) RGB in 0..1.

        Returns:
            The (B, 3, 256, 256) face, not clipped, and the loss of the codebook.

        """
        tokens = tokens_of(self.encoder(face)[0])
        quantised, indices, loss = self.codebook.quantise(tokens)
        if self.training:
            self.codebook.revive(tokens.detach(), indices)
        return self.decoder(features_of(quantised, GRID)), loss

    def predict(self, face: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Name the codes of a degraded face.

        Args:
            face: (B, 3, 256, 256) RGB in 0..1.

        Returns:
            (B, 256, CODES) logits, the encoder's (B, 256, WIDTH) tokens, and its features by scale.

        """
        latent, features = self.encoder(face)
        latents = tokens_of(latent)
        tokens = self.into(latents)
        for layer in self.layers:
            tokens = layer(tokens, self.places)
        return self.logits(tokens), latents, features

    def decode(self, codes: Tensor, features: list[Tensor], fidelity: float) -> Tensor:
        """Return the face of (B, 256, WIDTH) codes, not clipped.

        Args:
            codes: Vectors of the codebook.
            features: Encoder's features at strides 2, 4...
            fidelity: See the class.

        """
        x = self.decoder.entry(features_of(codes, GRID))
        for number in range(len(WIDTHS)):
            x = self.decoder.scale(number, x)
            if str(number) in self.transforms and fidelity > 0.0:
                transform = self.transforms[str(number)]
                x = transform(x, features[len(WIDTHS) - 1 - number], fidelity)
            x = self.decoder.enlarge(number, x)
        return self.decoder.face(x)

    def unclipped(self, x: Tensor) -> Tensor:
        """Return the restored face; H and W are 256."""
        logits, _, features = self.predict(x)
        codes = self.codebook.look_up(logits.argmax(dim=-1))
        return self.decode(codes, features, self.fidelity)
