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

"""Compares crops of 512 px with crops of 256 px: ``python -m benchmarks.crop_size --data FACES``.

Cost: both sizes of the shipped model are run alternately in one process. Quality: validation faces
of 256 px and less, the full detail of the available photographs, are restored at either size and
compared at 256 px. The benchmark needs the training requirements.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.machine import machine
from cfrnet_ros.vision.engine.models import resolve_model
from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.restoration.restorer import Restorer
from training.critics.perceptual import Lpips
from training.data.crops import to_tensor
from training.export.faces import DegradedFace, degraded_faces
from training.metrics import psnr

SIZES, NATIVE, CYCLES, SEED = (256, 512), 256, 3, 7


def cycle_times(restorers: Mapping[int, Restorer], rounds: int) -> dict[str, float]:
    """Return the CPU time of a cycle in ms by size: one thread, fastest calls."""
    rng = np.random.default_rng(0)
    crops = {s: rng.integers(0, 256, (s, s, 3), dtype=np.uint8) for s in restorers}
    spent: dict[tuple[int, int], list[float]] = {(s, k): [] for s in restorers for k in (1, 3)}
    for restorer in restorers.values():
        restorer.warm_up()
    for _ in range(rounds):
        for size, k in spent:
            start = time.thread_time()
            restorers[size].restore(crops[size], k)
            spent[size, k].append((time.thread_time() - start) * 1e3)
    return {
        str(size): round((min(spent[size, 3]) - min(spent[size, 1])) / 2, 2) for size in restorers
    }


def at_size(restorer: Restorer, size: int, face: NDArray[np.uint8], k: int) -> NDArray[np.uint8]:
    """Restore a face at a size and scale it back to its own.

    Args:
        restorer: Restorer of that size.
        size: Side of the crop in pixels.
        face: (256, 256, 3) uint8 BGR face.
        k: Number of cycles.

    Returns:
        (256, 256, 3) uint8 BGR restored face.

    """
    if size == NATIVE:
        return restorer.restore(face, k).crop
    # Like align_face for a face that is smaller in the frame than the crop.
    large = cv2.resize(face, (size, size), interpolation=cv2.INTER_LINEAR)
    restored = restorer.restore(np.asarray(large, np.uint8), k).crop
    return np.asarray(
        cv2.resize(restored, (NATIVE, NATIVE), interpolation=cv2.INTER_AREA), np.uint8
    )


def likeness(
    pictures: Iterable[NDArray[np.uint8]], faces: Iterable[DegradedFace], lpips: Lpips
) -> dict[str, float]:
    """Return the mean PSNR in dB and LPIPS of (N, N, 3) uint8 BGR pictures to the faces' truths."""
    rows = []
    for picture, face in zip(pictures, faces, strict=True):
        pair = to_tensor(picture), to_tensor(face.truth)
        with torch.no_grad():
            rows.append((float(psnr(*pair)), float(lpips(*pair))))
    means = np.mean(rows, axis=0)
    return {'psnr': round(float(means[0]), 3), 'lpips': round(float(means[1]), 4)}


def quality(restorers: Mapping[int, Restorer], data: Path, count: int) -> dict[str, Any]:
    """Return mean PSNR and LPIPS (AlexNet) by size and k; k = 0 is the degraded input."""
    faces = degraded_faces(data, 'val', count, SEED)
    lpips = Lpips('alex')

    def figures(pictures: list[NDArray[np.uint8]]) -> dict[str, float]:
        return likeness(pictures, faces, lpips)

    found: dict[str, Any] = {'faces': len(faces)}
    for size, restorer in restorers.items():
        found[str(size)] = {'0': figures([face.degraded for face in faces])} | {
            str(k): figures([at_size(restorer, size, face.degraded, k) for face in faces])
            for k in range(1, CYCLES + 1)
        }
    return found


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, required=True, help='folder with MANIFEST.tsv')
    parser.add_argument('--faces', type=int, default=60)
    parser.add_argument('--rounds', type=int, default=30)
    parser.add_argument('--out', type=Path, default=Path('benchmarks/crop_size.json'))
    args = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    choice = choose_providers('cpu')
    model = resolve_model('auto')
    restorers = {size: Restorer(model, choice, 1, size) for size in SIZES}
    times = cycle_times(restorers, args.rounds)
    result = {
        'command': f'python -m benchmarks.crop_size --faces {args.faces} --rounds {args.rounds}',
        'model': model.name,
        'sha256': restorers[NATIVE].card.sha256,
        'machine': machine(),
        'cycle_ms': times,
        'cycle_ratio': round(times['512'] / times['256'], 2),
        'quality_at_256_px': quality(restorers, args.data, args.faces),
    }
    args.out.write_text(json.dumps(result, indent=1) + '\n', encoding='utf-8')
    print(json.dumps(result, indent=1))


if __name__ == '__main__':
    main()
