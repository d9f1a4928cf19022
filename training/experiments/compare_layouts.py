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

"""Train, measure and time every layout; write ``layouts.json`` and ``layouts.md``.

``python -m training.experiments.compare_layouts --data FACES --out RUN`` resumes where it was
stopped.
"""

from __future__ import annotations

import argparse
import json
import platform
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.data.crops import SIZE
from training.experiments.layouts.contestants import Contestant, train_all
from training.experiments.layouts.front import at_seconds, front, mean_over_sets
from training.experiments.layouts.layouts_page import render
from training.experiments.layouts.quality import (
    METRICS,
    LayoutFaces,
    by_set,
    paired_difference,
)
from training.experiments.layouts.report import EqualTime, LayoutFigures, Report
from training.experiments.layouts.speed import agreement, export, time_all
from training.export.faces import degraded_faces
from training.networks.build import count_macs, count_parameters
from training.networks.config import LAYOUTS
from training.run.config import RunConfig, load_config

#: Largest k measured, and the k at which layouts are compared for the front.
CYCLES, FRONT_CYCLES = 3, 2

#: Faces that calibrate each INT8 model, those that it is compared with FP32 on, and the seeds
#: of both choices.
CALIBRATION_FACES, AGREEMENT_FACES, SEEDS = 16, 8, (11, 7)


def main() -> None:
    """Compare the layouts."""
    args = _arguments()
    page, figures = args.docs / 'layouts.md', args.docs / 'layouts.json'
    if args.only_page:
        report = Report.read(json.loads(figures.read_text(encoding='utf-8')))
        _write(replace(report, kept=_kept(args.kept) or report.kept), figures, page)
        return
    if args.threads > 0:
        torch.set_num_threads(args.threads)
    cv2.setNumThreads(1)
    config = load_config(args.config)
    device = torch.device(args.device)
    faces = LayoutFaces(args.data, device, args.faces)

    def look(network: nn.Module) -> dict[str, float]:
        means = faces.measure(network, 1, args.look_faces).mean(axis=0)
        return {f'{m}_1': round(float(means[i, 1]), 4) for i, m in enumerate(METRICS)}

    contestants = train_all(
        args.layouts, config, args.data, args.out, device, look, args.look_every
    )
    values = {c.layout: faces.measure(c.average, CYCLES) for c in contestants}
    report = _figures(args, config, contestants, values, faces.sets)
    _write(report, figures, page)


def _write(report: Report, figures: Path, page: Path) -> None:
    figures.write_text(json.dumps(report.as_json(), indent=1) + '\n', encoding='utf-8')
    page.write_text(render(report), encoding='utf-8')
    print(f'wrote {figures} and {page.name}; front: {", ".join(report.front)}')


def _kept(path: Path | None) -> str:
    return path.read_text(encoding='utf-8').strip() if path else ''


def _figures(
    args: argparse.Namespace,
    config: RunConfig,
    contestants: list[Contestant],
    values: dict[str, NDArray[np.float64]],
    sets: list[str],
) -> Report:
    reference = args.layouts[0]
    calibration = degraded_faces(args.data, 'train', CALIBRATION_FACES, SEEDS[0])
    compared = degraded_faces(args.data, 'val', AGREEMENT_FACES, SEEDS[1])
    files = {
        c.layout: export(c.average.cpu().eval(), c.layout, args.out, calibration)
        for c in contestants
    }
    speed = time_all(files, args.rounds)
    # At one cycle, which is what the looks measure.
    first_steps = next((s for s, new in config.stages if 'cycles' in new), config.steps)
    spent = {c.layout: at_seconds_of_step(c.history, first_steps) for c in contestants}
    fastest = min(spent, key=lambda name: spent[name])
    rows: dict[str, LayoutFigures] = {}
    for c in contestants:
        own = values[c.layout]
        quality = by_set(own, sets)
        rows[c.layout] = LayoutFigures(
            parameters=count_parameters(c.network),
            gmac=round(count_macs(c.average, SIZE) / 1e9, 3),
            speed=speed[c.layout],
            int8_time_ratio=round(
                speed[c.layout]['int8'].median_ms / speed[reference]['int8'].median_ms, 3
            ),
            int8_to_fp32_db=agreement(files[c.layout], compared),
            quality=quality,
            mean={
                metric: [round(mean_over_sets(quality, metric, k), 4) for k in range(1, CYCLES + 1)]
                for metric in METRICS
            },
            against_reference={
                metric: paired_difference(
                    own[:, i, FRONT_CYCLES], values[reference][:, i, FRONT_CYCLES]
                )
                for i, metric in enumerate(METRICS)
            },
            train_seconds=round(c.seconds, 1),
            step_ms=round(1e3 * spent[c.layout] / first_steps, 1),
            at_equal_time=at_seconds(c.history, spent[fastest]),
            history=c.history,
        )
    costs = {
        name: (
            row.speed['int8'].median_ms,
            -row.mean['psnr'][FRONT_CYCLES - 1],
            row.mean['lpips'][FRONT_CYCLES - 1],
        )
        for name, row in rows.items()
    }
    given = by_set(values[reference], sets)
    return Report(
        seed=config.seed,
        steps=config.steps,
        first_steps=first_steps,
        faces=len(sets),
        reference=reference,
        front_cycles=FRONT_CYCLES,
        front=front(costs),
        input={metric: round(mean_over_sets(given, metric, 0), 4) for metric in METRICS},
        rounds=args.rounds,
        machine=args.machine,
        provenance=contestants[0].provenance,
        equal_time=EqualTime(
            seconds=round(spent[fastest], 1),
            fastest=fastest,
            faces=min(args.look_faces, len(sets)),
        ),
        kept=_kept(args.kept),
        layouts=rows,
    )


def at_seconds_of_step(history: list[dict[str, float]], step: int) -> float:
    """Return the seconds of training by a step, between two looks by a line."""
    return float(
        np.interp(step, [0, *(r['step'] for r in history)], [0, *(r['seconds'] for r in history)])
    )


def _machine() -> str:
    """Return the processor's name."""
    info = Path('/proc/cpuinfo')
    if info.is_file():
        for line in info.read_text(encoding='utf-8').splitlines():
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    return platform.processor() or platform.machine()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, help='folder with MANIFEST.tsv')
    parser.add_argument('--out', type=Path, help='folder of checkpoints and models')
    parser.add_argument(
        '--only-page', action='store_true', help='make the page anew from layouts.json'
    )
    parser.add_argument('--docs', type=Path, default=Path('docs'), help='where the page goes')
    parser.add_argument(
        '--config', type=Path, default=Path(__file__).parent / 'layouts' / 'comparison.yaml'
    )
    parser.add_argument('--layouts', nargs='+', choices=LAYOUTS, default=list(LAYOUTS))
    parser.add_argument('--faces', type=int, default=60, help='validation faces')
    parser.add_argument('--look-every', type=int, default=50, help='steps between two looks')
    parser.add_argument('--look-faces', type=int, default=16, help='faces of a look')
    parser.add_argument('--rounds', type=int, default=40, help='runs of each file for its time')
    parser.add_argument('--machine', default=_machine(), help='as the page names it')
    parser.add_argument('--kept', type=Path, help='text for the page: what is kept, and why')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--threads', type=int, default=0, help='CPU threads, 0 = all')
    args = parser.parse_args()
    if not args.only_page and (args.data is None or args.out is None):
        parser.error('--data and --out are needed, except with --only-page')
    return args


if __name__ == '__main__':
    main()
