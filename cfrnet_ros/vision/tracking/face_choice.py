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

"""Chooses the faces of a frame that are passed on."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cfrnet_ros.vision.types import Face

#: Orders of the faces, of which the first `max_faces` are taken.
LARGEST, DRIVER = 'largest', 'driver'
CHOICES = (LARGEST, DRIVER)

#: Left, top, right and bottom as fractions of the frame's width and height.
Region = tuple[float, float, float, float]
WHOLE_FRAME: Region = (0.0, 0.0, 1.0, 1.0)


def check_region(region: Sequence[float]) -> Region:
    """Check a region of interest.

    Args:
        region: Left, top, right and bottom as fractions (0..1) of the frame.

    Returns:
        Region as a tuple of floats.

    Raises:
        ValueError: The region is not four finite numbers from 0 to 1, or it is empty.

    """
    values = tuple(float(value) for value in region)
    text = '[' + ', '.join(f'{value:g}' for value in values) + ']'
    if len(values) != 4:
        raise ValueError(
            f'roi must be four numbers, [left, top, right, bottom] as fractions of the frame; got '
            f'{len(values)}: {text}'
        )
    if not all(0 <= value <= 1 for value in values):
        raise ValueError(
            f'roi must be from 0 to 1 (fractions of the frame, not pixels); got {text}'
        )
    left, top, right, bottom = values
    if left >= right or top >= bottom:
        raise ValueError(f'roi is empty: left must be below right and top below bottom; got {text}')
    return left, top, right, bottom


def choose_faces(
    faces: Sequence[Face],
    width: int,
    height: int,
    most: int,
    choice: str = LARGEST,
    region: Region = WHOLE_FRAME,
) -> list[Face]:
    """Choose the faces to pass on.

    Only faces whose box has its centre inside the region are taken: a passenger beside the
    driver must not become the driver when the driver is out of sight.

    Args:
        faces: All faces of the frame.
        width: Width of the frame in pixels.
        height: Height of the frame in pixels.
        most: Largest number of faces returned, 0 or above.
        choice: Order of the faces: 'largest' takes the largest first, 'driver' those nearest to
            the region's centre.
        region: Region of interest, as `check_region` returns it.

    Returns:
        Faces in the chosen order, at most `most` of them.

    """
    left, top, right, bottom = region
    ranked: list[tuple[float, int]] = []
    for index, face in enumerate(faces):
        # A face that is cut by the frame's border may have its centre beyond the border.
        x = min(1.0, max(0.0, float(face.box[0] + face.box[2]) / 2 / max(1, width)))
        y = min(1.0, max(0.0, float(face.box[1] + face.box[3]) / 2 / max(1, height)))
        if left <= x <= right and top <= y <= bottom:
            off = math.hypot((x - (left + right) / 2) * width, (y - (top + bottom) / 2) * height)
            ranked.append((off if choice == DRIVER else -face.area, index))
    return [faces[index] for _, index in sorted(ranked)[: max(0, most)]]
