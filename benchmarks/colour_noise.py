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

"""Measures what smoothing the colour noise of very dark faces gives.

``python -m benchmarks.colour_noise --data FACES``

Validation faces of the sets that have dark ones are restored by the shipped INT8 file twice: as the
node prepares them, and brightened only. Those that are brightened by more than `FIRST_GAIN`, the
only ones that differ, are compared with their truth. The benchmark needs the training requirements.
It writes ``benchmarks/colour_noise.json`` and a table of ``docs/tuning.md``; the same seed gives
the same figures.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.pages import write_figures
from cfrnet_ros.vision.engine.models import resolve_model
from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.preprocessing.colour_noise import FIRST_GAIN
from cfrnet_ros.vision.preprocessing.exposure import expose_face, face_exposure_gain
from cfrnet_ros.vision.restoration.restorer import Restorer
from training.critics.perceptual import Lpips
from training.data.crops import aligned, to_image, to_tensor
from training.data.manifest import read_manifest
from training.degradation import SAMPLERS
from training.metrics.sface import SFace, degrees

Picture = NDArray[np.uint8]

ROOT = Path(__file__).resolve().parent.parent
PAGE, FIGURES = ROOT / 'docs' / 'tuning.md', ROOT / 'benchmarks' / 'colour_noise.json'
#: Seed of the degradations: face i gets (seed, i).
SEED = 77
CYCLES = 3
#: Sets with very dark faces, and their names in the table.
SETS = {'low_light': 'low light', 'car': 'car'}
#: Centres of the eyes in an aligned crop of 256 px, and the spread of the windows (Gaussian, px)
#: in which the colours of eyes are compared.
_EYES, _EYE_WINDOW = ((118, 90), (118, 165)), 5.0


class Distances:
    """Measures crops against their truth."""

    def __init__(self) -> None:
        """Load the networks."""
        self._lpips, self._sface = Lpips('alex'), SFace(1)

    @torch.no_grad()
    def __call__(self, truth: Picture, crops: Sequence[Picture]) -> list[dict[str, float]]:
        """Return the distances of each crop from a truth.

        Args:
            truth: (256, 256, 3) uint8 BGR.
            crops: Crops of the same shape.

        Returns:
            For each crop `lpips` (AlexNet); `psnr` in dB; `degrees` between the SFace embeddings;
            `colour`, mean absolute difference of Cr and Cb in levels of 255; `eyes`, by how many
            levels the colours of the two eyes differ otherwise than in the truth.

        """
        features, who = self._lpips.features(to_tensor(truth)), self._sface(truth)
        found = []
        for crop in crops:
            error = _colours(crop) - _colours(truth)
            local = cv2.GaussianBlur(error, (0, 0), _EYE_WINDOW)
            distance = self._lpips.distance(self._lpips.features(to_tensor(crop)), features)
            found.append(
                {
                    'lpips': float(distance),
                    'psnr': float(cv2.PSNR(crop, truth)),
                    'degrees': degrees(self._sface(crop), who),
                    'colour': float(np.abs(error).mean()),
                    'eyes': float(np.linalg.norm(local[_EYES[0]] - local[_EYES[1]])),
                }
            )
        return found


def _colours(crop: Picture) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2YCrCb), np.float32)[..., 1:]


def measure(data: Path, name: str, restorer: Restorer, distances: Distances) -> dict[str, Any]:
    """Restore the very dark faces of a set in both ways.

    Args:
        data: Folder with MANIFEST.tsv.
        name: One of `SETS`.
        restorer: Restorer of the shipped file.
        distances: Function that measures.

    Returns:
        `faces`, number of very dark faces, `of` how many, and by `brightened` and `smoothed` the
        mean distances after each cycle, ``'1'``, ``'2'``...

    """
    rows: dict[str, list[list[dict[str, float]]]] = {'brightened': [], 'smoothed': []}
    records = read_manifest(data, 'val')
    for number, record in enumerate(tqdm(records, desc=name, unit='face')):
        clean = to_tensor(aligned(record))
        plan = SAMPLERS[name](np.random.default_rng((SEED, number)))
        seen, truth = to_image(plan(clean)), to_image(plan.truth(clean))
        if face_exposure_gain(seen) <= FIRST_GAIN:
            continue
        # What is bright already is neither brightened again nor smoothed.
        for way, crop in (('brightened', expose_face(seen)), ('smoothed', seen)):
            cycles = [cycle.crop() for cycle in islice(restorer.cycles(crop), CYCLES)]
            rows[way].append(distances(truth, cycles))
    means = {
        way: {str(k): _mean(found) for k, found in enumerate(zip(*faces, strict=True), start=1)}
        for way, faces in rows.items()
    }
    return {'faces': len(rows['smoothed']), 'of': len(records), **means}


def _mean(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {key: round(float(np.mean([row[key] for row in rows])), 4) for key in rows[0]}


def table(sets: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the figures as a table of Markdown."""
    lines = [
        '| set | very dark faces | k | LPIPS | degrees | PSNR, dB | colour, levels | '
        'eyes apart, levels |',
        '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ]
    for name, found in sets.items():
        for k, before in found['brightened'].items():
            after = found['smoothed'][k]
            cells = [
                f'{before[key]:{form}} -> {after[key]:{form}}'
                for key, form in (
                    ('lpips', '.3f'),
                    ('degrees', '.1f'),
                    ('psnr', '.2f'),
                    ('colour', '.1f'),
                    ('eyes', '.1f'),
                )
            ]
            faces = f'{found["faces"]} of {found["of"]}'
            lines.append(f'| {SETS[name]} | {faces} | {k} | {" | ".join(cells)} |')
    return '\n'.join(lines)


def main() -> None:
    """Measure and write figures and table."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--data', type=Path, required=True, help='folder with MANIFEST.tsv')
    parser.add_argument('--out', type=Path, default=FIGURES)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    restorer, distances = Restorer(resolve_model('int8'), choose_providers('cpu'), 1), Distances()
    sets = {name: measure(args.data, name, restorer, distances) for name in SETS}
    result = {
        'command': 'python -m benchmarks.colour_noise',
        'sha256': restorer.card.sha256,
        'seed': SEED,
        'sets': sets,
    }
    write_figures(result, args.out, table(sets), kept=FIGURES, page=PAGE, name='colour-noise')


if __name__ == '__main__':
    main()
