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

"""Measures whether restoration helps to detect blinks: ``python -m benchmarks.blink_detection``.

The benchmark films a person whose blinks are known (`demo.blinks`) with several bad cameras, runs
each frame through the package's pipeline, and gives versions of the same crops to the same blink
detector (`examples.eyelids`): as the camera gave them, brightened, brightened and blurred, and
restored with 1, 2 and 3 cycles, each frame alone or after fusion over time. The crops of a perfect
camera are added for comparison.

It writes figures (``benchmarks/blink_detection.json``), the table of ``docs/eyelids.md`` between
its marks, and ``docs/images/blinks.png``. The same seeds give the same figures.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.blink_detection_figures import (
    ORIGINS,
    Recording,
    figures_of,
    pooled,
    tables,
)
from benchmarks.blink_detection_plot import draw
from benchmarks.pages import write_figures
from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.engine.models import resolve_model
from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.pipeline import FacePipeline
from cfrnet_ros.vision.preprocessing.align import warp_crop
from cfrnet_ros.vision.preprocessing.exposure import expose_face
from cfrnet_ros.vision.restoration.restorer import Restorer
from cfrnet_ros.vision.restoration.strength import mix
from cfrnet_ros.vision.restoration.temporal import TemporalSmoother
from cfrnet_ros.vision.settings import PipelineSettings
from cfrnet_ros.vision.tracking.tracker import FaceTracker
from cfrnet_ros.vision.types import RestoredFace
from demo.blinks import shots, write_script
from examples.eyelids.eye_landmarks import EyeLandmarker

ROOT = Path(__file__).resolve().parent.parent
#: Figures that page and plot show.
FIGURES = ROOT / 'benchmarks' / 'blink_detection.json'
PAGE, PLOT = ROOT / 'docs' / 'eyelids.md', ROOT / 'docs' / 'images' / 'blinks.png'
SECONDS = 24.0
#: Defaults of `temporal_smoothing` and `strength` for restored crops: the node's own.
DEFAULT_SMOOTHING = PipelineSettings.temporal_smoothing
DEFAULT_STRENGTH = PipelineSettings.strength
SEEDS = (1, 2)
#: Largest number of cycles.
CYCLES = 3
#: Strength of the blur that represents a simpler method, in pixels of the crop.
BLUR_PX = 2.0


@dataclass(frozen=True)
class Case:
    """A bad camera with its condition and picture size.

    Attributes:
        condition: Name of a condition in `demo.bad_camera.CONDITIONS`.
        size: Width and height of its picture; the height of the face is about a fifth of the width.

    """

    condition: str
    size: tuple[int, int]

    @property
    def name(self) -> str:
        """Name for people."""
        return f'{self.condition}, {self.size[0]} x {self.size[1]}'


CASES = (
    Case('Sensor noise', (320, 240)),
    Case('Low light', (640, 480)),
    Case('Low light', (480, 360)),
    Case('Infrared', (480, 360)),
    Case('Compression', (480, 360)),
    Case('Motion blur', (480, 360)),
    Case('Glare', (480, 360)),
)


def record(
    case: Case,
    seed: int,
    model: str,
    seconds: float,
    smoothing: float = DEFAULT_SMOOTHING,
    strengths: Sequence[float] = (DEFAULT_STRENGTH,),
) -> list[Recording]:
    """Film a scene and measure the eyes in every version of every crop.

    Args:
        case: Camera that films the scene.
        seed: Seed of blinks, movement and noise.
        model: Value of the node's parameter `model`.
        seconds: Length of the scene in seconds.
        smoothing: Value of the node's parameter `temporal_smoothing` for the restored crops.
        strengths: Values of the node's parameter `strength`.

    Returns:
        Recording with the eye aspect ratios for each strength.

    """
    cv2.setNumThreads(1)
    choice = choose_providers('cpu')
    restorer = Restorer(resolve_model(model), choice, 1)
    detector = YuNetDetector(None, choice, 480, 1)
    pipeline = FacePipeline(detector, restorer, FaceTracker())
    landmarker = EyeLandmarker()
    smoothers = {origin: TemporalSmoother() for origin in ORIGINS if origin[-1].isdigit()}
    script = write_script(seed, seconds)
    # The smoothing is applied below, separately for each number of cycles.
    alone = PipelineSettings(cycles=1, max_faces=1, temporal_smoothing=0.0)
    times: list[float] = []
    truth: list[float] = []
    ratios: list[dict[str, list[float]]] = [{origin: [] for origin in ORIGINS} for _ in strengths]
    for shot in shots(case.condition, script, seed, seconds, case.size):
        faces = pipeline.process(shot.seen_bgr, alone, shot.time_s).faces
        times.append(shot.time_s)
        truth.append(shot.openness)
        crops = _versions(faces[0], shot.clean, restorer) if faces else {}
        by_strength: dict[str, list[NDArray[np.uint8]]] = {}
        if faces and faces[0].restored:
            # As in the node, after the last cycle.
            for origin, smoother in smoothers.items():
                fused = faces[0].fusion if origin.startswith('k') else None
                source = faces[0].aligned if fused is None else fused.crop
                smoothed = smoother.apply(
                    faces[0].face.track_id,
                    source,
                    crops[origin],
                    smoothing,
                    origin,
                    shot.time_s,
                    None if fused is None else fused.gain,
                )
                bright = restorer.prepared(source)
                by_strength[origin] = [mix(bright, smoothed, one) for one in strengths]
        for origin in ORIGINS:
            values = [np.nan] * len(strengths)
            if origin in by_strength:
                values = [_openness(landmarker, crop) for crop in by_strength[origin]]
            elif origin in crops:
                # The same at every strength.
                values = [_openness(landmarker, crops[origin])] * len(strengths)
            for found, value in zip(ratios, values, strict=True):
                found[origin].append(value)
    return [
        Recording(
            np.array(times),
            np.array(truth),
            {origin: np.array(values) for origin, values in found.items()},
            tuple((closure.start_s, closure.end_s) for closure in script.closures),
        )
        for found in ratios
    ]


def _openness(landmarker: EyeLandmarker, crop: NDArray[np.uint8]) -> float:
    eyes = landmarker(crop)
    return eyes.openness if eyes.found else np.nan


def _versions(
    face: RestoredFace, clean: NDArray[np.uint8], restorer: Restorer
) -> dict[str, NDArray[np.uint8]]:
    """Return the crops of a face by `ORIGINS`, all cut out by the same matrix."""
    bright = expose_face(face.aligned)
    crops = {
        'clean': warp_crop(clean, face.affine, face.aligned.shape[0]),
        'camera': face.aligned,
        'brightened': bright,
        'blurred': np.asarray(cv2.GaussianBlur(bright, (0, 0), BLUR_PX), np.uint8),
        'fused': face.fused,
    }
    for name, source in (('alone', face.aligned), ('k', face.fused)):
        if face.restored:
            cycles = islice(restorer.cycles(source), CYCLES)
            crops |= {f'{name}{cycle.number}': cycle.crop() for cycle in cycles}
        else:
            # A face that is not to be restored is passed on unchanged, whatever the number of
            # cycles.
            crops |= {f'{name}{number}': face.aligned for number in range(1, CYCLES + 1)}
    return crops


def run(
    cases: Sequence[Case],
    model: str,
    seeds: Sequence[int],
    seconds: float,
    jobs: int,
    smoothing: float = DEFAULT_SMOOTHING,
    strengths: Sequence[float] = (DEFAULT_STRENGTH,),
) -> list[dict[Case, list[Recording]]]:
    """Record all cases.

    Args:
        cases: Cameras that film the scenes.
        model: Value of the node's parameter `model`.
        seeds: Seeds of the scenes; each camera films one scene per seed.
        seconds: Length of each scene in seconds.
        jobs: Number of processes.
        smoothing: Value of the node's parameter `temporal_smoothing`.
        strengths: Values of the node's parameter `strength`.

    Returns:
        For each strength the recordings by case, in the order of the seeds.

    """
    with ProcessPoolExecutor(jobs, mp_context=get_context('spawn')) as pool:
        futures = {
            case: [
                pool.submit(record, case, seed, model, seconds, smoothing, strengths)
                for seed in seeds
            ]
            for case in cases
        }
        recordings: list[dict[Case, list[Recording]]] = [{} for _ in strengths]
        for case, waiting in futures.items():
            scenes = [future.result() for future in waiting]
            for index, found in enumerate(recordings):
                found[case] = [scene[index] for scene in scenes]
            print(case.name, flush=True)
    return recordings


def summarise(
    recordings: Mapping[Case, Sequence[Recording]], model: str, seeds: Sequence[int], seconds: float
) -> dict[str, Any]:
    """Return the figures in the form of the JSON file."""
    path = resolve_model(model)
    return {
        'model': path.name,
        'model_sha256': hashlib.sha256(path.read_bytes()).hexdigest(),
        'seeds': list(seeds),
        'seconds': seconds,
        'all': pooled([one for several in recordings.values() for one in several]),
        'cases': {case.name: pooled(several) for case, several in recordings.items()},
        'each': {
            case.name: [figures_of(one) for one in several] for case, several in recordings.items()
        },
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the results; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--model', default='auto', help="value of the node's parameter model")
    parser.add_argument('--smoothing', type=float, default=DEFAULT_SMOOTHING)
    parser.add_argument(
        '--strength',
        type=float,
        nargs='+',
        default=[DEFAULT_STRENGTH],
        help="values of the node's parameter strength, each for a file of --out",
    )
    parser.add_argument('--seeds', type=int, nargs='+', default=list(SEEDS))
    parser.add_argument('--seconds', type=float, default=SECONDS)
    parser.add_argument(
        '--cases',
        nargs='+',
        metavar='NAME',
        help=f'cameras, of: {"; ".join(case.name for case in CASES)}',
    )
    parser.add_argument('--jobs', type=int, default=1, help='number of processes')
    parser.add_argument(
        '--out',
        type=Path,
        nargs='+',
        default=[FIGURES],
        help='other files leave page and plot as they are',
    )
    given = parser.parse_args(arguments)
    cases = [case for case in CASES if given.cases is None or case.name in given.cases]
    if not cases:
        parser.error(f'unknown case; known cases: {"; ".join(case.name for case in CASES)}')
    if len(given.out) != len(given.strength):
        parser.error('--out needs a file for each value of --strength')
    by_strength = run(
        cases,
        given.model,
        given.seeds,
        given.seconds,
        given.jobs,
        given.smoothing,
        given.strength,
    )
    # Another spelling of the path of the kept figures is the same file.
    files = [path.resolve() for path in given.out]
    for strength, out, recordings in zip(given.strength, files, by_strength, strict=True):
        result = summarise(recordings, given.model, given.seeds, given.seconds)
        if strength != DEFAULT_STRENGTH:
            result = {'strength': strength, **result}
        write_figures(result, out, tables(result), kept=FIGURES, page=PAGE, name='figures')
        if out == FIGURES:
            draw(PLOT, [(case.name, several[0]) for case, several in recordings.items()])
    return 0


if __name__ == '__main__':
    sys.exit(main())
