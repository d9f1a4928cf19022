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

"""Measures fusion with sharp truths: ``python -m benchmarks.fusion_portraits --faces F --clips C``.

Portraits of the test move as people move in clips, and are filmed by the cameras of
`benchmarks.fusion` in the size of the clips' faces. The truth is the portrait itself, several times
as sharp as a webcam's face: detail that restoration adds and the person has counts for it, while
the truths of `benchmarks.fusion` are as soft as what the camera saw. The benchmark needs the
training requirements. It writes ``benchmarks/fusion_portraits.json`` and a table of
``docs/fusion.md``; the same seeds give the same figures.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.fusion import make_pipeline, measured_faces
from benchmarks.fusion_clips import CAMERAS, camera_named
from benchmarks.fusion_comparison import PAGE, ROOT, Distances, Record, means, table
from benchmarks.moving_portraits import film_portrait, motions_in, read_portrait
from benchmarks.pages import write_figures
from cfrnet_ros.vision.engine.model_card import load_card
from cfrnet_ros.vision.engine.models import resolve_model
from cfrnet_ros.vision.restoration.strength import mix
from training.data.manifest import FaceRecord, read_manifest
from training.evaluation.bootstrap import difference

FIGURES = ROOT / 'benchmarks' / 'fusion_portraits.json'

#: Number of portraits, and seed of their choice.
PORTRAITS, SEED = 33, 7

#: Frames that are filmed of each portrait, and those of them that are measured.
FRAMES, MEASURED = 40, (19, 39)

#: Version that demands are about, and version that it is compared with.
RESTORED, FUSED = 'k = 2', 'fused'


def portraits_of(faces: Path, number: int) -> list[FaceRecord]:
    """Choose portraits of the test, with a seed.

    Raises:
        FileNotFoundError: The manifest is missing.
        ValueError: The manifest lists no face for the test.

    """
    records = read_manifest(faces, 'test')
    order = np.random.default_rng(SEED).permutation(len(records))
    return [records[index] for index in order[:number]]


def measure(camera: str, portrait: FaceRecord, motion: NDArray[np.float64]) -> list[Record]:
    """Film a portrait and measure its faces.

    Args:
        camera: Name of the camera.
        portrait: Portrait that moves.
        motion: (F, 2, 3) matrices as of `motion_of`.

    Returns:
        Degrees from the truth, PSNR in dB and LPIPS of each measured frame, by version. What the
        camera saw and what was fused is brightened as the network gets it.

    """
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    pipeline, restorer = make_pipeline()
    distances = Distances(restorer.card)
    found: list[Record] = []
    shots = film_portrait(camera_named(camera), read_portrait(portrait), motion)
    for shot, face in measured_faces(pipeline, shots, lambda index: index in MEASURED):
        fused = restorer.prepared(face.fused)
        one, two, three = (cycle.crop() for cycle in islice(restorer.cycles(face.fused), 3))
        crops = {
            'camera': restorer.prepared(face.aligned),
            'alone, k = 2': restorer.restore(face.aligned, 2).crop,
            FUSED: fused,
            'k = 1': one,
            RESTORED: two,
            'k = 3': three,
            'k = 2, strength 0.5': mix(fused, two, 0.5),
            'k = 3, strength 0.5': mix(fused, three, 0.5),
        }
        found.append(distances(shot.truth_crop(face.affine, restorer.card.size), crops))
    return found


def summary(people: Sequence[Sequence[Record]]) -> dict[str, Any]:
    """Return what the page tells of a camera.

    Args:
        people: Records of each portrait; a portrait that was never found has none.

    Returns:
        Number of `faces`, means of their figures by version, and under `further` the degrees by
        which `RESTORED` is further from the truth than `FUSED`, with its 95% confidence interval
        over people.

    Raises:
        ValueError: No portrait was found.

    """
    seen = [means(records) for records in people if records]
    degrees = {name: [one[name][0] for one in seen] for name in (RESTORED, FUSED)}
    records = [record for person in people for record in person]
    return {
        'faces': len(records),
        'people': len(seen),
        'versions': means(records),
        'further': asdict(difference(degrees[RESTORED], degrees[FUSED])),
    }


def tables(result: Mapping[str, Any]) -> str:
    """Return the tables of the page as Markdown."""
    lines = [
        f'| camera | faces | degrees by which {RESTORED} is further from the truth than the fused '
        'crop, and 95% interval over people |',
        '| --- | --- | --- |',
    ]
    for name, found in result['cameras'].items():
        low, high = found['further']['ci95']
        value = found['further']['value']
        lines.append(f'| {name} | {found["faces"]} | {value:+.1f} ({low:+.1f} to {high:+.1f}) |')
    return '\n\n'.join([table(result), '\n'.join(lines)])


def main() -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--faces', type=Path, required=True, help='folder with MANIFEST.tsv')
    parser.add_argument('--clips', type=Path, required=True, help='folder with the clips')
    parser.add_argument('--jobs', type=int, default=1)
    parser.add_argument('--cameras', nargs='*', default=[c.name for c in CAMERAS])
    parser.add_argument('--portraits', type=int, default=PORTRAITS)
    parser.add_argument('--out', type=Path, default=FIGURES)
    args = parser.parse_args()
    motions = motions_in(args.clips, FRAMES)
    portraits = portraits_of(args.faces, args.portraits)
    found: dict[str, Any] = {}
    with ProcessPoolExecutor(args.jobs, mp_context=get_context('spawn')) as pool:
        jobs = {
            camera.name: [
                pool.submit(measure, camera.name, portrait, motions[index % len(motions)])
                for index, portrait in enumerate(portraits)
            ]
            for camera in CAMERAS
            if camera.name in args.cameras
        }
        for name, futures in tqdm(jobs.items(), unit='camera'):
            found[name] = summary([future.result() for future in futures])
    result = {
        'command': 'python -m benchmarks.fusion_portraits --faces FOLDER --clips FOLDER',
        'sha256': load_card(resolve_model('auto')).sha256,
        'portraits': [portrait.path.name for portrait in portraits],
        'cameras': found,
    }
    write_figures(result, args.out, tables(result), kept=FIGURES, page=PAGE, name='portraits')


if __name__ == '__main__':
    main()
