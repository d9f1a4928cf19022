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

"""Compare weights on validation faces.

``python -m training.experiments.compare_weights W W... --data FACES``

Each W is the folder of a run or a shipped FP32 file. ``--filmed FILE`` instead of ``--data FACES``
takes faces that were filmed and fused (`benchmarks.filmed_faces --split val`). What an hour of
training gave is told here, on the split `val`: the 300 people of `make evaluate` are not for
choosing by.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from examples.eyelids.eye_landmarks import EyeLandmarker
from training.data.crops import to_image
from training.degradation import SAMPLERS
from training.degradation.blur import convolve, gaussian_kernels
from training.evaluation.validation_faces import MeasuredFaces, ValidationFaces, eight_bits
from training.experiments.responses.filmed_faces import FILMED, read_filmed_faces
from training.export.shipped import read_network
from training.metrics.sface import SFace, degrees

#: Seed of the degradations; another than that of `training.run.validation`, by which runs are
#: watched.
SEED = 77
CYCLES = 4
#: Standard deviations of the Gaussians, pixels, below which `bands` exchanges cycles.
BANDS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0)


@dataclass(frozen=True)
class Figures:
    """Means over the faces.

    Attributes:
        psnr_db: PSNR in dB.
        lpips: LPIPS (AlexNet).
        sface_degrees: Angle between the SFace embeddings of the image and of the truth.
        eye_error: Mean absolute difference of the eye aspect ratio, height over width of the eyes'
            opening, from the truth's, as MediaPipe's networks measure both (`examples.eyelids`);
            over the faces whose eyes they find in image and truth; None if they find none.
        eye_bias: Mean of that difference, below 0 where the eyes are open too little, or None.

    """

    psnr_db: float
    lpips: float
    sface_degrees: float
    eye_error: float | None
    eye_bias: float | None


class Likeness:
    """Measures restored faces against their truth: PSNR, LPIPS (AlexNet), SFace, eyes."""

    def __init__(self, faces: MeasuredFaces, cycles: int = CYCLES) -> None:
        """Load the networks that measure.

        Args:
            faces: Faces on the CPU; see `validation_faces` and `filmed_faces`.
            cycles: Largest k that is measured.

        """
        self._cycles = cycles
        self._measured = faces
        self._sface = SFace(torch.get_num_threads())
        self._eyes = EyeLandmarker(torch.get_num_threads())

    @torch.no_grad()
    def cycles(self, network: nn.Module) -> dict[str, Figures]:
        """Return the mean figures of the input, ``0``, and of ``1``, ``2``..., fed back."""
        pictures = []
        for face in tqdm(self._measured.faces, unit='face', leave=False):
            stages = [face.degraded]
            for _ in range(self._cycles):
                stages.append(eight_bits(network(stages[-1])))
            pictures.append({str(k): image for k, image in enumerate(stages)})
        return self._measure(pictures)

    @torch.no_grad()
    def bands(self, network: nn.Module) -> dict[str, Figures]:
        """Return the figures of k=3 with what is coarser than each of `BANDS` taken from k=1.

        Where identity comes back, it had been lost in that band.
        """
        pictures = []
        for face in tqdm(self._measured.faces, unit='face', leave=False):
            first = network(face.degraded)
            third = network(network(first))
            pictures.append(
                {str(sigma): eight_bits(third + _coarse(first - third, sigma)) for sigma in BANDS}
            )
        return self._measure(pictures)

    def _measure(self, pictures: Sequence[Mapping[str, Tensor]]) -> dict[str, Figures]:
        rows: dict[str, list[tuple[float, float, float]]] = {}
        wider: dict[str, list[float]] = {}
        for images, face in zip(pictures, self._measured.faces, strict=True):
            truth = to_image(face.truth)
            who, open_as = self._sface(truth), self._openness(truth)
            for name, image in images.items():
                picture, fidelity = to_image(image), self._measured.fidelity(face, image)
                angle = degrees(self._sface(picture), who)
                rows.setdefault(name, []).append((fidelity.psnr_db, fidelity.lpips, angle))
                difference = self._openness(picture) - open_as
                wider.setdefault(name, []).extend([] if math.isnan(difference) else [difference])
        found = {}
        for name, values in rows.items():
            psnr_db, lpips, angle = (round(float(v), 4) for v in np.mean(values, axis=0))
            error, bias = _mean([abs(v) for v in wider[name]]), _mean(wider[name])
            found[name] = Figures(psnr_db, lpips, angle, error, bias)
        return found

    def _openness(self, picture: NDArray[np.uint8]) -> float:
        eyes = self._eyes(picture)
        return eyes.openness if eyes.found else math.nan


def validation_faces(data: Path, name: str, count: int | None = None) -> MeasuredFaces:
    """Return validation faces, each degraded once.

    Args:
        data: Folder with MANIFEST.tsv.
        name: Name of the set, one of `training.degradation.SAMPLERS`.
        count: Largest number of faces; None for all.

    """
    return ValidationFaces(data, torch.device('cpu'), (name,), SEED, count)


def filmed_faces(path: Path, count: int | None = None) -> MeasuredFaces:
    """Return faces that were filmed and fused.

    Args:
        path: File of `benchmarks.filmed_faces`.
        count: Largest number of faces; None for all.

    """
    faces = MeasuredFaces(torch.device('cpu'))
    for fused, truth in read_filmed_faces(path)[:count]:
        faces.add(FILMED, fused, truth)
    return faces


def _mean(values: Sequence[float]) -> float | None:
    return round(float(np.mean(values)), 4) if values else None


def _coarse(image: Tensor, sigma: float) -> Tensor:
    """Return a (1, 3, H, W) image blurred by a Gaussian, mirrored at its borders."""
    width = torch.tensor([sigma])
    kernel = gaussian_kernels(width, width, torch.zeros(1), math.ceil(3.0 * sigma))
    return convolve(image, kernel)


def halfway(first: nn.Module, second: nn.Module) -> dict[str, Tensor]:
    """Return the mean of two networks' weights, by name."""
    others = second.state_dict()
    return {name: 0.5 * (value + others[name]) for name, value in first.state_dict().items()}


