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

"""Cycle-Consistent Fixed-Point Training: the three losses, and what they supervise with.

For a network f, a degradation D, a truth t and x = D(t), with y_j = f(y_{j-1})
and y_0 = x:

* progressive supervision: every y_1..y_k is compared with t; k grows during
  training and later cycles weigh more towards the perceptual terms;
* idempotence: f(t) = t, and f(y_k) = y_k with y_k held fixed, both also after some more
  applications, so that what drifts is drawn back;
* re-degradation cycle: D(y_k) = x, and f(D(y_k)) = y_k held fixed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.critics.discriminator import PatchDiscriminator, deceive_loss
from training.critics.eye_openness import EyeOpennessCritic, EyeShift
from training.critics.face_view import STRAIGHT, View
from training.critics.identity_networks import IdentityCritic
from training.critics.identity_weights import used_critics
from training.critics.mobilefacenet import identity_distance
from training.critics.perceptual import Lpips
from training.degradation import Degradation, degrade, expose_batch
from training.losses.weights import LossWeights


@dataclass(frozen=True)
class Critics:
    """The networks that judge, each frozen here or absent.

    Attributes:
        lpips: VGG16's perceptual distance.
        judge: Discriminator.
        identity: Networks that embed faces, by their names in `LossWeights.identity_critics`; every
            one that weighs more than 0 there, or none, which leaves the term out.
        eyes: Network that measures how far eyes are open.

    """

    lpips: Lpips | None = None
    judge: PatchDiscriminator | None = None
    identity: Mapping[str, IdentityCritic] = field(default_factory=dict)
    eyes: EyeOpennessCritic | None = None


@dataclass(frozen=True)
class Batch:
    """What one step sees.

    Attributes:
        degraded: (B, 3, H, W) x, RGB in 0..1.
        truth: (B, 3, H, W) t.
        components: (B, 1, H, W) map of the facial components, 0..1.
        plans: The B degradations that made x from t.
        cycles: Number of cycles k.
        seen: Number of faces, from the end of the batch, that LPIPS measures.
        extra: Number of faces, from the start of the batch, that the terms with one more pass see.
        depth: Number of applications that come before the idempotence terms.
        window: Top, left and side of the square that LPIPS sees, in pixels.
        noise: (extra, 3, H, W) noise of the idempotence terms, or None.
        view: View in which the identity term embeds the faces.
        eye_shift: Departure of the eyes from where they are expected, in pixels.

    """

    degraded: Tensor
    truth: Tensor
    components: Tensor
    plans: Sequence[Degradation]
    cycles: int
    seen: int
    extra: int
    depth: int
    window: tuple[int, int, int]
    noise: Tensor | None = None
    view: View = STRAIGHT
    eye_shift: EyeShift = (0.0, 0.0)


class ActivationRange:
    """Adds up by how much a network's activations exceed a limit, over all its calls."""

    def __init__(self, network: nn.Module, stages: Sequence[str], limit: float) -> None:
        """Watch the outputs of the network's stages (names of submodules)."""
        self.limit = limit
        self._excess: list[Tensor] = []
        for name in stages:
            network.get_submodule(name).register_forward_hook(self._watch)

    def _watch(self, _module: nn.Module, _inputs: object, output: Tensor) -> None:
        if not output.requires_grad:
            return
        if not output.is_cuda:
            low, high = output.detach().aminmax()
            if -self.limit <= float(low) and float(high) <= self.limit:
                # Nearly always: not worth five passes over the output, and five back.
                self._excess.append(torch.zeros(()))
                return
        self._excess.append(F.relu(output.float().abs() - self.limit).mean())

    def take(self) -> Tensor:
        """Return the mean excess of all calls since the last time, and forget them."""
        excess = torch.stack(self._excess).mean()
        self._excess.clear()
        return excess


