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

"""Compares byte and float input: ``python -m benchmarks.io_formats --uint8 A --float B``.

A and B are folders with the same training run, exported by
``python -m training.tools.export --io uint8`` and ``--io float``. All variants are run alternately
in one process, so that a machine that slows down slows all of them. With ``--data FACES`` (which
needs the training requirements) the benchmark also measures the effect of rounding to eight bits
between the cycles on validation faces.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import machine
from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.restoration.restorer import Restorer

FORMATS, PRECISIONS = ('uint8', 'float'), ('fp32', 'int8')
CYCLES = 4


def time_formats(restorers: dict[str, Restorer], rounds: int) -> dict[str, Any]:
    """Return the CPU time of the calling thread in ms: per cycle, and outside the cycles.

    CPU time does not count other processes on the machine. With one thread, the calling thread
    does all of the work.
    """
    crop = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    spent: dict[tuple[str, int], list[float]] = {
        (name, k): [] for name in restorers for k in (1, CYCLES)
    }
    for restorer in restorers.values():
        restorer.warm_up()
    for _ in range(rounds):
        for name, k in spent:
            start = time.thread_time()
            restorers[name].restore(crop, k)
            spent[name, k].append((time.thread_time() - start) * 1e3)
    found: dict[str, Any] = {}
    for name in restorers:
        once, often = np.asarray(spent[name, 1]), np.asarray(spent[name, CYCLES])
        # The fastest calls are used: other load on caches and clocks can only slow a call down.
        cycle = float(often.min() - once.min()) / (CYCLES - 1)
        found[name] = {
            'cycle_ms': round(cycle, 3),
            'around_the_cycles_ms': round(float(once.min()) - cycle, 3),
            'k1_median_ms': round(float(np.median(once)), 3),
            f'k{CYCLES}_median_ms': round(float(np.median(often)), 3),
        }
    return found


def compare_feedback(restorers: dict[str, Restorer], data: Path, faces: int) -> dict[str, Any]:
    """Return the effect of feeding back bytes instead of floats, by precision and k."""
    from training.export.faces import degraded_faces

    chosen = degraded_faces(data, 'val', faces, 7)
    found: dict[str, Any] = {'faces': len(chosen)}
    for precision in PRECISIONS:
        rows = []
        for face in chosen:
            row = []
            for k in range(1, CYCLES + 1):
                bytes_, floats = (
                    restorers[f'{precision}_{io}'].restore(face.degraded, k).crop for io in FORMATS
                )
                change = cv2.PSNR(bytes_, face.truth) - cv2.PSNR(floats, face.truth)
                row.append((change, _largest(bytes_, floats)))
            rows.append(row)
        table = np.asarray(rows)
        found[precision] = {
            'psnr_change_db': [round(float(v), 4) for v in table[..., 0].mean(axis=0)],
            'largest_loss_db': [round(float(v), 3) for v in table[..., 0].min(axis=0)],
            'largest_levels': [int(v) for v in table[..., 1].max(axis=0)],
        }
    return found


def _largest(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> int:
    return int(np.asarray(cv2.absdiff(first, second)).max())


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--uint8', type=Path, required=True, help='folder exported with --io uint8')
    parser.add_argument('--float', type=Path, required=True, help='folder exported with --io float')
    parser.add_argument('--name', default='cfrnet_256')
    parser.add_argument('--data', type=Path, help='folder with MANIFEST.tsv')
    parser.add_argument('--faces', type=int, default=60)
    parser.add_argument('--rounds', type=int, default=60)
    parser.add_argument('--out', type=Path, default=Path('benchmarks/io_formats.json'))
    args = parser.parse_args()
    cv2.setNumThreads(1)
    choice = choose_providers('cpu')
    restorers = {
        f'{precision}_{io}': Restorer(
            getattr(args, io) / f'{args.name}_{precision}.onnx', choice, 1
        )
        for precision in PRECISIONS
        for io in FORMATS
    }
    result: dict[str, Any] = {
        'command': f'python -m benchmarks.io_formats --rounds {args.rounds}',
        'machine': machine(),
        'sha256': {name: restorer.card.sha256[:16] for name, restorer in restorers.items()},
        'times': time_formats(restorers, args.rounds),
    }
    if args.data:
        result['uint8_against_float_feedback'] = compare_feedback(restorers, args.data, args.faces)
    args.out.write_text(json.dumps(result, indent=1) + '\n', encoding='utf-8')
    print(json.dumps(result, indent=1))


if __name__ == '__main__':
    main()
