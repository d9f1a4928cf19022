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
last output, registered to where the face is now. Blinks are filmed as in
`benchmarks.blink_detection`, to see whether a network that remembers opens eyes that are shut. The
benchmark needs the training requirements, and writes ``benchmarks/previous_output.json`` and the
tables of ``docs/fusion.md``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from tqdm import tqdm

from benchmarks.blink_detection import CASES, Case
from benchmarks.blink_detection_figures import detect, matches
from benchmarks.fusion import EVERY, FIRST, SETTINGS, lpips_of, make_pipeline, the_face
from benchmarks.fusion_clips import CAMERAS, Camera, clips_in, film, read_clip
from benchmarks.pages import replace_part
from benchmarks.recurrent_restorer import Picture, Restorers, Version
from cfrnet_ros.vision.engine.model_card import load_card
from cfrnet_ros.vision.preprocessing.align import warp_crop
from cfrnet_ros.vision.quality.face_embedder import FaceEmbedder, angle_deg
from demo.blinks import shots, write_script
from examples.eyelids.eye_landmarks import EyeLandmarker
from training.critics.perceptual import Lpips
from training.experiments.recurrent.network import read, recurrent_from

ROOT = Path(__file__).resolve().parent.parent
PAGE, FIGURES = ROOT / 'docs' / 'fusion.md', ROOT / 'benchmarks' / 'previous_output.json'

#: Cameras that film the clips, and those that film the blinks.
NAMES = (
    'noise', 'night', 'infrared', 'motion blur', 'noise, half size', 'JPEG 50, half size',
)  # fmt: skip
BLINK_CASES = ('Sensor noise, 320 x 240', 'Low light, 640 x 480', 'Infrared, 480 x 360')

#: Seed and length in seconds of the scenes with blinks.
BLINK_SEED, BLINK_SECONDS = 1, 24.0

#: Name of the network that ships, in the table.
SHIPPED = 'shipped'


def measure(
    camera: Camera, clip: Path, versions: Mapping[str, Version]
) -> list[dict[str, list[float]]]:
    """Film a clip and measure its faces.

    Returns:
        Degrees from the truth, PSNR in dB and LPIPS of each measured frame, by version; 'fused' is
        the crop that all of them restore.

    """
    pipeline, restorer = make_pipeline()
    embedder, lpips = FaceEmbedder(), Lpips('alex')
    template, size = restorer.card.template, restorer.card.size
    restorers = Restorers(versions, size)
    found = []
    for index, shot in enumerate(film(camera, clip.stem, read_clip(clip))):
        face = the_face(pipeline.process(shot.seen, SETTINGS, shot.time_s).faces, shot.box)
        if face is None:
            continue
        measured = index >= FIRST and (index - FIRST) % EVERY == 0
        crops = restorers(face, measured)
        if not measured:
            continue
        truth = warp_crop(shot.truth, face.affine, size)
        target = embedder.embed(truth, template, 1.0)
        found.append(
            {
                name: [
                    angle_deg(target, embedder.embed(crop, template, 1.0)),
                    float(cv2.PSNR(truth, crop)),
                    lpips_of(lpips, truth, crop),
                ]
                for name, crop in ({'fused': face.fused} | crops).items()
            }
        )
    return found


def measure_lids(case: Case, versions: Mapping[str, Version]) -> dict[str, dict[str, float]]:
    """Film a scene with blinks and measure the eyes.

    Returns:
        Of each version: mean absolute error of the eye aspect ratio against the perfect camera
        (`ratio_mae`), its mean error where the lids are down by 90% (`ratio_error_shut`), and F1 of
        the closures (`f1`).

    """
    pipeline, restorer = make_pipeline()
    size, landmarker = restorer.card.size, EyeLandmarker()
    restorers = Restorers(versions, size)
    script = write_script(BLINK_SEED, BLINK_SECONDS)
    times: list[float] = []
    truth: list[float] = []
    ratios: dict[str, list[float]] = {name: [] for name in ('clean', 'fused', *versions)}
    for shot in shots(case.condition, script, BLINK_SEED, BLINK_SECONDS, case.size):
        seen = shot.seen
        if seen.ndim == 2:
            seen = np.asarray(cv2.cvtColor(seen, cv2.COLOR_GRAY2BGR), np.uint8)
        faces = pipeline.process(seen, SETTINGS, shot.time_s).faces
        crops: dict[str, Picture] = {}
        if faces:
            clean = warp_crop(shot.clean, faces[0].affine, size)
            crops = {'clean': clean, 'fused': faces[0].fused} | restorers(faces[0], True)
        times.append(shot.time_s)
        truth.append(shot.openness)
        for name, values in ratios.items():
            eyes = landmarker(crops[name]) if crops else None
            values.append(eyes.openness if eyes is not None and eyes.found else np.nan)
    closures = [(one.start_s, one.end_s) for one in script.closures]
    shut = np.array(truth) <= 0.1
    result = {}
    for name in ('fused', *versions):
        error = np.array(ratios[name]) - np.array(ratios['clean'])
        seen_closures = detect(np.array(times), np.array(ratios[name])).closures
        hits = sum(match is not None for match in matches(seen_closures, closures))
        result[name] = {
            'ratio_mae': round(float(np.nanmean(np.abs(error))), 4),
            'ratio_error_shut': round(float(np.nanmean(error[shut])), 4),
            'f1': round(2.0 * hits / max(1, len(seen_closures) + len(closures)), 3),
        }
    return result


