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

"""GFPGAN's objective: pyramid, adversarial, facial components and identity."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.nn import functional as F

from cfrnet_ros.vision.preprocessing.align import DEFAULT_TEMPLATE
from training.experiments.systems.objectives.objective import (
    Objective,
    Outcome,
    Setting,
    add_term,
    adversarial_terms,
    l1,
    shared_terms,
)
from training.losses.games import Game, component_crops, deceive_game
from training.networks.systems.gfpgan import GFPGAN

#: Middles of both eyes and of the mouth in an aligned crop, as fractions of its side.
_CENTRES = [
    (float(x), float(y))
    for x, y in (DEFAULT_TEMPLATE[0], DEFAULT_TEMPLATE[1], DEFAULT_TEMPLATE[3:].mean(axis=0))
]


class GfpganObjective(Objective):
    """Section 3.4 of the paper; identity is one of the shared terms.

    The facial component loss is a second discriminator, of eyes and mouth, and the distance of the
    Gram matrices of its features. The paper has one such discriminator for each component.
    """

    game: ClassVar[Game] = 'logistic'
    judges: ClassVar[tuple[str, ...]] = ('face', 'components')

    #: Weight of the pyramid, of the components as a share of the adversarial term's, and of their
    #: style. The last one is 200 in the paper, with features 10 to 30 times as large.
    PYRAMID, COMPONENTS, STYLE = 0.5, 1.0, 5.0

    def __call__(self, setting: Setting) -> Outcome:
        """Compute the loss of a step."""
        assert isinstance(setting.network, GFPGAN)
        truth = setting.batch.truth
        output, pyramid = setting.network.with_pyramid(setting.batch.degraded)
        outcome = Outcome(*shared_terms(output, setting), output)
        size = truth.shape[-1]
        distances = [l1(face, F.avg_pool2d(truth, size // face.shape[-1])) for face in pyramid]
        add_term(outcome, 'pyramid', self.PYRAMID * torch.stack(distances).mean())
        adversarial_terms('face', output, truth, setting, self.game, outcome)
        weight = setting.weights.at(setting.weights.adversarial, 1)
        if weight > 0:
            real = component_crops(truth, _CENTRES)
            fake = component_crops(output.clamp(0.0, 1.0), _CENTRES)
            deceive, _, style = deceive_game(setting.judges['components'], real, fake, self.game)
            add_term(outcome, 'adversarial_components', weight * self.COMPONENTS * deceive)
            add_term(outcome, 'style_components', self.STYLE * style)
            outcome.judged['components'] = (real, fake.detach())
        return outcome
