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

"""Films training portraits, for `training.experiments.gauss_newton --filmed`.

``python -m benchmarks.filmed_faces --faces FOLDER --clips FOLDER --exclude LIST --out FILE``

Photographs of the training set move as people move in clips, and are filmed by the cameras of
`benchmarks.fusion` whose frames fusion averages. The fused crops are written as the network gets
them, with their truths: faces such as the node restores, while the training's set `fused` imitates
some properties of fusion. The same seed gives the same faces.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.fusion import make_pipeline, measured_faces
from benchmarks.fusion_clips import CAMERAS, camera_named
from benchmarks.moving_portraits import film_portrait, motions_in, read_portrait
from training.data.manifest import FaceRecord, read_manifest, read_names

Picture = NDArray[np.uint8]

#: Cameras that film in turn. With the others, video and the clean one, nothing is fused.
NAMES = [
    camera.name
    for camera in CAMERAS
    if not camera.name.startswith('video') and camera.name != 'clean'
]

#: Frames of each portrait, the last of which is kept.
FRAMES = 26


def filmed(
    camera: str, portrait: FaceRecord, motion: NDArray[np.float64]
) -> tuple[Picture, Picture] | None:
    """Film a portrait.

    Args:
        camera: Name of the camera.
        portrait: Portrait that moves.
        motion: (F, 2, 3) matrices as of `motion_of`.

    Returns:
        (256, 256, 3) uint8 BGR fused crop of the last frame, brightened if the face is dark, and
        its truth; None if the face was not found in it.

    """
    cv2.setNumThreads(1)
    pipeline, restorer = make_pipeline()
    shots = film_portrait(camera_named(camera), read_portrait(portrait), motion)
    last = len(motion) - 1
    found = next(measured_faces(pipeline, shots, lambda index: index == last), None)
    if found is None:
        return None
    shot, face = found
    return restorer.prepared(face.fused), shot.truth_crop(face.affine, restorer.card.size)


def jobs_of(
    records: Sequence[FaceRecord], motions: Sequence[NDArray[np.float64]], number: int, seed: int
) -> list[tuple[str, FaceRecord, NDArray[np.float64]]]:
    """Draw portraits and motions for the cameras in turn; each portrait comes once.

    Raises:
        ValueError: There are fewer portraits than `number`.

    """
    if number > len(records):
        raise ValueError(f'there are {len(records)} portraits, so --number must not be {number}')
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(records))[:number]
    return [
        (NAMES[place % len(NAMES)], records[index], motions[int(rng.integers(len(motions)))])
        for place, index in enumerate(order)
    ]


def main() -> None:
    """Film and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--faces', type=Path, required=True, help='folder with MANIFEST.tsv')
    parser.add_argument('--clips', type=Path, required=True, help='folder with the clips')
    parser.add_argument('--exclude', type=Path, required=True, help='images to leave out')
    parser.add_argument('--out', type=Path, required=True, help='file to write')
    parser.add_argument('--split', default='train', choices=('train', 'val'))
    parser.add_argument('--number', type=int, default=126, help='of portraits, default 126')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--jobs', type=int, default=1)
    args = parser.parse_args()
    try:
        left_out = read_names(args.exclude)
        records = [
            record
            for record in read_manifest(args.faces, args.split)
            if not record.synthetic and record.path.name not in left_out
        ]
        motions = motions_in(args.clips, FRAMES)
        jobs = jobs_of(records, motions, args.number, args.seed)
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(str(error)) from error
    with ProcessPoolExecutor(args.jobs, mp_context=get_context('spawn')) as pool:
        films = [pool.submit(filmed, *job) for job in jobs]
        pairs = [found for film in tqdm(films, unit='face') if (found := film.result())]
    if not pairs:
        raise SystemExit('no face was found in any film')
    fused, truth = zip(*pairs, strict=True)
    np.savez_compressed(args.out, fused=np.stack(fused), truth=np.stack(truth))
    print(f'{len(pairs)} of {len(jobs)} faces were found and written to {args.out}')


if __name__ == '__main__':
    main()
