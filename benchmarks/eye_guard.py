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

"""Measures what the eye guard finds and what it raises falsely: ``python -m benchmarks.eye_guard``.

The scenes are those of `benchmarks.blink_detection`: a person whose blinks are known, seen by bad
cameras, through the package's pipeline. The guard gets each crop before and after restoration as in
the node. It also gets crops whose eyes were changed: the restored crop of another frame of the same
scene, in which the eyes were open where they are shut, or shut where they are open.

It writes ``benchmarks/eye_guard.json`` and the table of ``docs/eyelids.md`` between its marks. The
same seeds give the same figures.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.blink_detection import CASES, Case
from benchmarks.pages import replace_part
from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.engine.models import resolve_model
from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.pipeline import FacePipeline
from cfrnet_ros.vision.preprocessing.align import align_face, warp_crop
from cfrnet_ros.vision.quality.eye_guard import certain_change
from cfrnet_ros.vision.quality.eye_openness import EyeOpenness, EyeOpennessMeter
from cfrnet_ros.vision.restoration.restorer import Restorer
from cfrnet_ros.vision.settings import PipelineSettings
from cfrnet_ros.vision.tracking.tracker import FaceTracker
from demo.blinks import shots, write_script
from training.evaluation.imports import files_sha256

ROOT = Path(__file__).resolve().parent.parent
SECONDS, SEEDS = 12.0, (1,)
CYCLES = (1, 2, 3)
#: Versions of each crop: by a perfect camera, as fused before restoration, and by cycles.
VERSIONS = ('clean', 'fused', *(f'k{k}' for k in CYCLES))
LIMITS = (0.05, 0.075, 0.1, 0.125, 0.15)
#: Difference of the true openness (0 shut, 1 open) from which eyes count as changed.
CHANGED = 0.7
#: Rows of a crop of 256 px that show the eyes.
_ROWS = slice(80, 160)
_SIZE = 256


def film(
    case: Case, seed: int, seconds: float, model: Path
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Film a scene.

    Returns:
        (N,) true openness of the eyes, 0..1, in the frames in which the face was restored, and
        (N, 5, 80, 256, 3) uint8 BGR rows of the crops in the order of `VERSIONS`.

    """
    cv2.setNumThreads(1)
    choice = choose_providers('cpu')
    restorer = Restorer(model, choice, 1)
    pipeline = FacePipeline(YuNetDetector(None, choice, 480, 1), restorer, FaceTracker())
    settings = PipelineSettings(cycles=1, max_faces=1, temporal_smoothing=0.0)
    openness, rows = [], []
    for shot in shots(case.condition, write_script(seed, seconds), seed, seconds, case.size):
        faces = pipeline.process(shot.seen_bgr, settings, shot.time_s).faces
        if not faces or not faces[0].restored:
            continue
        face = faces[0]
        crops = [warp_crop(shot.clean, face.affine, _SIZE), face.fused]
        crops += [restorer.restore(face.fused, k).crop for k in CYCLES]
        openness.append(shot.openness)
        rows.append([crop[_ROWS] for crop in crops])
    return np.array(openness), np.array(rows, np.uint8)


@functools.cache
def _key(model: Path) -> str:
    """Return what crops of the filmed scenes depend on: a hash of the model and of the code."""
    code = files_sha256('benchmarks.eye_guard', ROOT, ('benchmarks', 'cfrnet_ros', 'demo'))
    return hashlib.sha256(model.read_bytes() + code.encode()).hexdigest()[:8]


