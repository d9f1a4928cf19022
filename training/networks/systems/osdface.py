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

"""OSDFace-lite: one denoising step in latent space, told by a dictionary what it is looking at.

Wang et al., OSDFace: One-Step Diffusion Model for Face Restoration, CVPR 2025. A visual
representation embedder tokenises the degraded face by a dictionary of degraded faces' pieces; the
tokens are the prompt to which a U-Net attends when it predicts, in one step, the noise that parts
the degraded face's latent from the restored one's. The paper begins with Stable Diffusion's
autoencoder and U-Net (near a thousand million parameters, trained on thousands of millions of
pictures); here autoencoder and U-Net are trained on the same faces as all else.
"""

from __future__ import annotations

from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.networks.parts import Restorer, conv, enlarge
from training.networks.systems.autoencoder import Codebook, Decoder, Encoder
from training.networks.systems.blocks import Attention, NormalisedBlock, features_of, tokens_of

#: Channels of the autoencoder at strides 2, 4 and 8, and of the latent.
WIDTHS, LATENT = (24, 40, 64), 8
#: Channels of the embedder at strides 2 to 16, entries of the dictionary, their length, side of
#: the grid of tokens.
EMBEDDER, ENTRIES, WIDTH, GRID = (16, 32, 48, 64), 256, 48, 16
#: Channels of the U-Net at strides 8, 16 and 32.
UNET = (72, 104, 128)
#: The step from which the paper denoises, of the 1,000 of Stable Diffusion's schedule.
STEP = 399


def signal_share(step: int = STEP) -> float:
    """Return the share of the signal in the variance at a step of the scaled-linear schedule.

    Betas from 0.00085 to 0.012, their roots evenly spaced (Rombach et al., High-Resolution Image
    Synthesis with Latent Diffusion Models, CVPR 2022).
    """
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64).square()
    return float((1.0 - betas).cumprod(0)[step])


class VisualEmbedder(nn.Module):
    """Encoder of degraded faces and the dictionary of their pieces."""

    def __init__(self) -> None:
        """Build the layers."""
        super().__init__()
        self.encoder = Encoder(EMBEDDER, WIDTH)
        self.dictionary = Codebook(ENTRIES, WIDTH)

    def tokens(self, face: Tensor) -> Tensor:
        """Return the (B, 256, WIDTH) tokens of a (B, 3, 256, 256) face, not quantised yet."""
        return tokens_of(self.encoder(face)[0])

    def forward(self, face: Tensor) -> Tensor:
        """Return the (B, 256, WIDTH) entries that a (B, 3, 256, 256) face consists of."""
        return self.dictionary.look_up(self.dictionary.nearest(self.tokens(face)))


class PromptedBlock(nn.Module):
    """A residual block, then attention of every place to the prompt."""

    def __init__(self, inputs: int, outputs: int) -> None:
        """Make the layers.

        Args:
            inputs: Channels of the input.
            outputs: Channels of the output.

        """
        super().__init__()
        self.block = NormalisedBlock(inputs, outputs)
        self.norm = nn.LayerNorm(outputs)
        self.attention = Attention(outputs, 4, WIDTH)

    def forward(self, x: Tensor, prompt: Tensor) -> Tensor:
        """Map (B, inputs, H, W), prompted by (B, N, WIDTH), to (B, outputs, H, W)."""
        x = self.block(x)
        attended = self.attention(self.norm(tokens_of(x)), prompt, prompt)
        return x + features_of(attended, x.shape[-2])


class PromptedUNet(nn.Module):
    """Predicts the noise in a latent; the two coarse scales attend to the prompt."""

    def __init__(self) -> None:
        """Build the layers."""
        super().__init__()
        c8, c16, c32 = UNET
        self.entry = conv(LATENT, c8)
        self.fine = NormalisedBlock(c8, c8)
        self.down16 = conv(c8, c16, stride=2)
        self.middle = PromptedBlock(c16, c16)
        self.down32 = conv(c16, c32, stride=2)
        self.coarse = PromptedBlock(c32, c32)
        self.up16 = conv(c32, c16)
        self.middle_up = PromptedBlock(c16, c16)
        self.up8 = conv(c16, c8)
        self.fine_up = NormalisedBlock(c8, c8)
        self.exit = conv(c8, LATENT)
        with torch.no_grad():
            self.exit.weight.mul_(0.1)

    def forward(self, latent: Tensor, prompt: Tensor) -> Tensor:
        """Map (B, LATENT, h, w), prompted by (B, N, WIDTH), to the noise of the same shape."""
        s8 = self.fine(self.entry(latent))
        s16 = self.middle(self.down16(s8), prompt)
        s32 = self.coarse(self.down32(s16), prompt)
        d16 = self.middle_up(enlarge(self.up16(s32)) + s16, prompt)
        d8 = self.fine_up(enlarge(self.up8(d16)) + s8)
        return cast(Tensor, self.exit(F.silu(d8)))


class OSDFace(Restorer):
    """Autoencoder, visual representation embedder and one-step U-Net."""

    stages: ClassVar[tuple[str, ...]] = ()
    divisor = 256

    def __init__(self) -> None:
        """Build the layers."""
        super().__init__()
        self.encoder = Encoder(WIDTHS, LATENT)
        self.decoder = Decoder(LATENT, WIDTHS)
        self.embedder = VisualEmbedder()
        self.unet = PromptedUNet()
        signal = signal_share()
        self._signal, self._noise = signal**0.5, (1.0 - signal) ** 0.5
        # With this much of the latent as noise a step returns the latent: without Stable
        # Diffusion's training the step begins by changing nothing.
        begin = (1.0 - self._signal) / self._noise
        self.share = nn.Parameter(torch.full((1, LATENT, 1, 1), begin))

    def reconstruct(self, face: Tensor) -> Tensor:
        """Return a (B, 3, 256, 256) face as the autoencoder gives it back, not clipped."""
        return cast(Tensor, self.decoder(self.encoder(face)[0]))

    def denoise(self, latent: Tensor, prompt: Tensor) -> Tensor:
        """Return the (B, LATENT, 32, 32) latent of the restored face."""
        noise = self.share * latent + self.unet(latent, prompt)
        return (latent - self._noise * noise) / self._signal

    def unclipped(self, x: Tensor) -> Tensor:
        """Return the restored face; H and W are 256."""
        return cast(Tensor, self.decoder(self.denoise(self.encoder(x)[0], self.embedder(x))))
