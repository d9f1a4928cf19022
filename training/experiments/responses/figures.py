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

"""Figures of one face after each cycle, and how they respond to moves of the weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call

from training.critics.dlib_descriptor import FaceDescriptor
from training.critics.eye_openness import EyeOpennessCritic
from training.critics.mobilefacenet import IdentityEmbedding, identity_distance
from training.critics.perceptual import Lpips
from training.experiments.responses.filmed_faces import FILMED
from training.experiments.responses.moves import Moves
from training.metrics.dists import Dists

#: Names of the figures whose responses are taken: LPIPS (AlexNet) of the first cycle; likeness to
#: the truth of the third, LPIPS and DISTS; squared error of the second and third; the person and
#: the eyes after the second and third; growth of the squared error from the second to the last,
#: where there are more than three.
FIGURES = ('first', 'likeness', 'error', 'person', 'drift')

#: Shares of DISTS beside LPIPS, of dlib's descriptor beside MobileFaceNet, and of the eyes beside
#: both. A distance of dlib's is typically 1.2 times one of MobileFaceNet's.
_DISTS, _DLIB, _EYES = 0.7, 1.0 / 1.2, 0.3
#: Difference of openness, height over width, that counts as much as a typical distance of persons.
_EYE = 0.07


@dataclass(frozen=True)
class Typical:
    """Typical figures of a set, by which its figures are divided.

    Attributes:
        lpips: LPIPS after the third cycle.
        dists: DISTS after the third cycle.
        person: Sum of MobileFaceNet's distances after the second and the third.
        cycles: Number of cycles that are measured, 3 or more. Six only where the fixed point is far
            from the best cycle: they take twice as long.

    """

    lpips: float
    dists: float
    person: float
    cycles: int = 3


#: Typical figures of each set, of some ten faces and the weights that were moved first.
TYPICAL: Mapping[str, Typical] = {
    'car': Typical(0.225, 0.19, 0.47),
    'general': Typical(0.13, 0.11, 0.09),
    'motion': Typical(0.14, 0.125, 0.14),
    'mosaic': Typical(0.26, 0.22, 0.96, cycles=6),
    'fused': Typical(0.22, 0.19, 0.2),
    FILMED: Typical(0.22, 0.19, 0.2),
    'low_light': Typical(0.25, 0.2, 0.4),
}


@dataclass
class Judges:
    """Frozen networks that measure faces."""

    lpips: Lpips = field(default_factory=lambda: Lpips('alex'))
    dists: Dists = field(default_factory=Dists)
    mobilefacenet: IdentityEmbedding = field(default_factory=IdentityEmbedding)
    dlib: FaceDescriptor = field(default_factory=FaceDescriptor)
    eyes: EyeOpennessCritic = field(default_factory=EyeOpennessCritic)

    def figures(self, outputs: list[Tensor], truth: Tensor, typical: Typical) -> list[Tensor]:
        """Return the values of `FIGURES`.

        Args:
            outputs: (1, 3, 256, 256) RGB in 0..1 of each of three or more cycles.
            truth: (1, 3, 256, 256) RGB in 0..1.
            typical: Typical figures of the face's set.

        """
        with torch.no_grad():
            features = self.lpips.features(truth)
            who, descriptor, open_as = self.mobilefacenet(truth), self.dlib(truth), self.eyes(truth)

        def perceived(image: Tensor) -> Tensor:
            return self.lpips.distance(self.lpips.features(image), features).mean()

        def person(image: Tensor) -> Tensor:
            distance = identity_distance(self.mobilefacenet(image), who).mean()
            distance = distance + _DLIB * identity_distance(self.dlib(image), descriptor).mean()
            return (
                distance / typical.person + _EYES / _EYE * (self.eyes(image) - open_as).abs().mean()
            )

        def error(image: Tensor) -> Tensor:
            # A logarithm, since PSNR is one.
            return (image - truth).square().mean().log()

        first, second, third, *later = outputs
        texture = self.dists(third, truth).mean() / typical.dists
        return [
            perceived(first),
            perceived(third) / typical.lpips + _DISTS * texture,
            error(second) + error(third),
            person(second) + person(third),
            error(later[-1]) - error(second) if later else torch.zeros(()),
        ]


def responses(
    network: nn.Module, moves: Moves, degraded: Tensor, truth: Tensor, judges: Judges, of: Typical
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Measure one face, and derive its figures along all moves.

    Args:
        network: Network of the moved weights' layout.
        moves: M moves; the network is measured with the weights that they begin at.
        degraded: (1, 3, 256, 256) RGB in 0..1, prepared as the node does (`crops.prepare`).
        truth: (1, 3, 256, 256) RGB in 0..1.
        judges: Networks that measure it.
        of: Typical figures of the face's set.

    Returns:
        (5,) float32 values of `FIGURES` and their (5, M) float32 derivatives.

    """
    weights = {name: value.clone().requires_grad_() for name, value in moves.start.items()}
    outputs, image = [], degraded
    for _ in range(of.cycles):
        image = functional_call(network, weights, (image,)).clamp(0.0, 1.0)
        outputs.append(image)
    # The judges are derived once at the outputs; each figure then goes back through the cycles.
    leaves = [output.detach().requires_grad_() for output in outputs]
    values = judges.figures(leaves, truth, of)
    slopes: list[NDArray[np.float32]] = []
    for value in values:
        if not value.requires_grad:
            slopes.append(np.zeros(len(moves), np.float32))
            continue
        at_outputs = torch.autograd.grad(value, leaves, allow_unused=True)
        pairs = [(o, g) for o, g in zip(outputs, at_outputs, strict=True) if g is not None]
        slopes.append(
            moves.along(
                torch.autograd.grad(
                    [output for output, _ in pairs],
                    list(weights.values()),
                    [gradient for _, gradient in pairs],
                    retain_graph=True,
                )
            )
        )
    return np.array([float(v.detach()) for v in values], np.float32), np.stack(slopes)