def filmed(
    case: Case, seed: int, seconds: float, model: Path, cache: Path
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Film a scene, or read it from the folder where an earlier run with this code left it."""
    name = case.name.lower().replace(',', '').replace(' ', '_')
    path = cache / f'{name}-{seed}-{seconds:g}-{_key(model)}.npz'
    if not path.is_file():
        openness, rows = film(case, seed, seconds, model)
        cache.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, openness=openness, rows=rows)
    with np.load(path) as stored:
        return stored['openness'], stored['rows']


def measure(rows: NDArray[np.uint8], meter: EyeOpennessMeter) -> dict[str, list[EyeOpenness]]:
    """Measure the eyes in every version of every crop."""
    found: dict[str, list[EyeOpenness]] = {}
    for index, version in enumerate(VERSIONS):
        crops = []
        for part in rows[:, index]:
            crop = np.zeros((_SIZE, _SIZE, 3), np.uint8)
            crop[_ROWS] = part
            crops.append(crop)
        found[version] = meter.measure(crops)
    return found


def figures(
    openness: NDArray[np.float64], eyes: dict[str, list[EyeOpenness]], k: int
) -> dict[str, Any]:
    """Count alarms of one scene at each limit.

    Returns:
        `frames`, and by limit: `alarms` on what the restorer made, `true_alarms` among them (the
        measured eyes are further than the limit from those of the perfect camera), and the changed
        pairs and alarms on them: `opened`, `opened_found`, `shut`, `shut_found`. `mean_ratio` has
        the measured openness by version where eyes are open and where they are shut.

    """
    before, after, clean = eyes['fused'], eyes[f'k{k}'], eyes['clean']
    changes = np.array([certain_change(b, a) for b, a in zip(before, after)])
    wrong = np.array([np.abs(a.ratio - c.ratio).max() for a, c in zip(after, clean)])
    pairs: dict[str, list[float]] = {'opened': [], 'shut': []}
    for i, one in enumerate(openness):
        # One other frame for each: the next one, around the end, whose eyes differ enough.
        order = np.roll(np.arange(len(openness)), -i - 1)
        other = next((j for j in order if abs(openness[j] - one) >= CHANGED), None)
        if other is not None:
            kind = 'opened' if openness[other] > one else 'shut'
            pairs[kind].append(certain_change(before[i], after[other]))
    by_limit = {}
    for limit in LIMITS:
        alarms = np.abs(changes) > limit
        by_limit[f'{limit:g}'] = {
            'alarms': int(alarms.sum()),
            'true_alarms': int((alarms & (wrong > limit)).sum()),
            'opened': len(pairs['opened']),
            'opened_found': int((np.array(pairs['opened']) > limit).sum()),
            'shut': len(pairs['shut']),
            'shut_found': int((np.array(pairs['shut']) < -limit).sum()),
        }
    ratios = {
        version: {
            name: round(float(np.mean([e.ratio.mean() for e, c in zip(found, chosen) if c])), 3)
            for name, chosen in (('open', openness > 0.9), ('shut', openness < 0.15))
        }
        for version, found in eyes.items()
    }
    return {'frames': len(openness), 'limits': by_limit, 'mean_ratio': ratios}


def add_up(scenes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the sums of several scenes."""
    return {
        'frames': sum(scene['frames'] for scene in scenes),
        'limits': {
            limit: {
                key: sum(scene['limits'][limit][key] for scene in scenes)
                for key in scenes[0]['limits'][limit]
            }
            for limit in scenes[0]['limits']
        },
    }


def count_on_frames(folder: Path, model: Path, meter: EyeOpennessMeter, k: int) -> dict[str, int]:
    """Count alarms on real frames, of which only the restorer can have changed the eyes.

    Returns:
        `faces` and, by limit, the alarms on their largest faces.

    """
    choice = choose_providers('cpu')
    detector, restorer = YuNetDetector(None, choice, 480, 1), Restorer(model, choice, 1)
    changes = []
    for path in sorted(folder.glob('*.jpg')):
        frame = np.asarray(cv2.imread(str(path)), np.uint8)
        faces = detector.detect(frame)
        if faces:
            crop, _ = align_face(frame, max(faces, key=lambda face: face.area).landmarks, _SIZE)
            changes.append(certain_change(*meter.measure([crop, restorer.restore(crop, k).crop])))
    alarms = {f'alarms_{v:g}': int((np.abs(changes) > v).sum()) for v in LIMITS}
    return {'faces': len(changes), **alarms}


def cost_ms(meter: EyeOpennessMeter) -> float:
    """Return the median time that the guard takes for a face, in milliseconds."""
    crop = np.random.default_rng(0).integers(0, 256, (_SIZE, _SIZE, 3)).astype(np.uint8)
    took = []
    for _ in range(200):
        started_s = time.perf_counter()
        meter.measure([crop, crop])
        took.append((time.perf_counter() - started_s) * 1e3)
    return float(np.median(took))


def table(result: dict[str, Any]) -> str:
    """Return the tables for the page."""
    limit = result['limit']
    lines = [
        f'{result["all"]["frames"]} frames, model `{result["model"]}`, k = {result["k"]},'
        f' `max_eye_change` {limit}:',
        '',
        '| camera | alarms on restored crops | of them true | eyes that were opened, found'
        ' | eyes that were shut, found |',
        '| --- | --- | --- | --- | --- |',
    ]
    for name, scene in [*result['cameras'].items(), ('**all**', result['all'])]:
        lines.append(_row(name, scene['frames'], scene['limits'][f'{limit:g}']))
    lines += ['', 'By limit, all cameras together:', '']
    lines += [
        '| `max_eye_change` | alarms on restored crops | of them true'
        ' | eyes that were opened, found | eyes that were shut, found |',
        '| --- | --- | --- | --- | --- |',
    ]
    for value, counts in result['all']['limits'].items():
        lines.append(_row(value, result['all']['frames'], counts))
    return '\n'.join(lines)


def _row(name: str, frames: int, counts: dict[str, int]) -> str:
    def share(part: int, whole: int) -> str:
        return f'{100 * part / whole:.0f}% of {whole}' if whole else '-'

    alarms = f'{100 * counts["alarms"] / frames:.1f}%'
    return (
        f'| {name} | {alarms} | {counts["true_alarms"]} of {counts["alarms"]}'
        f' | {share(counts["opened_found"], counts["opened"])}'
        f' | {share(counts["shut_found"], counts["shut"])} |'
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the results; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--model', default='auto', help="value of the node's parameter model")
    parser.add_argument('--cycles', type=int, default=2, choices=CYCLES)
    parser.add_argument('--seeds', type=int, nargs='+', default=list(SEEDS))
    parser.add_argument('--seconds', type=float, default=SECONDS)
    parser.add_argument('--cameras', type=int, default=len(CASES), help='the first N cameras')
    parser.add_argument('--frames', type=Path, help='folder with real frames of drivers (JPEG)')
    parser.add_argument('--cache', type=Path, default=ROOT / 'runs/eye_guard')
    parser.add_argument('--out', type=Path, default=ROOT / 'benchmarks/eye_guard.json')
    parser.add_argument('--page', type=Path, default=ROOT / 'docs/eyelids.md')
    given = parser.parse_args(arguments)
    model, meter = resolve_model(given.model), EyeOpennessMeter()
    cameras: dict[str, Any] = {}
    for case in CASES[: given.cameras]:
        scenes = []
        for seed in given.seeds:
            openness, rows = filmed(case, seed, given.seconds, model, given.cache)
            scenes.append(figures(openness, measure(rows, meter), given.cycles))
        cameras[case.name] = add_up(scenes) | {'mean_ratio': scenes[0]['mean_ratio']}
        print(case.name, flush=True)
    result = {
        'model': model.name,
        'model_sha256': hashlib.sha256(model.read_bytes()).hexdigest(),
        'k': given.cycles,
        'seeds': given.seeds,
        'seconds': given.seconds,
        'limit': PipelineSettings.max_eye_change,
        'cost_ms': round(cost_ms(meter), 2),
        'all': add_up(list(cameras.values())),
        'cameras': cameras,
    }
    if given.frames is not None:
        result['real_frames'] = count_on_frames(given.frames, model, meter, given.cycles)
    given.out.write_text(json.dumps(result, indent=1) + '\n', encoding='utf-8')
    replace_part(given.page, 'guard', table(result))
    print(json.dumps(result['all'], indent=1), result['cost_ms'], 'ms')
    return 0


if __name__ == '__main__':
    sys.exit(main())
