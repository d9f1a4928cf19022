"""How well a layout restores: PSNR and LPIPS (AlexNet) on faces of the split `val`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.critics.perceptual import Lpips
from training.data.crops import aligned, expose, to_tensor
from training.data.manifest import read_manifest
from training.degradation import SAMPLERS
from training.metrics import psnr

SETS = ('general', 'car', 'mosaic')
METRICS = ('psnr', 'lpips')

#: Seed of the degradations, by face, and of the bootstrap.
SEED = 7


class ValidationFaces:
    """Each validation face degraded once, by the sets in turn."""

    def __init__(self, root: Path, device: torch.device, count: int) -> None:
        """Degrade up to `count` faces."""
        self.device = device
        self.sets: list[str] = []
        self._lpips = Lpips('alex').to(device)
        self._pairs: list[tuple[Tensor, Tensor]] = []
        for number, record in enumerate(read_manifest(root, 'val')[:count]):
            name = SETS[number % len(SETS)]
            truth = to_tensor(aligned(record))
            plan = SAMPLERS[name](np.random.default_rng((SEED, number)))
            degraded = expose((plan(truth) * 255.0).round() / 255.0)
            self.sets.append(name)
            self._pairs.append((degraded.to(device), plan.truth(truth).to(device)))
        with torch.no_grad():
            self._references = [self._lpips.features(truth) for _, truth in self._pairs]

    @torch.no_grad()
    def measure(
        self, network: nn.Module, cycles: int, faces: int | None = None
    ) -> NDArray[np.float64]:
        """Measure the input and k = 1.. on each face.

        Args:
            network: maps (1, 3, 256, 256) RGB in 0..1 to the same.
            cycles: largest k.
            faces: only so many, from the first on.

        Returns:
            (faces, 2, cycles + 1): PSNR in dB and LPIPS at k = 0, 1...

        """
        rows = []
        for (degraded, truth), reference in zip(self._pairs[:faces], self._references[:faces]):
            image = degraded
            row = [self._figures(image, truth, reference)]
            for _ in range(cycles):
                image = network(image)
                row.append(self._figures(image, truth, reference))
            rows.append(row)
        return np.asarray(rows).transpose(0, 2, 1)

    def _figures(self, image: Tensor, truth: Tensor, reference: list[Tensor]) -> tuple[float, ...]:
        distance = self._lpips.distance(self._lpips.features(image), reference)
        return float(psnr(image, truth)), float(distance)


def by_set(values: NDArray[np.float64], sets: list[str]) -> dict[str, dict[str, list[float]]]:
    """Return means over the faces of each set, by metric, for k = 0, 1...

    Args:
        values: (faces, 2, cycles + 1), see `ValidationFaces.measure`.
        sets: of each face.

    """
    chosen = np.asarray(sets[: len(values)])
    return {
        name: {
            metric: [round(float(v), 4) for v in values[chosen == name, index].mean(axis=0)]
            for index, metric in enumerate(METRICS)
        }
        for name in SETS
        if bool((chosen == name).any())
    }


def paired_difference(
    values: NDArray[np.float64], reference: NDArray[np.float64], draws: int = 2000
) -> dict[str, float]:
    """Return the mean difference over faces and its 95% interval.

    Args:
        values: (faces,) figures.
        reference: (faces,) those of another network on the same faces.
        draws: of the percentile bootstrap (Efron and Tibshirani, 1993, section 13.3).

    """
    change = values - reference
    rng = np.random.default_rng(SEED)
    means = change[rng.integers(0, len(change), (draws, len(change)))].mean(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return {
        'mean': round(float(change.mean()), 4),
        'low': round(float(low), 4),
        'high': round(float(high), 4),
    }
