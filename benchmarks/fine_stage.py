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

"""Measures what `fine_stage` costs and gives: ``python -m benchmarks.fine_stage --data FACES``.

Cost: stages and cycles are run alternately in one process. Quality: validation faces of 256 px are
enlarged to 512, restored, and compared at 256 px, as in `benchmarks.crop_size`. Whether the detail
that the coarse stage cannot see is worth adding needs truths with detail above the model's size,
which the data set lacks. So it is measured at half of all sizes, 128 and 256 px, where the truths
have that detail. The benchmark needs the training requirements.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.crop_size import NATIVE, SEED, at_size, likeness
from benchmarks.machine import machine
from benchmarks.pages import write_figures
from cfrnet_ros.vision.engine.models import resolve_model
from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.restoration.fine_stage import FINE_SIZE, TwoStageRestorer
from cfrnet_ros.vision.restoration.restorer import Restorer
from training.critics.perceptual import Lpips
from training.export.faces import DegradedFace, degraded_faces

Picture = NDArray[np.uint8]

ROOT = Path(__file__).resolve().parent.parent
PAGE, FIGURES = ROOT / 'docs' / 'tuning.md', ROOT / 'benchmarks' / 'fine_stage.json'
CYCLES = (1, 2)
#: Ways to restore an enlarged face by their names in the figures, and in the table.
WAYS = {
    '256': '256 px',
    '512': '512 px',
    'coarse': 'coarse stage',
    'coarse then fine': 'coarse and fine stage',
}


def scaled(picture: Picture, side: int, how: int) -> Picture:
    """Return a (side, side, 3) uint8 picture, scaled by one of OpenCV's methods."""
    return np.asarray(cv2.resize(picture, (side, side), interpolation=how), np.uint8)


def costs(restorers: dict[int, Restorer], two: TwoStageRestorer, rounds: int) -> dict[str, float]:
    """Return the CPU time of each way in ms: one thread, fastest calls."""
    side = two.card.size
    crop = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    small = scaled(crop, NATIVE, cv2.INTER_AREA)
    coarse = two.restore(crop, 2)
    ways: dict[str, Callable[[], object]] = {
        '2 cycles at 256': lambda: restorers[NATIVE].restore(small, 2),
        '2 cycles at 512': lambda: restorers[FINE_SIZE].restore(crop, 2),
        'coarse stage of 2 cycles': lambda: two.restore(crop, 2),
        'fine stage': lambda: two.refine(coarse),
    }
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.thread_time()
            way()
            spent[name].append((time.thread_time() - start) * 1e3)
    return {name: round(min(times), 2) for name, times in spent.items()}


class Quality:
    """Mean PSNR and LPIPS (AlexNet) over faces."""

    def __init__(self, faces: list[DegradedFace]) -> None:
        self._faces, self._lpips = faces, Lpips('alex')

    def of(self, restore: Callable[[Picture], Picture]) -> dict[str, float]:
        """Return the figures of a function from a degraded face to a restored one."""
        return likeness((restore(face.degraded) for face in self._faces), self._faces, self._lpips)


def enlarged_faces(
    quality: Quality, restorers: dict[int, Restorer], two: TwoStageRestorer
) -> dict[str, Any]:
    """Return the figures for faces without detail above 256 px, by number of cycles."""

    def alone(face: Picture, size: int, k: int) -> Picture:
        return at_size(restorers[size], size, face, k)

    def staged(face: Picture, k: int, fine: bool) -> Picture:
        done = two.restore(scaled(face, FINE_SIZE, cv2.INTER_LINEAR), k)
        done = two.refine(done) if fine else done
        return scaled(done.crop, NATIVE, cv2.INTER_AREA)

    found: dict[str, Any] = {'input': quality.of(lambda face: face)}
    for k in CYCLES:
        found[str(k)] = {
            '256': quality.of(partial(alone, size=NATIVE, k=k)),
            '512': quality.of(partial(alone, size=FINE_SIZE, k=k)),
            'coarse': quality.of(partial(staged, k=k, fine=False)),
            'coarse then fine': quality.of(partial(staged, k=k, fine=True)),
        }
    # What the fine stage after the most cycles is to be compared with: one more cycle.
    more = CYCLES[-1] + 1
    found[str(more)] = {'256': quality.of(partial(alone, size=NATIVE, k=more))}
    return found


