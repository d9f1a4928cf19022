"""Cycle-Consistent Fixed-Point Training: the three losses, and what they supervise with.

For a network f, a degradation D, a truth t and x = D(t), with y_j = f(y_{j-1})
and y_0 = x:

* progressive supervision: every y_1..y_k is compared with t; k grows during
  training and later cycles weigh more towards the perceptual distance;
* idempotence: f(t) = t, and f(y_k) = y_k with y_k held fixed;
* re-degradation cycle: D(y_k) = x, and f(D(y_k)) = y_k held fixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.data import expose
from training.degradation import Degradation
from training.network import CFRNet
from training.perceptual import Lpips


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms; a weight of 0 switches its term off.

    Attributes:
        pixel: Charbonnier distance of each cycle, first cycle first; the last
            value holds for all later cycles.
        perceptual: LPIPS (VGG16) distance of each cycle, likewise.
        gradient: share that the distance of the image gradients has in each pixel
            term. Errors of brightness hardly count there, noise and blur do.
        tone: weight of the distance of the 16x16 px means in each pixel term, the same
            for every face: brightness and colour, with the noise averaged out.
        component: extra pixel weight on eyes, nose and mouth.
        idempotence_clean: f(t) = t.
        idempotence_restored: f(y_k) = y_k.
        redegradation: D(y_k) = x.
        redegradation_restored: f(D(y_k)) = y_k.
        activation: mean excess of the stages' activations over `activation_limit`.
            Left alone, bright faces reached activations of thousands where dark ones
            stayed below one, which no 8-bit scale can hold.
        activation_limit: magnitude up to which an activation costs nothing.

    """

    pixel: tuple[float, ...] = (1.0, 1.0, 1.0)
    perceptual: tuple[float, ...] = (0.0, 0.1, 0.2)
    gradient: float = 2.0
    tone: float = 1.0
    component: float = 1.0
    idempotence_clean: float = 0.5
    idempotence_restored: float = 0.25
    redegradation: float = 0.25
    redegradation_restored: float = 0.1
    activation: float = 0.02
    activation_limit: float = 4.0

    def at(self, values: Sequence[float], cycle: int) -> float:
        """Return the weight of a cycle (1 = first)."""
        return values[min(cycle, len(values)) - 1]


class ActivationRange:
    """Adds up by how much a network's activations exceed a limit, over all its calls."""

    STAGES = ('encode2', 'encode4', 'down8', 'body', 'decode4', 'decode2')

    def __init__(self, network: CFRNet, limit: float) -> None:
        """Watch the outputs of the network's stages."""
        self._limit = limit
        self._excess: list[Tensor] = []
        for name in self.STAGES:
            network.get_submodule(name).register_forward_hook(self._watch)

    def _watch(self, _module: nn.Module, _inputs: object, output: Tensor) -> None:
        if output.requires_grad:
            self._excess.append(F.relu(output.float().abs() - self._limit).mean())

    def take(self) -> Tensor:
        """Return the mean excess of all calls since the last time, and forget them."""
        excess = torch.stack(self._excess).mean()
        self._excess.clear()
        return excess


def charbonnier(first: Tensor, second: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return the mean smooth L1 distance (Lai et al., CVPR 2017; eps 1e-3)."""
    distance = ((first - second).square() + 1e-6).sqrt()
    return distance.mean() if weight is None else (distance * weight).mean()


def balance(degraded: Tensor, truth: Tensor) -> Tensor:
    """Return (B, 1, 1, 1) weights that make differently spoilt faces count alike.

    A dark face is ten times as far from its truth as a noisy one. Unbalanced, its
    gradient drowns everything else: a network brightened after 4,000 steps, and had
    not begun to remove noise.
    """
    distance = (degraded - truth).abs().mean(dim=(1, 2, 3), keepdim=True)
    return (0.06 / (distance + 0.02)).sqrt().clamp(0.4, 1.5)


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


def ccfp_loss(
    network: CFRNet,
    degraded: Tensor,
    truth: Tensor,
    components: Tensor,
    plans: Sequence[Degradation],
    cycles: int,
    weights: LossWeights,
    lpips: Lpips | None,
    window: tuple[int, int, int],
    seen: slice,
    extra: slice,
    fixed_point: float = 1.0,
) -> tuple[Tensor, dict[str, float]]:
    """Compute the whole loss of one batch.

    Args:
        network: the restorer.
        degraded: (B, 3, H, W) x.
        truth: (B, 3, H, W) t.
        components: (B, 1, H, W) map of the facial components, 0..1.
        plans: the B degradations that made x from t.
        cycles: k.
        weights: of the terms.
        lpips: perceptual distance, or None to leave it out.
        window: top, left and side of the square in which it is measured; it is
            by far the dearest term, so it sees a part.
        seen: the part of the batch that it sees.
        extra: the part of the batch on which the idempotence and re-degradation
            terms, which cost one more pass each, are computed.
        fixed_point: share (0..1) of the idempotence and re-degradation weights
            that applies now.

    Returns:
        The scalar loss and the value of each term.

    """
    terms: dict[str, Tensor] = {}
    weight = (1.0 + weights.component * components) * balance(degraded, truth)
    top, left, side = window

    def cut(image: Tensor) -> Tensor:
        return image[:, :, top : top + side, left : left + side]

    current = degraded
    outputs: list[Tensor] = []
    for _ in range(cycles):
        current = network(current, clip=False)
        outputs.append(current)
    for cycle, output in enumerate(outputs, start=1):
        terms[f'pixel_{cycle}'] = weights.at(weights.pixel, cycle) * restoration_loss(
            output, truth, weight, weights.gradient, weights.tone
        )
    if lpips is not None:
        judged = [
            (cycle, output)
            for cycle, output in enumerate(outputs, start=1)
            if weights.at(weights.perceptual, cycle) > 0
        ]
        if judged:
            with torch.no_grad():
                reference = lpips.features(cut(truth[seen]))
            for cycle, output in judged:
                distance = lpips.distance(lpips.features(cut(output[seen])), reference).mean()
                terms[f'perceptual_{cycle}'] = weights.at(weights.perceptual, cycle) * distance

    if fixed_point <= 0:
        return _total(terms)
    if weights.idempotence_clean > 0:
        clean = truth[extra]
        terms['idempotence_clean'] = (
            fixed_point * weights.idempotence_clean * charbonnier(network(clean, clip=False), clean)
        )
    final = outputs[-1][extra]
    fixed = final.detach().clamp(0.0, 1.0)
    if weights.idempotence_restored > 0:
        terms['idempotence_restored'] = (
            fixed_point
            * weights.idempotence_restored
            * charbonnier(network(fixed, clip=False), fixed)
        )
    if weights.redegradation > 0 or weights.redegradation_restored > 0:
        chosen = list(plans)[extra]
        # A degradation in half precision would not be the one that made x.
        with torch.autocast(final.device.type, enabled=False):
            again = torch.cat(
                [
                    expose(plan(final[i : i + 1].float().clamp(0.0, 1.0)))
                    for i, plan in enumerate(chosen)
                ]
            )
        terms['redegradation'] = (
            fixed_point * weights.redegradation * charbonnier(again, degraded[extra])
        )
        if weights.redegradation_restored > 0:
            terms['redegradation_restored'] = (
                fixed_point
                * weights.redegradation_restored
                * charbonnier(network(again.detach(), clip=False), fixed)
            )
    return _total(terms)


def _total(terms: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
    total = torch.stack(list(terms.values())).sum()
    return total, {name: float(value.detach()) for name, value in terms.items()}
