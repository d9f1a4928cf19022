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

"""Draw a sheet of what the degradations do: ``python -m training.tools.show_degradations``.

The face is the astronaut photograph of scikit-image (NASA, public domain).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.preprocessing.align import DEFAULT_TEMPLATE, similarity_transform, warp_crop
from training.data.crops import SIZE, to_image, to_tensor
from training.degradation.batch import degrade
from training.degradation.blur import GaussianBlur, MotionBlur, MotionPath
from training.degradation.colour import ColourBlotches, ColourCast, CutShadows
from training.degradation.fusion import Fusion
from training.degradation.jpeg import Jpeg
from training.degradation.light import Glare, Grey
from training.degradation.noise import LowLight, Noise
from training.degradation.plan import Degradation, clean_plan
from training.degradation.resize import Enlarge, Mosaic, Shrink
from training.degradation.samplers import SAMPLERS
from training.degradation.video import Video

#: Eyes, nose and corners of the mouth in `skimage.data.astronaut()`, marked by hand, px.
LANDMARKS = np.array(
    [[200.0, 108.0], [246.0, 106.0], [226.0, 131.0], [205.0, 152.0], [246.0, 150.0]]
)

#: One operator each, in the middle of its range.
OPERATORS = (
    clean_plan(),
    Degradation((GaussianBlur(2.5, 1.6, 0.6),)),
    Degradation((MotionBlur(12.0, 0.4),)),
    Degradation((Shrink(4.0), Enlarge())),
    Degradation((Noise(18.0 / 255.0, 1),)),
    Degradation((Noise(18.0 / 255.0, 1, correlated=True),), names=('grain',)),
    Degradation((LowLight(0.2, 1e-3, 2e-3, 1),)),
    Degradation((Grey((0.5, 0.3, 0.2)),)),
    Degradation((Glare(0.8, 0.1, 0.5, 0.35, 0.05, 0.25, 2.2, 0.02, 0.15, 3),)),
    Degradation((Jpeg(20),)),
    Degradation((Video(36, 4, 2, 0.05),)),
    Degradation((Mosaic(16),)),
    Degradation((MotionPath(14.0, 2.6, 0.8, 0.6),)),
    Degradation((ColourCast(0.6, 0.95, 1.0, 1.12),)),
    Degradation((CutShadows(0.05),)),
    Degradation((ColourBlotches(0.03, 7, 1), ColourBlotches(0.03, 24, 2))),
    Degradation((Noise(25.0 / 255.0, 1),)),
    Degradation((Noise(25.0 / 255.0, 1),), fusion=Fusion(10, 0.25, 0.7, 0.2, 6)),
)

#: Sets by their number of rows of draws.
ROWS = (('general', 2), ('car', 2), ('motion', 1), ('fused', 1), ('low_light', 1))


def astronaut() -> NDArray[np.uint8]:
    """Return the photograph's face as the restorer's (256, 256, 3) uint8 BGR crop."""
    from skimage.data import astronaut as photograph

    image = np.ascontiguousarray(photograph()[..., ::-1]).astype(np.uint8, copy=False)
    return warp_crop(image, similarity_transform(LANDMARKS, SIZE, DEFAULT_TEMPLATE), SIZE)


def sheet(face: NDArray[np.uint8], across: int = 6, seed: int = 0) -> NDArray[np.uint8]:
    """Return every operator, then draws of the sets in the order of `ROWS`.

    Args:
        face: (256, 256, 3) uint8 BGR.
        across: Number of pictures in a row.
        seed: Seed of the draws.

    Returns:
        The sheet, uint8 BGR.

    """
    plans = list(OPERATORS)
    plans += [clean_plan()] * (-len(plans) % across)
    for number, (name, count) in enumerate(ROWS):
        draw = SAMPLERS[name]
        plans += [draw(np.random.default_rng((seed, number, i))) for i in range(count * across)]
    images = degrade(to_tensor(face).expand(len(plans), -1, -1, -1), plans)
    tiles = []
    for image, plan in zip(images, plans):
        tile = np.full((SIZE + 18, SIZE, 3), 255, np.uint8)
        tile[:SIZE] = to_image(image)
        text = ' + '.join(plan.names)
        place = (3, SIZE + 13)
        cv2.putText(tile, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.36, (0, 0, 0), 1, cv2.LINE_AA)
        tiles.append(tile)
    rows = [np.hstack(tiles[i : i + across]) for i in range(0, len(tiles), across)]
    return np.vstack(rows).astype(np.uint8, copy=False)


def main() -> None:
    """Parse the command line and write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, default=Path('docs/images/degradations.jpg'))
    parser.add_argument('--seed', type=int, default=0, help='of the draws')
    args = parser.parse_args()
    picture = sheet(astronaut(), seed=args.seed)
    if not cv2.imwrite(str(args.out), picture, [cv2.IMWRITE_JPEG_QUALITY, 88]):
        raise OSError(f'{args.out} could not be written: does its folder exist?')


if __name__ == '__main__':
    main()
