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

"""Compares versions of faces with the truth, for the benchmarks that follow `benchmarks.fusion`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.fusion import lpips_of
from benchmarks.fusion_clips import CAMERAS, Camera, clips_in
from benchmarks.pages import write_figures
from cfrnet_ros.vision.engine.model_card import ModelCard, load_card
from cfrnet_ros.vision.engine.models import resolve_model
from cfrnet_ros.vision.quality.face_embedder import FaceEmbedder, angle_deg
from training.critics.perceptual import Lpips

Picture = NDArray[np.uint8]

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / 'docs' / 'fusion.md'

#: Degrees from the truth, PSNR in dB and LPIPS of the versions of a face, by name.
Record = Mapping[str, tuple[float, float, float]]


class Distances:
    """Measures how far crops are from the truth."""

    def __init__(self, card: ModelCard) -> None:
        """Load the networks that measure.

        Args:
            card: Card of the restorer, which tells where the landmarks are in a crop.

        """
        self._template = card.template
        self._embedder, self._lpips = FaceEmbedder(), Lpips('alex')

    def __call__(
        self, truth: Picture, crops: Mapping[str, Picture]
    ) -> dict[str, tuple[float, float, float]]:
        """Return degrees from the truth, PSNR in dB and LPIPS of each crop by its name.

        Args:
            truth: (N, N, 3) uint8 BGR crop of the undamaged frame.
            crops: Crops of the same size and place.

        """
        target = self._embedder.embed(truth, self._template, 1.0)
        return {
            name: (
                angle_deg(target, self._embedder.embed(crop, self._template, 1.0)),
                float(cv2.PSNR(truth, crop)),
                lpips_of(self._lpips, truth, crop),
            )
            for name, crop in crops.items()
        }


def means(records: Sequence[Mapping[str, Sequence[float]]]) -> dict[str, list[float]]:
    """Return the means of the figures of several faces, by the name of the version."""
    return {
        name: [round(float(v), 4) for v in np.mean([r[name] for r in records], axis=0)]
        for name in records[0]
    }


def table(result: Mapping[str, Any]) -> str:
    """Return the table of the page as Markdown."""
    versions = next(iter(result['cameras'].values()))['versions']
    lines = [f'| camera | {" | ".join(versions)} |', '| --- ' * (len(versions) + 1) + '|']
    for name, found in result['cameras'].items():
        cells = [f'{d:.1f} / {p:.2f} / {q:.3f}' for d, p, q in found['versions'].values()]
        lines.append(f'| {name} | {" | ".join(cells)} |')
    return '\n'.join(lines)


def add_options(parser: argparse.ArgumentParser, cameras: Sequence[str], figures: Path) -> None:
    """Add the options of a benchmark that films clips.

    Args:
        parser: Parser of the command line.
        cameras: Names of the cameras that are compared without the option.
        figures: File to which the figures go without the option.

    """
    parser.add_argument('--clips', type=Path, required=True, help='folder with the clips')
    parser.add_argument('--cameras', nargs='*', default=list(cameras))
    parser.add_argument('--most', type=int, default=4, help='number of clips')
    parser.add_argument('--out', type=Path, default=figures)


def begin(args: argparse.Namespace) -> tuple[list[Path], list[Camera]]:
    """Return the clips and cameras that options of `add_options` name; one thread is used."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    chosen = [camera for camera in CAMERAS if camera.name in args.cameras]
    return clips_in(args.clips)[: args.most], chosen


def compare(
    name: str,
    description: str,
    measure: Callable[[Camera, Path], Sequence[Record]],
    cameras: Sequence[str],
    part: str,
) -> None:
    """Read a command line, film clips, and write and print what was measured.

    Args:
        name: Name of the benchmark, whose figures go to ``benchmarks/<name>.json``.
        description: What the benchmark measures.
        measure: Function that films a clip with a camera and measures its faces.
        cameras: Names of the cameras that are compared.
        part: Part of the page of fusion that gets the table.

    """
    figures = ROOT / 'benchmarks' / f'{name}.json'
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    add_options(parser, cameras, figures)
    args = parser.parse_args()
    clips, chosen = begin(args)
    found: dict[str, Any] = {}
    for camera in tqdm(chosen, unit='camera'):
        records = [record for clip in clips for record in measure(camera, clip)]
        found[camera.name] = {'faces': len(records), 'versions': means(records)}
    result = {
        'command': f'python -m benchmarks.{name} --clips FOLDER',
        'sha256': load_card(resolve_model('auto')).sha256,
        'clips': [clip.name for clip in clips],
        'cameras': found,
    }
    write_figures(result, args.out, table(result), kept=figures, page=PAGE, name=part)
