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

"""A fixed set of degraded validation faces, measured while a run goes on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.data.crops import to_image
from training.evaluation.contact_sheet import contact_sheet
from training.evaluation.validation_faces import ValidationFaces
from training.metrics import psnr

#: Sets that the faces take in turn; a run is chosen by their mean.
SETS = ('general', 'car')

#: Seed of the degradations.
SEED = 7

#: Every n-th face is restored from its truth too, up to the last of these cycles, and its PSNR to
#: itself is logged under the name.
CLEAN_EVERY = 4
CLEAN_KEPT = {1: 'clean_kept_db', 8: 'clean_kept_8_db'}

#: Rows of the contact sheet at most.
ROWS = 14


class Validation:
    """Measures a network on faces of the split `val`."""

    def __init__(self, root: Path, device: torch.device, count: int = 32, cycles: int = 4) -> None:
        """Degrade the faces.

        Args:
            root: Folder with MANIFEST.tsv.
            device: Device that the networks run on.
            count: Largest number of faces.
            cycles: Largest k that is measured.

        """
        self.cycles = cycles
        self._validation = ValidationFaces(root, device, SETS, SEED, count)

    @torch.no_grad()
    def measure(self, network: nn.Module) -> tuple[dict[str, float], NDArray[np.uint8]]:
        """Return PSNR and LPIPS (AlexNet) of the input and of k = 1.., and a sheet.

        `general_` and `car_` begin the names; `clean_kept_db` is the PSNR of a restored
        clean face to itself, `clean_kept_8_db` that after eight cycles. `context` is how much
        the middle of a face depends on what is far from it (`context_used`).
        """
        sums: dict[str, list[float]] = {}
        rows: list[list[NDArray[np.uint8]]] = []
        for number, face in enumerate(self._validation.faces):
            stages = [face.degraded]
            for _ in range(self.cycles):
                stages.append(network(stages[-1]))
            for k, image in enumerate(stages):
                fidelity = self._validation.fidelity(face, image)
                sums.setdefault(f'{face.set_name}_psnr_{k}', []).append(fidelity.psnr_db)
                sums.setdefault(f'{face.set_name}_lpips_{k}', []).append(fidelity.lpips)
            if number % CLEAN_EVERY == 0:
                sums.setdefault('context', []).append(context_used(network, *stages[:2]))
                again = face.truth
                for k in range(1, max(CLEAN_KEPT) + 1):
                    again = network(again)
                    if k in CLEAN_KEPT:
                        kept = float(psnr(again, face.truth).clamp(max=60.0))
                        sums.setdefault(CLEAN_KEPT[k], []).append(kept)
            if len(rows) < ROWS:
                rows.append([to_image(s) for s in [*stages, face.truth]])
        titles = ['input', *(f'k={k}' for k in range(1, self.cycles + 1)), 'truth']
        return {n: float(np.mean(v)) for n, v in sums.items()}, contact_sheet(rows, titles)


def context_used(
    network: nn.Module, face: Tensor, restored: Tensor, near: int = 20, middle: int = 16
) -> float:
    """Return by how much the middle of one cycle's output changes if all far from it is grey.

    Zero says that the network is as good as a few convolutions, whatever its size: strides 4
    and 8 had once died without any other figure telling so.

    Args:
        network: Network that maps (1, 3, H, W) to the same shape.
        face: (1, 3, H, W) input in 0..1.
        restored: (1, 3, H, W) output of the network for `face`.
        near: Distance in pixels from the middle square up to which the input is left.
        middle: Side of the middle square in pixels.

    Returns:
        Mean absolute change, on a scale of 0..1.

    """
    centre = tuple(slice((n - middle) // 2, (n + middle) // 2) for n in face.shape[-2:])
    around = tuple(slice(s.start - near, s.stop + near) for s in centre)
    alone = torch.full_like(face, 0.5)
    alone[..., around[0], around[1]] = face[..., around[0], around[1]]
    change = (network(alone) - restored)[..., centre[0], centre[1]]
    return float(change.abs().mean())
