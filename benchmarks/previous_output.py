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

"""Measures networks that read their own last output: ``python -m benchmarks.previous_output``.

``python -m benchmarks.previous_output RUN... --clips FOLDER``

Each RUN is the folder of a network that `training.experiments.previous_output` trained. Clips of
people are filmed and fused as in `benchmarks.fusion_variants`, and every frame of a face is
restored once, in FP32 with PyTorch: by the shipped network, and by each run, which is given its
last output, registered to where the face is now. The benchmark needs the training requirements, and
writes ``benchmarks/previous_output.json`` and the table of ``docs/fusion.md``.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.fusion import SETTINGS, is_measured, make_pipeline, the_face
from benchmarks.fusion_clips import Camera, film, read_clip
from benchmarks.fusion_comparison import Distances, add_options, begin, means, table
from benchmarks.pages import write_figures
from benchmarks.recurrent_restorer import FP32, Restorers, Version, read_versions
from cfrnet_ros.vision.engine.model_card import load_card

ROOT = Path(__file__).resolve().parent.parent
PAGE, FIGURES = ROOT / 'docs' / 'fusion.md', ROOT / 'benchmarks' / 'previous_output.json'

#: Cameras that film the clips.
NAMES = (
    'noise', 'night', 'infrared', 'motion blur', 'noise, half size', 'JPEG 50, half size',
)  # fmt: skip


def measure(
    camera: Camera, clip: Path, versions: Mapping[str, Version]
) -> list[dict[str, tuple[float, float, float]]]:
    """Film a clip and measure its faces.

    Returns:
        Degrees from the truth, PSNR in dB and LPIPS of each measured frame, by version; 'fused' is
        the crop that all of them restore.

    """
    pipeline, restorer = make_pipeline()
    distances, size = Distances(restorer.card), restorer.card.size
    restorers = Restorers(versions, size)
    found = []
    for index, shot in enumerate(film(camera, clip.stem, read_clip(clip))):
        face = the_face(pipeline.process(shot.seen, SETTINGS, shot.time_s).faces, shot.box)
        if face is None:
            continue
        measured = is_measured(index)
        crops = restorers(face, measured)
        if not measured:
            continue
        truth = shot.truth_crop(face.affine, size)
        found.append(distances(truth, {'fused': face.fused} | crops))
    return found


def main() -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('runs', type=Path, nargs='+', help="runs' folders")
    parser.add_argument('--model', type=Path, default=FP32, help='shipped FP32 file')
    add_options(parser, NAMES, FIGURES)
    args = parser.parse_args()
    clips, chosen = begin(args)
    versions, trained = read_versions(args.model, args.runs)
    cameras: dict[str, Any] = {}
    for camera in tqdm(chosen, unit='camera'):
        by_clip = {clip.name: measure(camera, clip, versions) for clip in clips}
        records = [record for several in by_clip.values() for record in several]
        cameras[camera.name] = {
            'faces': len(records),
            'versions': means(records),
            'clips': {name: means(several) for name, several in by_clip.items() if several},
        }
    result = {
        'command': 'python -m benchmarks.previous_output RUN... --clips FOLDER',
        'sha256': load_card(args.model).sha256,
        'runs': trained,
        'cameras': cameras,
    }
    write_figures(result, args.out, table(result), kept=FIGURES, page=PAGE, name='previous')


if __name__ == '__main__':
    main()
