"""A fixed set of degraded validation faces, measured while a run goes on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.critics.perceptual import Lpips
from training.data.crops import aligned, expose, to_image, to_tensor
from training.data.manifest import read_manifest
from training.degradation import SAMPLERS
from training.evaluation.contact_sheet import contact_sheet
from training.metrics import psnr

#: Faces in turn take these; a run is chosen by their mean.
SETS = ('general', 'car')


class Validation:
    """Measures a network on faces of the split `val`."""

    def __init__(self, root: Path, device: torch.device, count: int = 32, cycles: int = 4) -> None:
        """Degrade the faces once, by the seed 7.

        Args:
            root: folder with MANIFEST.tsv.
            device: on which the networks run.
            count: of faces, at most.
            cycles: largest k measured.

        """
        self.cycles, self.device = cycles, device
        self.lpips = Lpips('alex').to(device)
        self.pairs: list[tuple[Tensor, Tensor]] = []
        for number, record in enumerate(read_manifest(root, 'val')[:count]):
            truth = to_tensor(aligned(record))
            plan = SAMPLERS[SETS[number % len(SETS)]](np.random.default_rng((7, number)))
            degraded = expose((plan(truth) * 255.0).round() / 255.0)
            self.pairs.append((degraded, plan.truth(truth)))
        with torch.no_grad():
            self.references = [self.lpips.features(t.to(device)) for _, t in self.pairs]

    @torch.no_grad()
    def measure(self, network: nn.Module) -> tuple[dict[str, float], NDArray[np.uint8]]:
        """Return PSNR and LPIPS (AlexNet) of the input and of k = 1.., and a sheet.

        `general_` and `car_` begin the names; `clean_kept_db` is the PSNR of a restored
        clean face to itself, `clean_kept_8_db` that after eight cycles. `context` is how much
        the middle of a face depends on what is far from it (`context_used`).
        """
        sums: dict[str, list[float]] = {}
        rows: list[list[NDArray[np.uint8]]] = []
        for number, (degraded, truth) in enumerate(self.pairs):
            truth = truth.to(self.device)
            stages = [degraded.to(self.device)]
            for _ in range(self.cycles):
                stages.append(network(stages[-1]))
            name = SETS[number % len(SETS)]
            for k, image in enumerate(stages):
                sums.setdefault(f'{name}_psnr_{k}', []).append(float(psnr(image, truth)))
                distance = self.lpips.distance(self.lpips.features(image), self.references[number])
                sums.setdefault(f'{name}_lpips_{k}', []).append(float(distance))
            if number % 4 == 0:
                sums.setdefault('context', []).append(context_used(network, *stages[:2]))
                again = truth
                for k in range(1, 9):
                    again = network(again)
                    if k in (1, 8):
                        key = 'clean_kept_db' if k == 1 else f'clean_kept_{k}_db'
                        kept = float(psnr(again, truth).clamp(max=60.0))
                        sums.setdefault(key, []).append(kept)
            if len(rows) < 14:
                rows.append([to_image(s) for s in [*stages, truth]])
        titles = ['input', *(f'k={k}' for k in range(1, self.cycles + 1)), 'truth']
        return {n: float(np.mean(v)) for n, v in sums.items()}, contact_sheet(rows, titles)


def context_used(
    network: nn.Module, face: Tensor, restored: Tensor, near: int = 20, middle: int = 16
) -> float:
    """Return by how much the middle of one cycle's output changes if all far from it is grey.

    Zero says that the network is as good as a few convolutions, whatever its size: strides 4
    and 8 had once died without any other figure telling so.

    Args:
        network: maps (1, 3, H, W) to the same shape.
        face: such an input, in 0..1.
        restored: what the network makes of it.
        near: distance in pixels from the middle square up to which the input is left.
        middle: side of that square.

    Returns:
        Mean absolute change, on a scale of 0..1.

    """
    centre = tuple(slice((n - middle) // 2, (n + middle) // 2) for n in face.shape[-2:])
    around = tuple(slice(s.start - near, s.stop + near) for s in centre)
    alone = torch.full_like(face, 0.5)
    alone[..., around[0], around[1]] = face[..., around[0], around[1]]
    change = (network(alone) - restored)[..., centre[0], centre[1]]
    return float(change.abs().mean())
