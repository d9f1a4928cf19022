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

"""Measures lids that such networks draw: ``python -m benchmarks.previous_output_lids RUN...``.

A network that reads its own last output could hold eyes open that have been shut since. Blinks are
filmed as in `benchmarks.blink_detection`, and the eyes are measured in the crops that each RUN of
`training.experiments.previous_output` restores. The benchmark needs the node's packages beside
those of training, and writes ``benchmarks/previous_output_lids.json`` and the table of
``docs/fusion.md``.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from tqdm import tqdm

from benchmarks.blink_detection import CASES, Case
from benchmarks.blink_detection_figures import Recording, pooled
from benchmarks.fusion import SETTINGS, make_pipeline
from benchmarks.pages import write_figures
from benchmarks.recurrent_restorer import FP32, Picture, Restorers, Version, read_versions
from cfrnet_ros.vision.engine.model_card import load_card
from cfrnet_ros.vision.preprocessing.align import warp_crop
from demo.blinks import shots, write_script
from examples.eyelids.eye_landmarks import EyeLandmarker

ROOT = Path(__file__).resolve().parent.parent
PAGE, FIGURES = ROOT / 'docs' / 'fusion.md', ROOT / 'benchmarks' / 'previous_output_lids.json'

#: Cameras that film the blinks.
NAMES = ('Sensor noise, 320 x 240', 'Low light, 640 x 480', 'Infrared, 480 x 360')

#: Figures of `benchmarks.blink_detection_figures` that are kept.
KEPT = ('ratio_mae', 'ratio_error_shut', 'f1')

#: Seed and length in seconds of the scenes.
SEED, SECONDS = 1, 24.0


def measure(case: Case, versions: Mapping[str, Version]) -> dict[str, dict[str, float]]:
    """Film a scene with blinks and measure the eyes.

    Returns:
        Of each version: mean absolute error of the eye aspect ratio against the perfect camera
        (`ratio_mae`), its mean error where the lids are down by 90% (`ratio_error_shut`), and F1 of
        the closures (`f1`).

    """
    pipeline, restorer = make_pipeline()
    size, landmarker = restorer.card.size, EyeLandmarker()
    restorers = Restorers(versions, size)
    script = write_script(SEED, SECONDS)
    times: list[float] = []
    truth: list[float] = []
    ratios: dict[str, list[float]] = {name: [] for name in ('clean', 'fused', *versions)}
    for shot in shots(case.condition, script, SEED, SECONDS, case.size):
        faces = pipeline.process(shot.seen_bgr, SETTINGS, shot.time_s).faces
        crops: dict[str, Picture] = {}
        if faces:
            clean = warp_crop(shot.clean, faces[0].affine, size)
            crops = {'clean': clean, 'fused': faces[0].fused} | restorers(faces[0], True)
        times.append(shot.time_s)
        truth.append(shot.openness)
        for name, values in ratios.items():
            eyes = landmarker(crops[name]) if crops else None
            values.append(eyes.openness if eyes is not None and eyes.found else np.nan)
    figures = pooled(
        [
            Recording(
                np.array(times),
                np.array(truth),
                {name: np.array(values) for name, values in ratios.items()},
                tuple((one.start_s, one.end_s) for one in script.closures),
            )
        ]
    )
    return {
        name: {figure: figures[name][figure] for figure in KEPT} for name in ('fused', *versions)
    }


def table(result: Mapping[str, Any]) -> str:
    """Return the table of the page as Markdown."""
    names = list(next(iter(result['cameras'].values())))
    lines = [f'| camera | {" | ".join(names)} |', '| --- ' * (len(names) + 1) + '|']
    for camera, versions in result['cameras'].items():
        cells = [
            f'{one["ratio_mae"]:.3f} / {one["ratio_error_shut"]:+.3f} / {one["f1"]:.2f}'
            for one in versions.values()
        ]
        lines.append(f'| {camera} | {" | ".join(cells)} |')
    return '\n'.join(lines)


def main() -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('runs', type=Path, nargs='+', help="runs' folders")
    parser.add_argument('--model', type=Path, default=FP32, help='shipped FP32 file')
    parser.add_argument('--cameras', nargs='*', default=list(NAMES))
    parser.add_argument('--out', type=Path, default=FIGURES)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    versions, trained = read_versions(args.model, args.runs)
    cases = [case for case in CASES if case.name in args.cameras]
    result = {
        'command': 'python -m benchmarks.previous_output_lids RUN...',
        'sha256': load_card(args.model).sha256,
        'runs': trained,
        'seed': SEED,
        'seconds': SECONDS,
        'cameras': {case.name: measure(case, versions) for case in tqdm(cases, unit='camera')},
    }
    write_figures(result, args.out, table(result), kept=FIGURES, page=PAGE, name='previous-lids')


if __name__ == '__main__':
    main()
