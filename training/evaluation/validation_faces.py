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

"""Faces of the split `val`, each degraded once, and how near restored ones come to their truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.critics.perceptual import Lpips
from training.data.crops import aligned, prepare, to_tensor
from training.data.manifest import read_manifest
from training.degradation import SAMPLERS
from training.metrics import psnr


@dataclass(frozen=True)
class Fidelity:
    """Distance of one image from its truth.

    Attributes:
        psnr_db: PSNR in dB.
        lpips: LPIPS (AlexNet).

    """

    psnr_db: float
    lpips: float


@dataclass(frozen=True)
class ValidationFace:
    """One degraded face with its truth.

    Attributes:
        set_name: Name of the set that the degradation was drawn from.
        degraded: (1, 3, 256, 256) float32 RGB in 0..1, rounded to eight bits and prepared as the
            node does (`crops.prepare`).
        truth: (1, 3, 256, 256) float32 RGB in 0..1.
        features: LPIPS features of the truth.

    """

    set_name: str
    degraded: Tensor
    truth: Tensor
    features: list[Tensor]


class MeasuredFaces:
    """Degraded faces in memory, each with its truth, and how near images come to it.

    Attributes:
        faces: Faces in the order in which they were added.

    """

    def __init__(self, device: torch.device) -> None:
        """Begin without faces.

        Args:
            device: Device that the faces lie on and that networks run on.

        Raises:
            FileNotFoundError: The weights of LPIPS are missing.

        """
        self._device = device
        self._lpips = Lpips('alex').to(device)
        self.faces: list[ValidationFace] = []

    @torch.no_grad()
    def add(self, name: str, degraded: Tensor, truth: Tensor) -> None:
        """Add a face.

        Args:
            name: Name of the set that it belongs to.
            degraded: (1, 3, 256, 256) RGB in 0..1, prepared as the node does.
            truth: (1, 3, 256, 256) RGB in 0..1.

        """
        truth = truth.to(self._device)
        features = self._lpips.features(truth)
        self.faces.append(ValidationFace(name, degraded.to(self._device), truth, features))

    @torch.no_grad()
    def fidelity(self, face: ValidationFace, image: Tensor) -> Fidelity:
        """Measure an image against a face's truth.

        Args:
            face: One of `faces`.
            image: (1, 3, 256, 256) RGB in 0..1 on the same device.

        """
        distance = self._lpips.distance(self._lpips.features(image), face.features)
        return Fidelity(float(psnr(image, face.truth)), float(distance))


class ValidationFaces(MeasuredFaces):
    """Validation faces, in the order of their file names; each always has the same degradation."""

    def __init__(
        self,
        data: Path,
        device: torch.device,
        sets: Sequence[str],
        seed: int,
        count: int | None = None,
    ) -> None:
        """Degrade the faces.

        Args:
            data: Folder with MANIFEST.tsv.
            device: Device that the faces lie on and that networks run on.
            sets: Names in `training.degradation.SAMPLERS`, which the faces take in turn.
            seed: Seed of the degradations; face i gets (seed, i).
            count: Largest number of faces; None for all.

        Raises:
            FileNotFoundError: The manifest, or the weights of LPIPS, are missing.
            ValueError: The split has no face.

        """
        super().__init__(device)
        for number, record in enumerate(read_manifest(data, 'val')[:count]):
            clean = to_tensor(aligned(record))
            name = sets[number % len(sets)]
            plan = SAMPLERS[name](np.random.default_rng((seed, number)))
            self.add(name, prepare(eight_bits(plan(clean))), plan.truth(clean))


def eight_bits(image: Tensor) -> Tensor:
    """Return an image in 0..1 rounded to the 256 levels of a camera's byte."""
    return (image.clamp(0.0, 1.0) * 255.0).round() / 255.0