def table(result: Mapping[str, Any]) -> str:
    """Return the tables of the page as Markdown."""
    parts = []
    for key, cell in (
        ('cameras', lambda v: f'{v[0]:.1f} / {v[1]:.2f} / {v[2]:.3f}'),
        ('lids', lambda v: f'{v["ratio_mae"]:.3f} / {v["ratio_error_shut"]:+.3f} / {v["f1"]:.2f}'),
    ):
        rows = result[key]
        if not rows:
            continue
        names = list(next(iter(rows.values()))['versions'])
        lines = [f'| camera | {" | ".join(names)} |', '| --- ' * (len(names) + 1) + '|']
        for camera, found in rows.items():
            cells = ' | '.join(cell(value) for value in found['versions'].values())
            lines.append(f'| {camera} | {cells} |')
        parts.append('\n'.join(lines))
    head = (
        'Degrees from the truth, PSNR in dB and LPIPS:',
        'Lids: mean absolute error of the eye aspect ratio, its error where the eyes are shut, F1'
        ' of the closures:',
    )
    return '\n\n'.join(text for pair in zip(head, parts) for text in pair)


def main() -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('runs', type=Path, nargs='+', help="runs' folders")
    parser.add_argument('--clips', type=Path, required=True, help='folder with the clips')
    parser.add_argument(
        '--model', type=Path, default=ROOT / 'cfrnet_ros/models/cfrnet_256_fp32.onnx'
    )
    parser.add_argument('--cameras', nargs='*', default=list(NAMES))
    parser.add_argument('--blinks', nargs='*', default=list(BLINK_CASES))
    parser.add_argument('--most', type=int, default=4, help='number of clips')
    parser.add_argument('--out', type=Path, default=FIGURES)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    versions = {SHIPPED: Version(recurrent_from(args.model), 'nothing')}
    trained = {}
    for run in args.runs:
        network, state = read(run)
        versions[state['given']] = Version(network, state['given'])
        kept = ('seed', 'steps', 'step', 'windows', 'seconds', 'model_sha256', 'code_version')
        trained[state['given']] = {key: state[key] for key in kept}
    clips = clips_in(args.clips)[: args.most]
    cameras: dict[str, Any] = {}
    for camera in tqdm([one for one in CAMERAS if one.name in args.cameras], unit='camera'):
        by_clip = {clip.name: measure(camera, clip, versions) for clip in clips}
        records = [record for several in by_clip.values() for record in several]
        cameras[camera.name] = {
            'faces': len(records),
            'versions': _means(records),
            'clips': {name: _means(several) for name, several in by_clip.items() if several},
        }
    lids = {
        case.name: {'versions': measure_lids(case, versions)}
        for case in tqdm([case for case in CASES if case.name in args.blinks], unit='scene')
    }
    result = {
        'command': 'python -m benchmarks.previous_output RUN... --clips FOLDER',
        'sha256': load_card(args.model).sha256,
        'runs': trained,
        'cameras': cameras,
        'lids': lids,
    }
    args.out.write_text(json.dumps(result, indent=1) + '\n', encoding='utf-8')
    text = table(result)
    if args.out == FIGURES:
        replace_part(PAGE, 'previous', text)
    print(text)


def _means(records: Sequence[Mapping[str, Sequence[float]]]) -> dict[str, list[float]]:
    return {
        name: [round(float(v), 4) for v in np.mean([r[name] for r in records], axis=0)]
        for name in records[0]
    }


if __name__ == '__main__':
    main()