def read_networks(paths: Sequence[Path]) -> dict[str, nn.Module]:
    """Return the networks that a command was given, by their paths.

    Raises:
        SystemExit: A path is not the folder of a run or a shipped FP32 file; the message says why.

    """
    try:
        return {str(path): read_network(path) for path in paths}
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(str(error)) from error


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('weights', nargs='+', type=Path, help="runs' folders or FP32 files")
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument('--data', type=Path, help='folder with MANIFEST.tsv')
    given.add_argument('--filmed', type=Path, help='file of benchmarks.filmed_faces instead')
    parser.add_argument('--set', default='car', choices=sorted(SAMPLERS), help='degradation')
    parser.add_argument('--faces', type=int, help='the first so many only; default: all')
    parser.add_argument('--cycles', type=int, default=CYCLES, help='largest k')
    parser.add_argument(
        '--halfway', action='store_true', help='the mean of the first and each other, too'
    )
    parser.add_argument('--bands', action='store_true', help='see Likeness.bands; of the first')
    parser.add_argument('--out', type=Path, help='JSON file to write')
    args = parser.parse_args()
    networks = read_networks(args.weights)
    first, *others = networks.items()
    try:
        if args.filmed:
            faces = filmed_faces(args.filmed, args.faces)
        else:
            faces = validation_faces(args.data, args.set, args.faces)
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(str(error)) from error
    likeness = Likeness(faces, args.cycles)
    found: dict[str, dict[str, Figures]] = {}
    for name, network in networks.items():
        found[name] = likeness.cycles(network)
        _print(name, found[name])
    if args.halfway:
        for name, network in others:
            network.load_state_dict(halfway(first[1], network))
            label = f'{first[0]} and {name}, halfway'
            found[label] = likeness.cycles(network)
            _print(label, found[label])
    if args.bands:
        label = f'{first[0]}, k=3 with the bands below a Gaussian taken from k=1'
        found[label] = likeness.bands(first[1])
        _print(label, found[label])
    if args.out:
        weights = {
            label: {key: asdict(figures) for key, figures in row.items()}
            for label, row in found.items()
        }
        facts = {
            'set': FILMED if args.filmed else args.set,
            'seed': SEED,
            'split': 'val',
            'faces': args.faces,
            'weights': weights,
        }
        args.out.write_text(json.dumps(facts, indent=1) + '\n', encoding='utf-8')


def _print(name: str, figures: Mapping[str, Figures]) -> None:
    tqdm.write(name)
    for key, row in figures.items():
        tqdm.write(
            f'  {key:>4} '
            + '  '.join(f'{n} {"-" if v is None else f"{v:.4f}"}' for n, v in asdict(row).items())
        )


if __name__ == '__main__':
    main()