def half_size(quality: Quality, half: Restorer, full: Restorer, k: int) -> dict[str, Any]:
    """Return the figures at half of all sizes, with and without the detail that is added."""
    two = TwoStageRestorer(half, full)

    def plain(face: Picture) -> Picture:
        small = scaled(face, NATIVE // 2, cv2.INTER_AREA)
        return scaled(half.restore(small, k).crop, NATIVE, cv2.INTER_CUBIC)

    return {
        'cycles': k,
        '256': quality.of(lambda face: full.restore(face, k).crop),
        'coarse without detail': quality.of(plain),
        'coarse': quality.of(lambda face: two.restore(face, k).crop),
        'fine without detail': quality.of(lambda face: full.restore(plain(face), 1).crop),
        'coarse then fine': quality.of(lambda face: two.refine(two.restore(face, k)).crop),
    }


def table(result: Mapping[str, Any]) -> str:
    """Return the figures as Markdown: quality by number of cycles, then what the stages cost."""

    def cell(found: Mapping[str, float] | None) -> str:
        return f'{found["psnr"]:.2f} dB, {found["lpips"]:.3f}' if found else '-'

    found = dict(result['quality_at_256_px'])
    lines = [
        f'{result["faces"]} faces, PSNR and LPIPS; input {cell(found.pop("input"))}:',
        '',
        f'| cycles | {" | ".join(WAYS.values())} |',
        f'| --- | {" | ".join("---" for _ in WAYS)} |',
    ]
    for k, ways in found.items():
        lines.append(f'| {k} | {" | ".join(cell(ways.get(way)) for way in WAYS)} |')
    half = result['half_of_all_sizes']
    coarse_gain = half['coarse']['psnr'] - half['coarse without detail']['psnr']
    fine_gain = half['coarse then fine']['psnr'] - half['fine without detail']['psnr']
    lines += [
        '',
        f'The coarse stage costs {result["coarse_to_256"]} times as much as two cycles at 256 px, '
        f'both stages together {result["both_to_512"]} times as much as two cycles at 512 px. At '
        'half of all sizes, 128 and 256 px, where the truths have detail above the smaller one, '
        f'the detail that is added changes PSNR by {coarse_gain:+.2f} dB in the coarse stage and '
        f'by {fine_gain:+.2f} dB in the fine stage. Both stages there give '
        f'{cell(half["coarse then fine"])}, two cycles at the full size {cell(half["256"])}.',
    ]
    return '\n'.join(lines)


def main() -> None:
    """Measure and write figures and table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, required=True, help='folder with MANIFEST.tsv')
    parser.add_argument('--faces', type=int, default=20)
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument('--out', type=Path, default=FIGURES)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    choice, model = choose_providers('cpu'), resolve_model('auto')

    def load(size: int) -> Restorer:
        return Restorer(model, choice, 1, size)

    restorers = {size: load(size) for size in (NATIVE, FINE_SIZE)}
    two = TwoStageRestorer(load(NATIVE), load(FINE_SIZE))
    two.warm_up()
    times = costs(restorers, two, args.rounds)
    both = times['coarse stage of 2 cycles'] + times['fine stage']
    quality = Quality(degraded_faces(args.data, 'val', args.faces, SEED))
    result = {
        'command': f'python -m benchmarks.fine_stage --faces {args.faces} --rounds {args.rounds}',
        'model': model.name,
        'sha256': two.card.sha256,
        'machine': machine(),
        'faces': args.faces,
        'milliseconds': times,
        'coarse_to_256': round(times['coarse stage of 2 cycles'] / times['2 cycles at 256'], 2),
        'both_to_512': round(both / times['2 cycles at 512'], 2),
        'quality_at_256_px': enlarged_faces(quality, restorers, two),
        'half_of_all_sizes': half_size(quality, load(NATIVE // 2), load(NATIVE), 2),
    }
    write_figures(result, args.out, table(result), kept=FIGURES, page=PAGE, name='fine-stage')


if __name__ == '__main__':
    main()
