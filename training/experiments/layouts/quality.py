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

"""How well a layout restores: PSNR and LPIPS (AlexNet) on faces of the split `val`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.evaluation import bootstrap
from training.evaluation.validation_faces import ValidationFaces

SETS = ('general', 'car', 'mosaic')
METRICS = ('psnr', 'lpips')

#: Seed of the degradations and of the bootstrap.
SEED = 7


@dataclass(frozen=True)
class PairedDifference:
    """Difference between two networks on the same faces.

    Attributes:
        mean: Mean over the faces.
        low: Lower end of its 95% confidence interval.
        high: Upper end of its 95% confidence interval.

    """

    mean: float
    low: float
    high: float


class LayoutFaces:
    """The validation faces that layouts are compared on.

    Attributes:
        sets: Name of each face's set.

    """

    def __init__(self, root: Path, device: torch.device, count: int) -> None:
        """Degrade the faces by `SETS` in turn.

        Args:
            root: Folder with MANIFEST.tsv.
            device: Device that the networks run on.
            count: Largest number of faces.

        """
        self._validation = ValidationFaces(root, device, SETS, SEED, count)
        self.sets = [face.set_name for face in self._validation.faces]

    @torch.no_grad()
    def measure(
        self, network: nn.Module, cycles: int, faces: int | None = None
    ) -> NDArray[np.float64]:
        """Measure the input and k = 1.. on each face.

        Args:
            network: Network that maps (1, 3, 256, 256) RGB in 0..1 to the same.
            cycles: Largest k.
            faces: Number of faces, from the first on; None for all.

        Returns:
            (faces, 2, cycles + 1): PSNR in dB and LPIPS at k = 0, 1...

        """
        rows = []
        for face in self._validation.faces[:faces]:
            stages = [face.degraded]
            for _ in range(cycles):
                stages.append(network(stages[-1]))
            measured = [self._validation.fidelity(face, image) for image in stages]
            rows.append([[f.psnr_db for f in measured], [f.lpips for f in measured]])
        return np.asarray(rows)


def by_set(values: NDArray[np.float64], sets: list[str]) -> dict[str, dict[str, list[float]]]:
    """Return means over the faces of each set, by metric, for k = 0, 1...

    Args:
        values: (faces, 2, cycles + 1) figures, see `LayoutFaces.measure`.
        sets: Name of each face's set.

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
    values: NDArray[np.float64], reference: NDArray[np.float64]
) -> PairedDifference:
    """Return the mean difference over faces and its 95% interval.

    Args:
        values: (faces,) figures of one network.
        reference: (faces,) figures of another network on the same faces.

    """
    contrast = bootstrap.difference(values, reference, SEED)
    low, high = contrast.ci95
    return PairedDifference(round(contrast.value, 4), round(low, 4), round(high, 4))
