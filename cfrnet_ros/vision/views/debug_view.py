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

"""Draws a frame with the faces found in it, and each face before and after restoration."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.types import RestoredFace

_GREEN, _RED, _YELLOW = (80, 220, 80), (80, 80, 255), (0, 220, 255)
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)

#: Height of one inset as a part of the frame's height, and largest number of insets.
INSET, MAX_INSETS = 0.3, 3

#: Width reserved for a face's label, in pixels.
_LABEL = 110


def draw_debug(
    frame: NDArray[np.uint8], faces: Sequence[RestoredFace], info: Sequence[str] = ()
) -> NDArray[np.uint8]:
    """Draw boxes, landmarks, before/after insets and lines of text on a copy of a frame.

    Args:
        frame: (H, W, 3) uint8 BGR frame.
        faces: Faces of this frame; the first three get an inset at the right edge, with the
            crop before restoration on the left and after it on the right. Between them, if crops
            were fused over time, lies the weight of the newest frame: black where the crop is an
            average of many frames, white where the newest one was passed through.
        info: Lines of ASCII text for the upper left corner, for instance cycles and latency.

    Returns:
        (H, W, 3) uint8 BGR frame, a new array.

    Raises:
        ValueError: The frame has another shape or type.

    """
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise ValueError(f'the frame must be (H, W, 3) uint8, got {frame.shape} {frame.dtype}')
    canvas = frame.copy()
    height, width = canvas.shape[:2]
    text_scale = max(0.35, min(height, width) / 1000)
    thickness = max(1, round(min(height, width) / 480))
    for item in faces:
        x0, y0, x1, y1 = (round(float(value)) for value in item.face.box)
        colour = _GREEN if item.restored else _RED
        cv2.rectangle(canvas, (x0, y0), (x1, y1), colour, thickness, cv2.LINE_AA)
        for x, y in item.face.landmarks:
            cv2.circle(
                canvas, (round(float(x)), round(float(y))), 1 + thickness, _YELLOW, -1, cv2.LINE_AA
            )
        label = f'#{item.face.track_id} {item.face.score:.2f} '
        label += item.reason or f'k={item.restoration.cycles}' + ' reused' * item.reused
        if item.restored and item.eyes is not None and item.eyes.exceeded:
            label += ' eyes changed'
        _text(canvas, label, (x0, max(12, y0 - 4)), text_scale, thickness)
    _draw_insets(canvas, faces, text_scale, thickness)
    line = round(34 * text_scale) + 4
    for index, text in enumerate(info):
        _text(canvas, text, (6, (index + 1) * line), text_scale, thickness)
    return canvas


def _draw_insets(
    canvas: NDArray[np.uint8], faces: Sequence[RestoredFace], text_scale: float, thickness: int
) -> None:
    height, width = canvas.shape[:2]
    side = min(round(height * INSET), width // 4)
    if side < 16 or not faces:
        return
    shown = faces[: min(MAX_INSETS, (height - 4) // (side + 4))]
    rows = [_inset_pictures(item) for item in shown]
    columns = max(len(row) for row in rows)
    left, top = _free_corner(canvas, faces, columns * side, len(shown) * (side + 4))
    for index, row in enumerate(rows):
        y = top + index * (side + 4)
        for place, (name, picture) in enumerate(row):
            x = left + place * side
            canvas[y : y + side, x : x + side] = cv2.resize(
                picture, (side, side), interpolation=cv2.INTER_AREA
            )
            _text(canvas, name, (x + 3, y + side - 4), text_scale, thickness)
        cv2.rectangle(canvas, (left, y), (left + len(row) * side - 1, y + side - 1), _WHITE, 1)


def _inset_pictures(item: RestoredFace) -> list[tuple[str, NDArray[np.uint8]]]:
    """Return the named (N, N, 3) uint8 pictures of a face's inset, from left to right."""
    pictures = [('in', item.aligned), ('out', item.crop)]
    if item.fusion is not None and item.fusion.gain is not None:
        weight = cv2.convertScaleAbs(item.fusion.gain, alpha=255.0)
        grey = np.asarray(cv2.cvtColor(weight, cv2.COLOR_GRAY2BGR), np.uint8)
        pictures.insert(1, (f'{item.fusion.frames:.0f} frames', grey))
    return pictures


def _free_corner(
    canvas: NDArray[np.uint8], faces: Sequence[RestoredFace], width: int, height: int
) -> tuple[int, int]:
    """Return left and top of the corner in which a panel hides the least of the faces."""
    bottom, right = canvas.shape[0] - height, canvas.shape[1] - width - 4
    corners = [(right, 4), (right, bottom), (4, bottom)]

    def hidden(corner: tuple[int, int]) -> float:
        area = 0.0
        for item in faces:
            x0, y0, x1, y1 = (float(value) for value in item.face.box)
            # The label is above the box and may be wider than it.
            x1, y0 = max(x1, x0 + _LABEL), y0 - 16
            across = min(x1, corner[0] + width) - max(x0, corner[0])
            down = min(y1, corner[1] + height) - max(y0, corner[1])
            area += max(0.0, across) * max(0.0, down)
        return area

    return min(corners, key=hidden)


def _text(
    canvas: NDArray[np.uint8], text: str, at: tuple[int, int], scale: float, thickness: int
) -> None:
    """Draw white text on a black background, readable on any picture."""
    x, y = at
    (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
    cv2.rectangle(canvas, (x - 2, y - height - 2), (x + width + 1, y + below), _BLACK, -1)
    cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, _WHITE, thickness, cv2.LINE_AA)
