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

"""The form of an objective, and the terms that all of them share."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn

from training.critics.discriminator import PatchDiscriminator
from training.losses.ccfp import Batch, Critics, ccfp_loss
from training.losses.games import Game, deceive_game
from training.losses.weights import LossWeights
from training.networks.parts import Restorer


@dataclass(frozen=True)
class Setting:
    """What an objective computes with at one step.

    Attributes:
        network: Network that is trained.
        helpers: Further modules of the phase by name, see `Objective.make_helpers`.
        batch: Batch of the step.
        weights: Weights of the terms.
        critics: Networks that judge and are not the row's own; `judge` is absent.
        judges: Discriminators of the row by name.
        rounding: Whether each cycle's input is rounded to 8 bits.

    """

    network: Restorer
    helpers: Mapping[str, nn.Module]
    batch: Batch
    weights: LossWeights
    critics: Critics
    judges: Mapping[str, PatchDiscriminator]
    rounding: bool = False


@dataclass
class Outcome:
    """What a step of an objective gave.

    Attributes:
        loss: Scalar to be minimised.
        terms: Value of each term by name.
        restored: (B, 3, H, W) picture that is compared with the truth in the curves, not clipped.
        judged: (real, fake) pictures in 0..1 that each discriminator learns from, by its name; the
            fakes are detached.

    """

    loss: Tensor
    terms: dict[str, float]
    restored: Tensor
    judged: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)


class Objective(ABC):
    """What one phase of a row minimises.

    Attributes:
        game: Kind of the adversarial game.
        trained: Names of the network's parts that learn, all others are held; empty for all.
        judges: Names of the discriminators that the phase needs.

    """

    game: ClassVar[Game] = 'hinge'
    trained: ClassVar[tuple[str, ...]] = ()
    judges: ClassVar[tuple[str, ...]] = ('face',)

    @abstractmethod
    def __call__(self, setting: Setting) -> Outcome:
        """Compute the loss of a step."""

    def make_helpers(self, network: Restorer) -> dict[str, nn.Module]:
        """Return modules that the phase needs beside the network, by name.

        Those with parameters that need a gradient learn with the network. They are made when the
        phase begins and left behind with it.
        """
        return {}


class _Given(Restorer):
    """Stands for a network whose output is computed already."""

    stages: ClassVar[tuple[str, ...]] = ()
    divisor = 1

    def __init__(self, output: Tensor) -> None:
        super().__init__()
        self._output = output

    def unclipped(self, x: Tensor) -> Tensor:
        return self._output


def shared_terms(
    output: Tensor, setting: Setting, source: Tensor | None = None
) -> tuple[Tensor, dict[str, float]]:
    """Return the terms that every system has alike, for one output: pixels, LPIPS, identity.

    Args:
        output: (B, 3, H, W) restored faces, not clipped.
        setting: Setting of the step. Of the weights those of the first cycle count.
        source: Faces that the output was made of; None for the degraded ones.

    """
    batch = dataclasses.replace(
        setting.batch,
        cycles=1,
        extra=0,
        degraded=setting.batch.degraded if source is None else source,
    )
    critics = dataclasses.replace(setting.critics, judge=None)
    loss, terms, _ = ccfp_loss(_Given(output), batch, setting.weights, critics)
    return loss, terms


def adversarial_terms(
    name: str, output: Tensor, truth: Tensor, setting: Setting, game: Game, outcome: Outcome
) -> Outcome:
    """Add the adversarial term and that of the discriminator's features to an outcome.

    Args:
        name: Name of the discriminator.
        output: (B, 3, H, W) restored faces, not clipped.
        truth: (B, 3, H, W) truths.
        setting: Setting of the step; `adversarial` and `matching` weigh the terms, of the first
            cycle.
        game: Kind of the game.
        outcome: Outcome of the other terms, which is changed.

    Returns:
        The same outcome; unchanged if the adversarial term weighs nothing.

    """
    weight = setting.weights.at(setting.weights.adversarial, 1)
    if weight <= 0:
        return outcome
    fake = output.clamp(0.0, 1.0)
    deceive, matching, _ = deceive_game(setting.judges[name], truth, fake, game)
    add_term(outcome, f'adversarial_{name}', weight * deceive)
    if setting.weights.matching > 0:
        add_term(outcome, f'matching_{name}', setting.weights.matching * matching)
    outcome.judged[name] = (truth, fake.detach())
    return outcome


def add_term(outcome: Outcome, name: str, term: Tensor) -> None:
    """Add a term to an outcome's loss and note its value."""
    outcome.loss = outcome.loss + term
    outcome.terms[name] = float(term.detach())


def l1(first: Tensor, second: Tensor) -> Tensor:
    """Return the mean absolute distance, in float32."""
    return torch.nn.functional.l1_loss(first.float(), second.float())
