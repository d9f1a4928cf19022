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

"""Measures fusion over time on real motion: ``python -m benchmarks.fusion --clips FOLDER``.

Clips of people, which are taken as the truth, are filmed by bad cameras and go through the
package's pipeline. Every few frames the face is compared with the truth as the camera gave it, as
it was fused, and as it was restored with 1, 2 and 3 cycles from either: the angle between the SFace
embeddings, PSNR and LPIPS. Temporal smoothing is off, so that fusion alone is measured. The
benchmark needs the training requirements. It writes ``benchmarks/fusion.json`` and the tables of
``docs/fusion.md``; the same seeds give the same figures.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.fusion_clips import (
    CAMERAS,
    Camera,
    Filmed,
    camera_named,
    clips_in,
    film,
    overlap,
    read_clip,
)
from benchmarks.pages import write_figures
from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.engine.model_card import load_card
from cfrnet_ros.vision.engine.models import resolve_model
from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.pipeline import FacePipeline
from cfrnet_ros.vision.quality.face_embedder import FaceEmbedder, angle_deg
from cfrnet_ros.vision.restoration.restorer import Restorer
from cfrnet_ros.vision.settings import PipelineSettings
from cfrnet_ros.vision.tracking.tracker import FaceTracker
from cfrnet_ros.vision.types import RestoredFace
from training.critics.perceptual import Lpips

Picture = NDArray[np.uint8]

ROOT = Path(__file__).resolve().parent.parent
PAGE, FIGURES = ROOT / 'docs' / 'fusion.md', ROOT / 'benchmarks' / 'fusion.json'
CYCLES = (1, 2, 3)
#: Versions of a face, with their names in the tables.
VERSIONS = {
    'camera': 'camera',
    **{f'alone{k}': f'alone, k = {k}' for k in CYCLES},
    'fused': 'fused',
    **{f'fused{k}': f'fused, k = {k}' for k in CYCLES},
}
#: First frame that is measured, and distance of the measured frames.
FIRST, EVERY = 10, 5
#: Settings of the pipeline, which fuse by default.
SETTINGS = PipelineSettings(cycles=1, temporal_smoothing=0.0)
#: Least overlap with the person's face in the clip.
_SAME = 0.35


def make_pipeline() -> tuple[FacePipeline, Restorer]:
    """Return a pipeline of the shipped model on one CPU thread, and its restorer."""
    choice = choose_providers('cpu')
    restorer = Restorer(resolve_model('auto'), choice, 1)
    detector = YuNetDetector(None, choice, 640, 1)
    return FacePipeline(detector, restorer, FaceTracker()), restorer


def is_measured(index: int) -> bool:
    """Return whether the faces of a frame are measured, by its index in the clip."""
    return index >= FIRST and (index - FIRST) % EVERY == 0


def faces_of(
    pipeline: FacePipeline, seen: Picture, time_s: float, measured: bool
) -> Sequence[RestoredFace]:
    """Give the pipeline the next frame of a clip; returns its faces if it is measured.

    A frame that is not measured only has to be found, tracked and fused for those after it, which
    does not need the restorer.
    """
    if measured:
        return pipeline.process(seen, SETTINGS, time_s).faces
    pipeline.prepare(seen, SETTINGS, time_s)
    return ()


def measured_faces(
    pipeline: FacePipeline,
    shots: Iterable[Filmed],
    measured: Callable[[int], bool] = is_measured,
) -> Iterator[tuple[Filmed, RestoredFace]]:
    """Give the pipeline a film; yields the person's face of each measured frame that has it.

    Args:
        pipeline: Pipeline that has seen no frame yet.
        shots: Frames of the film, from its beginning.
        measured: Function that tells of a frame's index whether its face is measured.

    """
    for index, shot in enumerate(shots):
        face = the_face(faces_of(pipeline, shot.seen, shot.time_s, measured(index)), shot.box)
        if face is not None:
            yield shot, face


def measure(camera: Camera, clip: Path) -> list[dict[str, dict[str, float]]]:
    """Film a clip and measure its faces.

    Returns:
        Figures of each measured frame, by version: `degrees` from the truth, `psnr` in dB, `lpips`;
        and under 'fusion' the effective number of `frames` and the share `moving`.

    """
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    pipeline, restorer = make_pipeline()
    embedder, lpips = FaceEmbedder(), Lpips('alex')
    found: list[dict[str, dict[str, float]]] = []
    for shot, face in measured_faces(pipeline, film(camera, clip.stem, read_clip(clip))):
        size = face.aligned.shape[0]
        truth = shot.truth_crop(face.affine, size)
        crops = {'camera': face.aligned, 'fused': face.fused}
        for name, source in (('alone', face.aligned), ('fused', face.fused)):
            cycles = islice(restorer.cycles(source), max(CYCLES))
            crops |= {f'{name}{cycle.number}': cycle.crop() for cycle in cycles}
        template = restorer.card.template
        target = embedder.embed(truth, template, 1.0)
        record = {
            name: {
                'degrees': angle_deg(target, embedder.embed(crop, template, 1.0)),
                'psnr': float(cv2.PSNR(truth, crop)),
                'lpips': lpips_of(lpips, truth, crop),
            }
            for name, crop in crops.items()
        }
        fusion = face.fusion
        record['fusion'] = {
            'frames': 1.0 if fusion is None else fusion.frames,
            'moving': 1.0 if fusion is None else fusion.moving,
        }
        found.append(record)
    return found


def the_face(faces: Sequence[RestoredFace], box: NDArray[np.float32] | None) -> RestoredFace | None:
    """Return the restored face that is the person of a clip, None if there is none.

    Args:
        faces: Faces of a frame.
        box: (4,) left, top, right, bottom of the person's face; None if the undisturbed clip
            shows none.

    """
    if box is None:
        return None
    same = [face for face in faces if overlap(face.face.box, box) > _SAME and face.restored]
    return max(same, key=lambda one: overlap(one.face.box, box), default=None)


@torch.no_grad()
def lpips_of(network: Lpips, one: Picture, other: Picture) -> float:
    """Return the LPIPS distance of two (H, W, 3) uint8 BGR pictures."""
    images = [
        torch.from_numpy(np.ascontiguousarray(picture[..., ::-1].transpose(2, 0, 1)))[None] / 255.0
        for picture in (one, other)
    ]
    return float(network(images[0], images[1]))


def means(records: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, Any]:
    """Return the means over frames: the number of `faces`, and the figures by version."""
    result: dict[str, Any] = {'faces': len(records)}
    for version in (*VERSIONS, 'fusion'):
        result[version] = {
            name: round(float(np.mean([record[version][name] for record in records])), 4)
            for name in records[0][version]
        }
    return result


def tables(result: Mapping[str, Any]) -> str:
    """Return the tables of the page as Markdown."""
    parts = []
    for name, title, places in (
        (
            'degrees',
            'Identity: degrees between the SFace embeddings and the truth; lower is better.',
            1,
        ),
        ('lpips', 'LPIPS; lower is better.', 3),
        ('psnr', 'PSNR, dB; higher is better.', 2),
    ):
        head = ' | '.join(VERSIONS.values())
        lines = [title, '', f'| camera | {head} |', '| --- ' * (len(VERSIONS) + 1) + '|']
        for camera, found in result['cameras'].items():
            cells = ' | '.join(_cell(found[version][name], name, places) for version in VERSIONS)
            lines.append(f'| {camera} | {cells} |')
        parts.append('\n'.join(lines))
    lines = [
        'Effective number of frames in a crop, and share of it that was passed through as moving.',
        '',
        '| camera | faces measured | frames | moving |',
        '| --- | --- | --- | --- |',
    ]
    for camera, found in result['cameras'].items():
        fusion = found['fusion']
        lines.append(
            f'| {camera} | {found["faces"]} | {fusion["frames"]:.1f} | {fusion["moving"]:.0%} |'
        )
    return '\n\n'.join([*parts, '\n'.join(lines)])


def _cell(value: float, name: str, places: int) -> str:
    # OpenCV gives 361 dB for two equal pictures.
    return '-' if name == 'psnr' and value > 300 else f'{value:.{places}f}'


def main() -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--clips', type=Path, required=True, help='folder with the clips')
    parser.add_argument('--jobs', type=int, default=1)
    parser.add_argument('--cameras', nargs='*', default=[c.name for c in CAMERAS])
    parser.add_argument('--out', type=Path, default=FIGURES)
    args = parser.parse_args()
    clips = clips_in(args.clips)
    chosen = [camera for camera in CAMERAS if camera.name in args.cameras]
    found: dict[str, Any] = {}
    with ProcessPoolExecutor(args.jobs, mp_context=get_context('spawn')) as pool:
        jobs = {
            camera.name: [pool.submit(run, camera.name, clip) for clip in clips]
            for camera in chosen
        }
        for name, futures in tqdm(jobs.items(), unit='camera'):
            records = [record for future in futures for record in future.result()]
            found[name] = means(records)
    result = {
        'command': 'python -m benchmarks.fusion --clips FOLDER',
        'sha256': load_card(resolve_model('auto')).sha256,
        'clips': [clip.name for clip in clips],
        'cameras': found,
    }
    write_figures(result, args.out, tables(result), kept=FIGURES, page=PAGE, name='clips')


def run(camera: str, clip: Path) -> list[dict[str, dict[str, float]]]:
    """Measure a clip with the camera of a name, in a process of its own."""
    return measure(camera_named(camera), clip)


if __name__ == '__main__':
    main()
