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

"""What the INT8 model loses against the FP32 model, on faces that calibrated nothing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.restoration.restorer import Restorer
from training.critics.perceptual import Lpips
from training.data.crops import to_tensor
from training.export.faces import DegradedFace

#: The most that INT8 may differ from FP32 in the mean over faces, at any k measured.
PSNR_LIMIT_DB, LPIPS_LIMIT = 0.3, 0.01


class Comparison:
    """Compares quantised models with one reference.

    Attributes:
        faces: Number of faces.
        cycles: Largest k that is measured.

    """

    def __init__(
        self, reference: Path, faces: Sequence[DegradedFace], cycles: int = 3, threads: int = 1
    ) -> None:
        """Restore the faces with the reference.

        Args:
            reference: FP32 model with a card.
            faces: Faces of the validation split.
            cycles: Largest k that is measured.
            threads: Number of ONNX Runtime's threads.

        """
        self.faces, self.cycles, self._threads = len(faces), cycles, threads
        self._faces = faces
        self._lpips = Lpips('alex')
        with torch.no_grad():
            self._truth = [self._lpips.features(to_tensor(face.truth)) for face in faces]
        self._reference = self._restored(reference)
        self._psnr, self._distance = self._quality(self._reference)

    def measure(self, quantised: Path) -> dict[str, Any]:
        """Compare one model with the reference.

        Args:
            quantised: Path of a quantised model with a card.

        Returns:
            Per k = 1.. (lists): `psnr_change_db` and `lpips_change`, means over faces of
            the figure against the truth minus the reference's; `to_fp32_db`, the PSNR
            between the two models' outputs, from the mean squared error over all faces;
            `largest_levels`, the largest difference of a byte; and `within_limits`.

        """
        restored = self._restored(quantised)
        psnr, distance = self._quality(restored)
        psnr_change = (psnr - self._psnr).mean(axis=0)
        lpips_change = (distance - self._distance).mean(axis=0)
        apart = restored.astype(np.int16) - self._reference
        squared = (apart.astype(np.float64) ** 2).mean(axis=(0, 2, 3, 4))
        within = (
            np.abs(psnr_change).max() <= PSNR_LIMIT_DB and np.abs(lpips_change).max() <= LPIPS_LIMIT
        )
        return {
            'faces': self.faces,
            'psnr_change_db': [round(float(v), 4) for v in psnr_change],
            'lpips_change': [round(float(v), 5) for v in lpips_change],
            'to_fp32_db': [
                round(float(10 * np.log10(255.0**2 / max(v, 1e-3))), 2) for v in squared
            ],
            'largest_levels': [int(v) for v in np.abs(apart).max(axis=(0, 2, 3, 4))],
            'within_limits': bool(within),
        }

    def _restored(self, model: Path) -> NDArray[np.uint8]:
        """(faces, cycles, N, N, 3) uint8, each k as the node would publish it."""
        restorer = Restorer(model, choose_providers('cpu'), self._threads)
        return np.stack(
            [
                [cycle.crop() for cycle in islice(restorer.cycles(face.degraded), self.cycles)]
                for face in self._faces
            ]
        )

    @torch.no_grad()
    def _quality(
        self, restored: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """PSNR in dB and LPIPS against the truth, (faces, cycles) each."""
        psnr = [
            [cv2.PSNR(image, face.truth) for image in stages]
            for stages, face in zip(restored, self._faces)
        ]
        distance = [
            [
                float(self._lpips.distance(self._lpips.features(to_tensor(image)), reference))
                for image in stages
            ]
            for stages, reference in zip(restored, self._truth)
        ]
        return np.asarray(psnr), np.asarray(distance)
