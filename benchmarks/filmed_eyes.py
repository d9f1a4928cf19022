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

"""Compares weights by the eyes of filmed faces: ``python -m benchmarks.filmed_eyes W W...``.

Each W is the folder of a run or a shipped FP32 file. The scenes are those of
`benchmarks.blink_detection`, with another seed, so that weights are not chosen by the blinks that
they are judged by. The eyes of validation faces (`training.experiments.compare_weights`) do not
tell it: they are large, and open.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from benchmarks.blink_detection import CASES, Case
from benchmarks.fusion import faces_of, make_pipeline
from cfrnet_ros.vision.preprocessing.align import warp_crop
from cfrnet_ros.vision.preprocessing.colour_noise import prepare_face
from cfrnet_ros.vision.restoration.grey import is_grey, take_colour_away
from demo.blinks import shots, write_script
from examples.eyelids.eye_landmarks import EyeLandmarker
from training.data.crops import to_image, to_tensor
from training.experiments.compare_weights import read_networks

#: Seed of blinks, movement and noise; `benchmarks.blink_detection` has 1 and 2.
SEED = 11
#: Length of a scene in seconds, and every which frame is measured.
SECONDS, EVERY = 24.0, 3
CYCLES = 3

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class EyeError:
    """Difference of the eye aspect ratio from that of the same frame of a perfect camera.

    Attributes:
        error: Mean absolute difference.
        bias: Mean difference, below 0 where the eyes are open too little.
        frames: Number of frames in which eyes were found in both.

    """

    error: float
    bias: float
    frames: int


def film(case: Case) -> Iterator[tuple[Picture, float]]:
    """Film a scene with blinks.

    Yields:
        Of every third frame in which a face was found: the fused crop, (256, 256, 3) uint8 BGR, and
        the eye aspect ratio in the same crop of a perfect camera.

    """
    pipeline, restorer = make_pipeline()
    landmarker = EyeLandmarker()
    script = write_script(SEED, SECONDS)
    for number, shot in enumerate(shots(case.condition, script, SEED, SECONDS, case.size)):
        faces = faces_of(pipeline, shot.seen_bgr, shot.time_s, number % EVERY == 0)
        if not faces:
            continue
        truth = landmarker(warp_crop(shot.clean, faces[0].affine, restorer.card.size))
        if truth.found:
            yield faces[0].fused, truth.openness


@torch.no_grad()
def restored(network: nn.Module, crop: Picture) -> Iterator[Picture]:
    """Yield the crop after each cycle, as the node's restorer gives it."""
    picture, grey = prepare_face(crop), is_grey(crop)
    while True:
        picture = to_image(network(to_tensor(picture)))
        if grey:
            take_colour_away(picture, 2)
        yield picture


def measure(
    network: nn.Module, scene: Sequence[tuple[Picture, float]], landmarker: EyeLandmarker
) -> dict[str, EyeError]:
    """Return the error of the eyes in the fused crops, ``0``, and after ``1``, ``2``... cycles."""
    differences: dict[str, list[float]] = {str(k): [] for k in range(CYCLES + 1)}
    for crop, truth in scene:
        stages = [crop, *(picture for picture, _ in zip(restored(network, crop), range(CYCLES)))]
        for k, picture in enumerate(stages):
            eyes = landmarker(picture)
            differences[str(k)].append(eyes.openness - truth if eyes.found else math.nan)
    return {k: _error(np.array(values)) for k, values in differences.items()}


def _error(differences: NDArray[np.float64]) -> EyeError:
    found = differences[~np.isnan(differences)]
    if not found.size:
        return EyeError(math.nan, math.nan, 0)
    return EyeError(
        round(float(np.abs(found).mean()), 4), round(float(found.mean()), 4), int(found.size)
    )


def mean(errors: Sequence[EyeError]) -> EyeError:
    """Return the mean over all frames of several scenes."""
    frames = sum(one.frames for one in errors)
    seen = [one for one in errors if one.frames]
    if not frames:
        return EyeError(math.nan, math.nan, 0)
    error, bias = (
        round(sum(getattr(one, name) * one.frames for one in seen) / frames, 4)
        for name in ('error', 'bias')
    )
    return EyeError(error, bias, frames)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('weights', nargs='+', type=Path, help="runs' folders or FP32 files")
    names = [case.name for case in CASES]
    parser.add_argument(
        '--cameras', nargs='+', default=names, choices=names, metavar='NAME',
        help=f'of: {"; ".join(names)}; default: all',
    )  # fmt: skip
    parser.add_argument('--out', type=Path, help='JSON file to write')
    args = parser.parse_args()
    networks = read_networks(args.weights)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    landmarker = EyeLandmarker()
    found: dict[str, dict[str, dict[str, EyeError]]] = {name: {} for name in networks}
    cases = [case for case in CASES if case.name in args.cameras]
    for case in tqdm(cases, unit='camera'):
        scene = list(film(case))
        for name, network in networks.items():
            found[name][case.name] = measure(network, scene, landmarker)
    for name, cameras in found.items():
        cameras['all'] = {
            str(k): mean([errors[str(k)] for errors in cameras.values()]) for k in range(CYCLES + 1)
        }
        print(name)
        for k, one in cameras['all'].items():
            print(f'{k:>6} error {one.error:.4f}  bias {one.bias:+.4f}  frames {one.frames}')
    if args.out:
        facts = {
            'seed': SEED,
            'seconds': SECONDS,
            'every': EVERY,
            'weights': {
                name: {
                    camera: {k: asdict(one) for k, one in errors.items()}
                    for camera, errors in cameras.items()
                }
                for name, cameras in found.items()
            },
        }
        args.out.write_text(json.dumps(facts, indent=1) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
