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

"""Makes the pictures of fusion over time: `python -m demo.make_film docs/images`.

A person who blinks is filmed under several conditions. `fusion.webp` moves; from top to bottom it
shows the camera's crop, the crop restored from each frame alone, and the crop that was fused over
the frames and then restored. `fusion_blink.jpg` shows the frames of a blink: the camera's crop, the
fused one, and the weight of the newest frame in it. All of them come from the package's pipeline
with the shipped model and the node's default parameters.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.engine.models import resolve_model
from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.pipeline import FacePipeline
from cfrnet_ros.vision.preprocessing.exposure import expose_face
from cfrnet_ros.vision.restoration.restorer import Restorer
from cfrnet_ros.vision.settings import PipelineSettings
from cfrnet_ros.vision.tracking.tracker import FaceTracker
from cfrnet_ros.vision.types import RestoredFace
from demo.blinks import FPS, shots, write_script

Picture = NDArray[np.uint8]

CONDITIONS = ('Sensor noise', 'Low light', 'Infrared')
ROWS = ('camera', 'each frame alone, k = {k}', 'fused, then k = {k}')
#: Frames that are skipped, so that fusion has begun, and frames that are shown.
SKIPPED, SHOWN = 24, 30
SIDE, SEED = 200, 12
#: Frames around the first blink, counted from the first that is shown.
BLINK = (3, 5, 6, 7, 8, 9, 11, 14)
#: Quality of the WebP file, 1..100.
QUALITY = 62

_NOTHING_FUSED = np.ones((1, 1), np.float32)


def film(condition: str, cycles: int, model: str) -> list[list[RestoredFace]]:
    """Film a condition.

    Args:
        condition: Name of a condition in `bad_camera.CONDITIONS`.
        cycles: Number of cycles.
        model: Value of the node's parameter `model`.

    Returns:
        For each frame the face as it was restored alone, and as it was fused and restored.

    Raises:
        RuntimeError: No face was found in a frame.

    """
    settings = {
        name: PipelineSettings(cycles=cycles, max_faces=1, fusion=weight)
        for name, weight in (('alone', 0.0), ('fused', 1.0))
    }
    choice = choose_providers('cpu')
    pipelines = {
        name: FacePipeline(
            YuNetDetector(None, choice, 480), Restorer(resolve_model(model), choice), FaceTracker()
        )
        for name in settings
    }
    frames: list[list[RestoredFace]] = []
    seconds = (SKIPPED + SHOWN) / FPS
    for shot in shots(condition, write_script(SEED), SEED, seconds):
        found = {
            name: pipeline.process(shot.seen_bgr, settings[name], shot.time_s).faces
            for name, pipeline in pipelines.items()
        }
        if not all(found.values()):
            raise RuntimeError(f'no face was found under the condition {condition!r}')
        frames.append([found[name][0] for name in settings])
    return frames[SKIPPED:]


def compose(films: Sequence[Sequence[Sequence[RestoredFace]]], index: int, cycles: int) -> Picture:
    """Return one frame of the moving picture: a column for each condition, a row of `ROWS` each."""
    columns = []
    for name, frames in zip(CONDITIONS, films, strict=True):
        alone, fused = frames[index]
        # The camera's crop is brightened like the others, so that it can be seen.
        tiles = [_tile(crop) for crop in (expose_face(alone.aligned), alone.crop, fused.crop)]
        _label(tiles[0], name.lower())
        columns.append(np.vstack(tiles))
    picture = np.hstack(columns)
    for row, text in enumerate(ROWS):
        if row:
            _label(picture[row * SIDE : (row + 1) * SIDE], text.format(k=cycles))
    return np.asarray(picture, np.uint8)


def blink(frames: Sequence[Sequence[RestoredFace]]) -> Picture:
    """Return the picture of a blink: camera, fused crop and weight of the newest frame."""
    columns = []
    for index in BLINK:
        _, face = frames[index]
        # A pixel of weight 1 stands for a crop in which nothing was fused.
        gain = None if face.fusion is None else face.fusion.gain
        weight = cv2.convertScaleAbs(_NOTHING_FUSED if gain is None else gain, alpha=255.0)
        map_ = np.asarray(cv2.cvtColor(weight, cv2.COLOR_GRAY2BGR), np.uint8)
        crops = (expose_face(face.aligned), expose_face(face.fused), map_)
        columns.append(np.vstack([_tile(crop) for crop in crops]))
    return np.asarray(np.hstack(columns), np.uint8)


def _tile(crop: Picture) -> Picture:
    return np.asarray(cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def _label(tile: Picture, text: str) -> None:
    """Write white text on black into the lower left corner of a picture, in place."""
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.4
    (width, height), below = cv2.getTextSize(text, font, scale, 1)
    bottom = tile.shape[0] - 5
    cv2.rectangle(tile, (2, bottom - height - 3), (width + 6, bottom + below), (0, 0, 0), -1)
    cv2.putText(tile, text, (4, bottom), font, scale, (255, 255, 255), 1, cv2.LINE_AA)


def main() -> int:
    """Run from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('folder', type=Path, help='folder to write the pictures to')
    parser.add_argument('--cycles', type=int, default=PipelineSettings.cycles)
    parser.add_argument('--model', default='auto', help='auto, fp32, int8, plain or a path')
    given = parser.parse_args()
    films = [film(condition, given.cycles, given.model) for condition in CONDITIONS]
    animation = cv2.Animation()
    animation.frames = [compose(films, index, given.cycles) for index in range(SHOWN)]
    animation.durations = [round(1000 / FPS)] * SHOWN
    given.folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(given.folder / 'fusion_blink.jpg'), blink(films[0]))
    written = cv2.imwriteanimation(
        str(given.folder / 'fusion.webp'), animation, [cv2.IMWRITE_WEBP_QUALITY, QUALITY]
    )
    return 0 if written else 1


if __name__ == '__main__':
    sys.exit(main())
