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

"""How much each term of `training.losses.ccfp` weighs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from training.critics.identity_weights import check_critics


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms; a weight of 0 switches its term off.

    Attributes:
        detached: Number of first outputs that reach the next cycle without a gradient, so that what
            later cycles are judged by does not shape them: y_1 stays the best guess in pixels.
        pixel: Charbonnier distance of each cycle, first cycle first; the last
            value holds for all later cycles.
        perceptual: LPIPS (VGG16) distance of each cycle, likewise.
        adversarial: Weight of the adversarial term of each cycle, first cycle first; the
            discriminator judges the last cycle that weighs more than 0.
        matching: Weight of the distance of the discriminator's features, for the same cycle.
        features: Weight of the distance of each cycle, first cycle first, in the middle band
            (`middle_band`), where the features lie that tell people apart. Sharper cycles drift
            there while they win likeness in the band above, which this term leaves alone.
        identity: Weight of the distance of face embeddings, on whole crops only; 1 is the distance
            of two people.
        identity_critics: Share in the identity term of each network that embeds faces, by its name,
            see `training.critics.identity_weights.NAMES`. A network that weighs 0 is not loaded.
        identity_everywhere: Whether every cycle's output counts in the identity term, each as much,
            or the last one's alone.
        identity_views: Spread of the views (`face_view.View`) in which faces are embedded, drawn
            anew each step: standard deviation of the enlargement, and of the shift as a share of
            the face's side. 0 for the network's own alignment always.
        eyes: Weight of the difference in the openness of the eyes, height over width, from the
            truth's, on whole crops only and of every cycle alike. What judges likeness rewards
            sharp eyes that are open too little: with a heavier discriminator, the openness of
            filmed eyes was up to 15% less exact.
        gradient: Share that the distance of the image gradients has in the pixel term of each
            cycle, first cycle first. Errors of brightness hardly count there, noise and blur do.
        light: Extra weight of hardly spoilt faces in the pixel terms, see `balance`.
        tone: Weight of the distance of the 16x16 px means in each pixel term, the same for every
            face: brightness and colour, with the noise averaged out.
        chroma: Weight of the distance of what is left of each pixel when its mean over the colours
            is taken away, of every cycle alike. What judges likeness hardly minds eyes that turn
            blue in an infrared face.
        component: Extra weight of eyes, nose and mouth in the pixel terms and in those of the
            discriminator.
        idempotence_clean: Weight of f(t) = t.
        idempotence_restored: Weight of f(y_k) = y_k.
        idempotence_from: Cycle from which on y_k must stay. Before it the next cycle is supposed to
            change something: to hold y_1 would be to forbid y_2 to be better.
        idempotence_depth: Largest number of further applications, drawn by chance and without
            gradient, that come before the one that the idempotence terms judge.
        idempotence_noise: Standard deviation, on a scale of 0..1, of the white noise that comes on
            top of those applications: what eight bits add must be drawn back too. Without it a
            clean face drifted 1 dB further in INT8 than in FP32, in 16 cycles.
        redegradation: D(y_k) = x.
        redegradation_restored: Weight of f(D(y_k)) = y_k.
        activation: Weight of the mean excess of the stages' activations over `activation_limit`.
            Left alone, bright faces reached activations of thousands where dark ones stayed below
            one, which no 8-bit scale can hold.
        activation_limit: Magnitude up to which an activation costs nothing.

    Raises:
        ValueError: The identity critics are such that `check_critics` refuses them.

    """

    detached: int = 0
    pixel: tuple[float, ...] = (1.0,)
    perceptual: tuple[float, ...] = (0.0,)
    adversarial: tuple[float, ...] = (0.0,)
    matching: float = 0.0
    features: tuple[float, ...] = (0.0,)
    identity: float = 0.0
    identity_critics: Mapping[str, float] = field(default_factory=lambda: {'mobilefacenet': 1.0})
    identity_everywhere: bool = False
    identity_views: float = 0.0
    eyes: float = 0.0
    gradient: tuple[float, ...] = (2.0,)
    light: float = 0.0
    tone: float = 0.5
    chroma: float = 0.0
    component: float = 1.0
    idempotence_clean: float = 0.0
    idempotence_restored: float = 0.0
    idempotence_from: int = 1
    idempotence_depth: int = 0
    idempotence_noise: float = 0.0
    redegradation: float = 0.0
    redegradation_restored: float = 0.0
    activation: float = 0.02
    activation_limit: float = 4.0

    def __post_init__(self) -> None:
        """Reject what cannot be minimised."""
        check_critics(self.identity_critics, self.identity)

    def at(self, values: Sequence[float], cycle: int) -> float:
        """Return the weight of a cycle (1 = first)."""
        return values[min(cycle, len(values)) - 1]

    @property
    def fixed_point(self) -> bool:
        """Whether any idempotence or re-degradation term is on."""
        return (
            max(
                self.idempotence_clean,
                self.idempotence_restored,
                self.redegradation,
                self.redegradation_restored,
            )
            > 0
        )

    def judged_cycle(self, cycles: int) -> int:
        """Return the last of the cycles on which the adversarial terms act, 0 for none."""
        for cycle in range(cycles, 0, -1):
            if self.at(self.adversarial, cycle) > 0:
                return cycle
        return 0