def charbonnier(first: Tensor, second: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return the mean smooth L1 distance (Lai et al., CVPR 2017; eps 1e-3)."""
    distance = ((first - second).square() + 1e-6).sqrt()
    return distance.mean() if weight is None else (distance * weight).mean()


def balance(degraded: Tensor, truth: Tensor, light: float = 0.0) -> Tensor:
    """Return (B, 1, 1, 1) weights that make differently spoilt faces count alike.

    A dark face is ten times as far from its truth as a noisy one. Unbalanced, its
    gradient drowns everything else: a network brightened after 4,000 steps, and had
    not begun to remove noise. Hardly spoilt faces have the smallest distances of all, and in
    decibels the most to lose: 34 dB are a mean distance of about 0.015. With `light` they
    count up to 1 + light times as much.
    """
    distance = (degraded - truth).abs().mean(dim=(1, 2, 3), keepdim=True)
    return (0.06 / (distance + 0.02)).sqrt().clamp(0.4, 1.5) * (
        1.0 + light * torch.exp(-distance / 0.015)
    )


def restoration_loss(
    output: Tensor, truth: Tensor, weight: Tensor, gradient: float, tone: float
) -> Tensor:
    """Return the weighted pixel distance plus those of the gradients and of the tones."""
    error = output - truth
    loss = charbonnier(output, truth, weight)
    if gradient > 0:
        for step in (error.diff(dim=2), error.diff(dim=3)):
            part = weight[..., : step.shape[-2], : step.shape[-1]]
            loss = loss + 0.5 * gradient * charbonnier(step, torch.zeros_like(step), part)
    if tone > 0:
        loss = loss + tone * charbonnier(F.avg_pool2d(output, 16), F.avg_pool2d(truth, 16))
    return loss


def middle_band(face: Tensor) -> Tensor:
    """Return what the 4x4 px means of a face differ by from their surroundings of 16x16 px.

    Of a restored face in which just this band was replaced by the first cycle's, SFace's angle to
    the person fell by 0.7 degrees of the 1.8 that two more cycles cost, and LPIPS rose by 3%.

    Args:
        face: (B, C, H, W), sides multiples of 16.

    Returns:
        (B, C, H / 4, W / 4); linear in the face.

    """
    means = F.avg_pool2d(face, 4)
    around = F.interpolate(F.avg_pool2d(means, 4), scale_factor=4.0, mode='bilinear')
    return means - around


def ccfp_loss(
    network: nn.Module, batch: Batch, weights: LossWeights, critics: Critics
) -> tuple[Tensor, dict[str, float], list[Tensor]]:
    """Compute the whole loss of one batch.

    Args:
        network: Restorer; called with ``clip=False``.
        batch: Batch that the restorer sees.
        weights: Weights of the terms.
        critics: Networks that judge; a term whose network is absent is left out.

    Returns:
        The scalar loss, the value of each term, and the outputs y_1..y_k.

    Raises:
        KeyError: Some identity critics are there, but not all that weigh more than 0.

    """
    terms: dict[str, Tensor] = {}
    truth = batch.truth
    attention = 1.0 + weights.component * batch.components
    current = batch.degraded
    outputs: list[Tensor] = []
    for cycle in range(1, batch.cycles + 1):
        output = network(current, clip=False)
        outputs.append(output)
        current = output.detach() if cycle <= weights.detached else output
    weight = attention * balance(batch.degraded, truth, weights.light)
    for cycle, output in enumerate(outputs, start=1):
        terms[f'pixel_{cycle}'] = weights.at(weights.pixel, cycle) * restoration_loss(
            output, truth, weight, weights.at(weights.gradient, cycle), weights.tone
        )
        if weights.at(weights.features, cycle) > 0:
            terms[f'features_{cycle}'] = weights.at(weights.features, cycle) * charbonnier(
                middle_band(output), middle_band(truth), F.avg_pool2d(weight, 4)
            )
    if weights.chroma > 0:
        colour = _chroma(truth)
        distances = [charbonnier(_chroma(output), colour) for output in outputs]
        terms['chroma'] = weights.chroma * torch.stack(distances).mean()
    if critics.lpips is not None and batch.seen > 0:
        terms.update(_perceptual(outputs, batch, weights, critics.lpips))
    judged = weights.judged_cycle(batch.cycles)
    if critics.judge is not None and judged:
        adversarial, matching = deceive_loss(
            critics.judge, truth, outputs[judged - 1].clamp(0.0, 1.0), attention
        )
        terms['adversarial'] = weights.at(weights.adversarial, judged) * adversarial
        if weights.matching > 0:
            terms['matching'] = weights.matching * matching
    compared = outputs if weights.identity_everywhere else outputs[-1:]
    for name in used_critics(weights.identity_critics) if critics.identity else ():
        embed = critics.identity[name]
        with torch.no_grad():
            who = embed(truth, batch.view)
        distances = [
            identity_distance(embed(output.clamp(0.0, 1.0), batch.view), who).mean()
            for output in compared
        ]
        share = weights.identity_critics[name]
        terms[f'identity_{name}'] = weights.identity * share * torch.stack(distances).mean()
    if critics.eyes is not None and weights.eyes > 0:
        terms['eyes'] = weights.eyes * _eyes(outputs, batch, critics.eyes)
    if weights.fixed_point and batch.extra > 0:
        terms.update(_fixed_point(network, outputs[-1], batch, weights))
    total = torch.stack(list(terms.values())).sum()
    return total, {name: float(value.detach()) for name, value in terms.items()}, outputs


def _eyes(outputs: Sequence[Tensor], batch: Batch, measure: EyeOpennessCritic) -> Tensor:
    """Return the mean difference in openness, height over width, of all cycles' eyes."""
    with torch.no_grad():
        truth = measure(batch.truth, batch.eye_shift)
    found = [measure(output.clamp(0.0, 1.0), batch.eye_shift) for output in outputs]
    return torch.stack([(openness - truth).abs().mean() for openness in found]).mean()


def _chroma(face: Tensor) -> Tensor:
    return face - face.mean(dim=1, keepdim=True)


def _perceptual(
    outputs: Sequence[Tensor], batch: Batch, weights: LossWeights, lpips: Lpips
) -> dict[str, Tensor]:
    top, left, side = batch.window
    place = (
        slice(-batch.seen, None),
        slice(None),
        slice(top, top + side),
        slice(left, left + side),
    )
    judged = [c for c in range(1, len(outputs) + 1) if weights.at(weights.perceptual, c) > 0]
    if not judged:
        return {}
    with torch.no_grad():
        reference = lpips.features(batch.truth[place])
    return {
        f'perceptual_{cycle}': weights.at(weights.perceptual, cycle)
        * lpips.distance(lpips.features(outputs[cycle - 1][place]), reference).mean()
        for cycle in judged
    }


def _fixed_point(
    network: nn.Module, final: Tensor, batch: Batch, weights: LossWeights
) -> dict[str, Tensor]:
    """Return the terms that make f leave alone what is restored, and find it again."""
    terms: dict[str, Tensor] = {}
    extra = slice(0, batch.extra)
    final = final[extra]
    fixed = final.detach().clamp(0.0, 1.0)

    def stays(face: Tensor) -> Tensor:
        start = face
        with torch.no_grad():
            for _ in range(batch.depth):
                start = network(start)
            if batch.noise is not None:
                start = start + batch.noise
        return charbonnier(network(start, clip=False), face)

    if weights.idempotence_clean > 0:
        terms['idempotence_clean'] = weights.idempotence_clean * stays(batch.truth[extra])
    if weights.idempotence_restored > 0 and batch.cycles >= weights.idempotence_from:
        terms['idempotence_restored'] = weights.idempotence_restored * stays(fixed)
    if weights.redegradation > 0 or weights.redegradation_restored > 0:
        # A degradation in half precision would not be the one that made x.
        with torch.autocast(final.device.type, enabled=False):
            again = expose_batch(degrade(final.float().clamp(0.0, 1.0), list(batch.plans)[extra]))
        terms['redegradation'] = weights.redegradation * charbonnier(again, batch.degraded[extra])
        if weights.redegradation_restored > 0:
            terms['redegradation_restored'] = weights.redegradation_restored * charbonnier(
                network(again.detach(), clip=False), fixed
            )
    return terms
