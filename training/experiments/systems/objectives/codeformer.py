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

"""CodeFormer's three stages: codebook, code prediction, controllable fidelity."""

from __future__ import annotations

import copy
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.experiments.systems.objectives.objective import (
    Objective,
    Outcome,
    Setting,
    add_term,
    adversarial_terms,
    shared_terms,
)
from training.networks.parts import Restorer
from training.networks.systems.blocks import tokens_of
from training.networks.systems.codeformer import CodeFormer


class CodebookObjective(Objective):
    """Undegraded faces through encoder, codebook and decoder."""

    trained: ClassVar[tuple[str, ...]] = ('encoder', 'codebook', 'decoder')

    def __call__(self, setting: Setting) -> Outcome:
        """Compute the loss of a step."""
        network, truth = _codeformer(setting.network), setting.batch.truth
        output, codebook = network.reconstruct(truth)
        outcome = Outcome(*shared_terms(output, setting, truth), output)
        add_term(outcome, 'codebook', codebook)
        return adversarial_terms('face', output, truth, setting, self.game, outcome)


class CodesObjective(Objective):
    """The degraded face's codes are to be those of the truth; codebook and decoder are held."""

    trained: ClassVar[tuple[str, ...]] = ('encoder', 'into', 'places', 'layers', 'logits')
    judges: ClassVar[tuple[str, ...]] = ()

    #: Weight of the cross-entropy; the latents' distance weighs 1 (equation 3 of the paper).
    CROSS_ENTROPY = 0.5

    def make_helpers(self, network: Restorer) -> dict[str, nn.Module]:
        """Return the encoder of undegraded faces, as the codebook's stage has left it."""
        return {'teacher': copy.deepcopy(_codeformer(network).encoder).requires_grad_(False)}

    def __call__(self, setting: Setting) -> Outcome:
        """Compute the loss of a step."""
        network = _codeformer(setting.network)
        logits, latents, features = network.predict(setting.batch.degraded)
        with torch.no_grad():
            teacher = setting.helpers['teacher']
            wanted = network.codebook.nearest(tokens_of(teacher(setting.batch.truth)[0]))
        outcome = code_terms(network, logits, latents, wanted, self.CROSS_ENTROPY)
        with torch.no_grad():
            codes = network.codebook.look_up(logits.argmax(dim=-1))
            outcome.restored = network.decode(codes, features, 0.0)
        return outcome


class FidelityObjective(CodesObjective):
    """The transforms learn, by the shared terms, while codes go on being predicted."""

    trained: ClassVar[tuple[str, ...]] = (*CodesObjective.trained, 'transforms')
    judges: ClassVar[tuple[str, ...]] = ('face',)

    def __call__(self, setting: Setting) -> Outcome:
        """Compute the loss of a step."""
        network, truth = _codeformer(setting.network), setting.batch.truth
        logits, latents, features = network.predict(setting.batch.degraded)
        with torch.no_grad():
            wanted = network.codebook.nearest(tokens_of(setting.helpers['teacher'](truth)[0]))
        codes = network.codebook.look_up(logits.argmax(dim=-1))
        output = network.decode(codes, features, network.fidelity)
        loss, terms = shared_terms(output, setting)
        code = code_terms(network, logits, latents, wanted, self.CROSS_ENTROPY)
        outcome = Outcome(loss + code.loss, {**terms, **code.terms}, output)
        return adversarial_terms('face', output, truth, setting, self.game, outcome)


def code_terms(
    network: CodeFormer, logits: Tensor, latents: Tensor, wanted: Tensor, cross_entropy: float
) -> Outcome:
    """Return the losses of predicted codes, without a picture.

    Args:
        network: Network with the codebook.
        logits: (B, N, codes).
        latents: (B, N, width) tokens of the encoder.
        wanted: (B, N) indices of the truth's codes.
        cross_entropy: Weight of the cross-entropy.

    """
    outcome = Outcome(torch.zeros((), device=logits.device), {}, logits)
    cross = F.cross_entropy(logits.float().flatten(0, 1), wanted.flatten())
    add_term(outcome, 'codes', cross_entropy * cross)
    target = network.codebook.look_up(wanted).detach().float()
    add_term(outcome, 'latents', F.mse_loss(latents.float(), target))
    right = (logits.detach().argmax(dim=-1) == wanted).float().mean()
    outcome.terms['codes_right'] = float(right)
    return outcome


def _codeformer(network: Restorer) -> CodeFormer:
    assert isinstance(network, CodeFormer)
    return network
