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

"""OSDFace's two stages: autoencoder and dictionary, then one denoising step."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional as F

from training.experiments.systems.objectives.objective import (
    Objective,
    Outcome,
    Setting,
    add_term,
    adversarial_terms,
    l1,
    shared_terms,
)
from training.networks.parts import Restorer
from training.networks.systems.autoencoder import Decoder
from training.networks.systems.blocks import features_of
from training.networks.systems.osdface import EMBEDDER, GRID, WIDTH, OSDFace


class DictionaryObjective(Objective):
    """Truths through the autoencoder, degraded faces through the embedder and its dictionary.

    The dictionary is learnt as the paper does, by giving the degraded face back from its entries;
    the decoder for that is left behind afterwards. The autoencoder stands for Stable Diffusion's.
    """

    trained: ClassVar[tuple[str, ...]] = ('encoder', 'decoder', 'embedder')

    def make_helpers(self, network: Restorer) -> dict[str, nn.Module]:
        """Return the decoder of degraded faces."""
        return {'degraded_decoder': Decoder(WIDTH, EMBEDDER)}

    def __call__(self, setting: Setting) -> Outcome:
        """Compute the loss of a step."""
        network, batch = _osdface(setting.network), setting.batch
        output = network.reconstruct(batch.truth)
        outcome = Outcome(*shared_terms(output, setting, batch.truth), output)
        tokens = network.embedder.tokens(batch.degraded)
        dictionary = network.embedder.dictionary
        entries, indices, codebook = dictionary.quantise(tokens)
        if network.training:
            dictionary.revive(tokens.detach(), indices)
        again = setting.helpers['degraded_decoder'](features_of(entries, GRID))
        add_term(outcome, 'degraded', l1(again, batch.degraded))
        add_term(outcome, 'dictionary', codebook)
        return adversarial_terms('face', output, batch.truth, setting, self.game, outcome)


class StepObjective(Objective):
    """The U-Net learns; autoencoder and embedder are held.

    The paper's discriminator looks at latents; this one looks at faces, as that of every row does.
    """

    trained: ClassVar[tuple[str, ...]] = ('unet', 'share')

    #: Weight of the latents' distance.
    LATENT = 0.5

    def __call__(self, setting: Setting) -> Outcome:
        """Compute the loss of a step."""
        network, batch = _osdface(setting.network), setting.batch
        with torch.no_grad():
            latent, prompt = network.encoder(batch.degraded)[0], network.embedder(batch.degraded)
            wanted = network.encoder(batch.truth)[0]
        clean = network.denoise(latent, prompt)
        output = network.decoder(clean)
        outcome = Outcome(*shared_terms(output, setting), output)
        add_term(outcome, 'latent', self.LATENT * F.mse_loss(clean.float(), wanted.float()))
        return adversarial_terms('face', output, batch.truth, setting, self.game, outcome)


def _osdface(network: Restorer) -> OSDFace:
    assert isinstance(network, OSDFace)
    return network
