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

"""Makes the README's picture: `python -m demo.make_picture docs/images/before_after.jpg`.

The picture shows the demo's scene under each condition: the camera's crop above, and the crop that
the shipped model restores below.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.engine.models import resolve_model
from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.preprocessing.align import align_face
from cfrnet_ros.vision.restoration.restorer import Restorer
from demo.bad_camera import CONDITIONS
from demo.make_bag import FPS, FRAMES_PER_CONDITION, SEED
from demo.scene import Scene


def main() -> int:
    """Run from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('picture', type=Path, help='JPEG file to write')
    parser.add_argument('--cycles', type=int, default=2)
    parser.add_argument('--model', default='auto', help='auto, fp32, int8, plain or a path')
    given = parser.parse_args()
    choice = choose_providers('cpu')
    detector = YuNetDetector(None, choice, 480)
    restorer = Restorer(resolve_model(given.model), choice)
    scene, rng = Scene(SEED), np.random.default_rng(SEED)
    columns = []
    for number, (name, condition, _) in enumerate(CONDITIONS):
        within = FRAMES_PER_CONDITION // 2
        clean = scene.frame((number * FRAMES_PER_CONDITION + within) / FPS)
        seen = condition(clean, within / FPS, rng)
        frame = seen if seen.ndim == 3 else np.repeat(seen[..., None], 3, axis=2)
        faces = detector.detect(np.ascontiguousarray(frame), 0.5)
        if not faces:
            print(f'no face found under the condition {name!r}', file=sys.stderr)
            return 1
        card = restorer.card
        crop, _ = align_face(frame, faces[0].landmarks, card.size, card.template)
        columns.append(np.vstack([crop, restorer.restore(crop, given.cycles).crop]))
    given.picture.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(given.picture), np.hstack(columns), [cv2.IMWRITE_JPEG_QUALITY, 90])
    return 0


if __name__ == '__main__':
    sys.exit(main())
