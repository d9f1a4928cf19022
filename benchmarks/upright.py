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

"""Measures how well upright faces are told from others: ``python -m benchmarks.upright``.

Photographs are put into frames, spoilt by the simulated cameras of the demo, and turned by 0, 90,
180 and 270 degrees; frames of real cameras are turned as they are. Counted are the faces that the
detector finds, and those of them that `min_upright` would refuse.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.preprocessing.align import align_face
from cfrnet_ros.vision.quality.upright import uprightness
from cfrnet_ros.vision.settings import PipelineSettings
from demo.bad_camera import CONDITIONS

Picture = NDArray[np.uint8]
SIDE = 480


def _in_a_frame(face: Picture, rng: np.random.Generator) -> Picture:
    """Put a square picture of a face somewhere into a (480, 480, 3) frame, 120 to 300 px large."""
    side = int(rng.integers(120, 300))
    frame = np.full((SIDE, SIDE, 3), int(rng.integers(20, 200)), np.uint8)
    x, y = (int(value) for value in rng.integers(0, SIDE - side, 2))
    frame[y : y + side, x : x + side] = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    return frame


def _pictures(folders: list[Path], photographs: list[Path]) -> Iterator[tuple[str, Picture]]:
    """Yield a name of the kind and a (H, W, 3) uint8 BGR picture."""
    for folder in folders:
        for file in sorted(folder.glob('*.jpg')):
            yield folder.name, np.asarray(cv2.imread(str(file)), np.uint8)
    for folder in photographs:
        for number, file in enumerate(sorted(folder.glob('*.jpg'))):
            rng = np.random.default_rng(number)
            frame = _in_a_frame(np.asarray(cv2.imread(str(file)), np.uint8), rng)
            yield 'photographs', frame
            for name, condition, _ in CONDITIONS:
                taken = condition(frame, 1.0, rng)
                if taken.ndim == 2:
                    taken = np.asarray(cv2.cvtColor(taken, cv2.COLOR_GRAY2BGR), np.uint8)
                yield f'photographs, {name}', taken


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--real', type=Path, nargs='*', default=[], help='folders with frames')
    parser.add_argument(
        '--photographs', type=Path, nargs='*', default=[], help='folders with faces'
    )
    args = parser.parse_args()
    cv2.setNumThreads(1)
    detector = YuNetDetector(None, choose_providers('cpu'), SIDE, threads=1)
    least = PipelineSettings().min_upright
    found: Counter[tuple[str, str]] = Counter()
    refused: Counter[tuple[str, str]] = Counter()
    for kind, picture in _pictures(args.real, args.photographs):
        for quarters in range(4):
            turned = np.ascontiguousarray(np.rot90(picture, quarters))
            for face in detector.detect(turned)[:1]:
                crop, _ = align_face(turned, face.landmarks, 256)
                key = (kind, 'turned' if quarters else 'upright')
                found[key] += 1
                refused[key] += uprightness(crop, detector.score) < least
    rows = {f'{kind}, {how}': [refused[kind, how], found[kind, how]] for kind, how in sorted(found)}
    print(json.dumps({'min_upright': least, 'refused and found': rows}, indent=1))


if __name__ == '__main__':
    main()
