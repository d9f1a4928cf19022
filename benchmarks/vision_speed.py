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

"""Times the parts of the vision pipeline: ``python -m benchmarks.vision_speed``.

Absolute times depend on the machine; ratios within one run can be compared between machines.
All variants are run alternately, so that a machine that slows down slows all of them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.data import astronaut

from benchmarks.machine import machine
from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.engine.models import resolve_model
from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.pipeline import FacePipeline, PipelineSettings
from cfrnet_ros.vision.restoration.fusion import FrameFusion
from cfrnet_ros.vision.restoration.restorer import Restorer
from cfrnet_ros.vision.tracking.tracker import FaceTracker
from cfrnet_ros.vision.views.compositor import blend_faces


def camera_frame(width: int, height: int) -> NDArray[np.uint8]:
    """Return a (height, width, 3) uint8 BGR frame with one face (NASA, public domain)."""
    photo = np.ascontiguousarray(astronaut()[..., ::-1])
    side = height
    frame = np.full((height, width, 3), 90, np.uint8)
    left = (width - side) // 2
    frame[:, left : left + side] = cv2.resize(photo, (side, side), interpolation=cv2.INTER_AREA)
    return frame


def interleaved(
    variants: dict[str, Callable[[], object]], rounds: int
) -> dict[str, dict[str, float]]:
    """Call the variants alternately and return the distribution of their times in ms."""
    times: dict[str, list[float]] = {name: [] for name in variants}
    for call in variants.values():
        call()
    for _ in range(rounds):
        for name, call in variants.items():
            start = time.perf_counter()
            call()
            times[name].append((time.perf_counter() - start) * 1e3)
    return {
        name: {
            'min': round(min(values), 3),
            'median': round(float(np.median(values)), 3),
            'p95': round(float(np.percentile(values, 95)), 3),
        }
        for name, values in times.items()
    }


def fusing(crop: NDArray[np.uint8], noise: float) -> Callable[[], object]:
    """Return a function that fuses the next frame of a face that moves a little.

    Args:
        crop: (N, N, 3) uint8 crop of the face.
        noise: Standard deviation of its noise in grey values.

    """
    rng, size = np.random.default_rng(0), crop.shape[0]
    frames = []
    for index in range(16):
        shift = 2.0 * np.sin(2 * np.pi * index / 16)
        moved = cv2.warpAffine(crop, np.array([[1, 0, shift], [0, 1, 0.0]]), (size, size))
        # Coarser than a pixel, like the noise of an upscaled crop.
        fine = rng.standard_normal(crop.shape, np.float32)
        grain = np.asarray(cv2.GaussianBlur(fine, (0, 0), 1.0), np.float32)
        frames.append(np.clip(moved + noise * grain / grain.std(), 0, 255).astype(np.uint8))
    fusion, number = FrameFusion(), itertools.count()

    def fuse() -> object:
        index = next(number)
        return fusion.apply(0, frames[index % len(frames)], 1.0, 16, '', index / 30)

    return fuse


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rounds', type=int, default=40)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--provider', default='cpu')
    parser.add_argument('--out', type=Path, default=Path('benchmarks/vision_speed.json'))
    args = parser.parse_args()
    cv2.setNumThreads(args.threads)
    choice = choose_providers(args.provider)
    restorers = {
        precision: Restorer(resolve_model(precision), choice, args.threads)
        for precision in ('fp32', 'int8')
    }
    detector = YuNetDetector(None, choice, 480, args.threads)
    vga, hd = camera_frame(640, 480), camera_frame(1280, 720)
    pipeline = FacePipeline(detector, restorers['int8'], FaceTracker())
    one = PipelineSettings(cycles=1, max_faces=1, detection_interval=1, temporal_smoothing=0.0)
    found = {name: pipeline.process(frame, one).faces for name, frame in (('vga', vga), ('hd', hd))}
    if not all(found.values()):
        raise SystemExit('no face was found in the benchmark frame, so there is nothing to measure')
    crop = found['vga'][0].aligned

    variants: dict[str, Callable[[], object]] = {}
    for precision, restorer in restorers.items():
        variants[f'restore_{precision}_k1'] = lambda r=restorer: r.restore(crop, 1)  # type: ignore[misc]
        variants[f'restore_{precision}_k3'] = lambda r=restorer: r.restore(crop, 3)  # type: ignore[misc]
    variants['detect_640x480'] = lambda: detector.detect(vga, 0.6)
    variants['detect_1280x720'] = lambda: detector.detect(hd, 0.6)
    variants['blend_640x480'] = lambda: blend_faces(vga, found['vga'])
    variants['blend_1280x720'] = lambda: blend_faces(hd, found['hd'])
    # Time from pixels to the frame with its face blended back, as in the node.
    whole = PipelineSettings(cycles=2, max_faces=1, detection_interval=3, temporal_smoothing=0.0)
    for name, frame in (('640x480', vga), ('1280x720', hd)):
        own = FacePipeline(detector, restorers['int8'], FaceTracker())
        variants[f'frame_{name}_k2'] = lambda p=own, f=frame: blend_faces(  # type: ignore[misc]
            f, p.process(f, whole).faces
        )
    for name, noise in (('noisy', 12.0), ('clean', 0.0)):
        variants[f'fuse_{name}'] = fusing(crop, noise)
    times = interleaved(variants, args.rounds)

    def ratio(slow: str, fast: str) -> float:
        return round(times[slow]['median'] / times[fast]['median'], 2)

    result: dict[str, Any] = {
        'command': f'python -m benchmarks.vision_speed --rounds {args.rounds} '
        f'--threads {args.threads} --provider {args.provider}',
        'machine': machine(),
        'ms': times,
        'ratios': {
            'fp32_over_int8_k1': ratio('restore_fp32_k1', 'restore_int8_k1'),
            'int8_k3_over_k1': ratio('restore_int8_k3', 'restore_int8_k1'),
            'fusion_over_int8_cycle': ratio('fuse_noisy', 'restore_int8_k1'),
            'fusion_over_fp32_cycle': ratio('fuse_noisy', 'restore_fp32_k1'),
            'int8_cycle_over_detection_640x480': ratio('restore_int8_k1', 'detect_640x480'),
        },
    }
    args.out.write_text(json.dumps(result, indent=1) + '\n', encoding='utf-8')
    print(json.dumps(result, indent=1))


if __name__ == '__main__':
    main()
