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

"""A small folder of faces, made of the astronaut photograph (NASA, public domain)."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from skimage.data import astronaut

# Five landmarks of skimage.data.astronaut(), marked by hand, in pixels.
ASTRONAUT = np.array(
    [[200.0, 108.0], [246.0, 106.0], [226.0, 131.0], [205.0, 152.0], [246.0, 150.0]]
)


def write_faces(root: Path) -> Path:
    """Write a manifest and splits of a few crops each, and return the folder."""
    photo = astronaut()[..., ::-1]
    left, top, side = 123, 20, 200
    crop = np.ascontiguousarray(photo[top : top + side, left : left + side])
    points = ASTRONAUT - (left, top)
    lines = ['file\tsplit\tsynthetic\tsource\tperson\tlandmarks5']
    for split, count in (('train', 6), ('val', 3), ('test', 3)):
        (root / split).mkdir()
        for number in range(count):
            name = f'{split}{number}.png'
            shaded = np.clip(crop * (0.7 + 0.1 * number), 0, 255).astype(np.uint8)
            cv2.imwrite(str(root / split / name), shaded)
            marks = ','.join(f'{v:.1f}' for v in points.ravel())
            lines.append(f'{name}\t{split}\t0\tnasa\t{split}{number}\t{marks}')
    # Faces without a truth have a list of their own.
    (root / 'real_lq').mkdir()
    listing = ['file\tsource\tlandmarks5']
    small = cv2.resize(crop, (64, 64), interpolation=cv2.INTER_AREA)
    marks = ','.join(f'{v:.1f}' for v in (points * 64 / side).ravel())
    for number in range(2):
        cv2.imwrite(str(root / 'real_lq' / f'real{number}.png'), small // (number + 1))
        listing.append(f'real{number}.png\tnasa\t{marks}')
    (root / 'real_lq' / 'SOURCES.tsv').write_text('\n'.join(listing) + '\n')
    (root / 'MANIFEST.tsv').write_text('\n'.join(lines) + '\n')
    return root
