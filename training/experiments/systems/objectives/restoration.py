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

"""Restoration in one pass or several: CFRNet's own loss, and what one-pass networks have of it."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor
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
from training.losses.ccfp import Critics, ccfp_loss
from training.losses.games import Game
from training.networks.parts import Restorer
from training.networks.systems.facefusion import FaceFusion


class _Rounded(Restorer):
    """A network whose input is rounded to 8 bits; gradients pass unchanged."""

    stages: ClassVar[tuple[str, ...]] = ()
    divisor = 1

    def __init__(self, network: Restorer) -> None:
        super().__init__()
        self.network = network

    def unclipped(self, x: Tensor) -> Tensor:
        levels = (x.clamp(0.0, 1.0) * 255.0).round() / 255.0
        return self.network.unclipped(x + (levels - x).detach())


class Restoration(Objective):
    """Terms of `training.losses.ccfp` by their weights: CCFP with several cycles, else one pass."""

    def __call__(self, setting: Setting) -> Outcome:
        """Compute the loss of a step."""
        network = _Rounded(setting.network) if setting.rounding else setting.network
        judged = setting.weights.judged_cycle(setting.batch.cycles)
        judge = setting.judges['face'] if judged else None
        critics = Critics(setting.critics.lpips, judge, setting.critics.identity)
        loss, terms, outputs = ccfp_loss(network, setting.batch, setting.weights, critics)
        outcome = Outcome(loss, terms, outputs[-1])
        if judged:
            fake = outputs[judged - 1].detach().clamp(0.0, 1.0)
            outcome.judged['face'] = (setting.batch.truth, fake)
        return outcome


class HiFaceGanObjective(Objective):
    """Least-squares game, matching of the discriminator's features, and the shared terms."""

    game: ClassVar[Game] = 'least_squares'

    def __call__(self, setting: Setting) -> Outcome:
        """Compute the loss of a step."""
        output = setting.network(setting.batch.degraded, clip=False)
        outcome = Outcome(*shared_terms(output, setting), output)
        truth = setting.batch.truth
        return adversarial_terms('face', output, truth, setting, self.game, outcome)


class FaceFusionObjective(Objective):
    """The coarse face is compared with the truth of its size, the fine one by the shared terms."""

    #: Weight of the coarse face.
    COARSE = 0.5

    def __call__(self, setting: Setting) -> Outcome:
        """Compute the loss of a step."""
        assert isinstance(setting.network, FaceFusion)
        truth = setting.batch.truth
        coarse, fine = setting.network.both(setting.batch.degraded)
        outcome = Outcome(*shared_terms(fine, setting), fine)
        add_term(outcome, 'coarse', self.COARSE * l1(coarse, F.avg_pool2d(truth, 2)))
        return adversarial_terms('face', fine, truth, setting, self.game, outcome)
