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

"""Writes contact sheets: crops from a whole pass, before, fused and after, in one PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from cfrnet_ros.replay.captions import blank, caption, fit
from cfrnet_ros.replay.frames import FrameRow, anything_fused
from cfrnet_ros.replay.measure import NAN, FaceSample, FrameSample
from cfrnet_ros.replay.pictures import Picture

#: Most faces on a sheet, and number of columns; a face has tiles before, fused (where
#: the node fused anything), after and truth (where it is known).
_FACES, _COLUMNS = 24, 4
_SIDE_PX, _GAP_PX = 192, 8


class Sheet:
    """Collects the tiles of one pass as the samples go by."""

    def __init__(self, number: int, rows: Sequence[FrameRow]) -> None:
        """Choose the faces, evenly distributed over the pass.

        Args:
            number: Number of the pass.
            rows: Frames of all passes.

        """
        crops = [
            (row.frame.index, slot)
            for row in rows
            if row.number == number
            for slot in range(row.faces)
        ]
        picks = np.linspace(0, max(0, len(crops) - 1), min(_FACES, len(crops))).round()
        self._number = number
        self._fused = anything_fused(rows)
        self._chosen = {crops[int(pick)] for pick in picks}
        self._tiles: list[Picture] = []

    def offer(self, sample: FrameSample) -> None:
        """Take a sample if its frame was chosen."""
        if sample.row.number != self._number:
            return
        for face in sample.faces:
            if (face.row.index, face.row.slot) in self._chosen:
                self._tiles.append(_tile(face, self._fused))

    def write(self, path: Path) -> bool:
        """Write the PNG; returns False if there was no face."""
        if not self._tiles:
            return False
        across = max(tile.shape[1] for tile in self._tiles)
        down = max(tile.shape[0] for tile in self._tiles)
        columns = min(_COLUMNS, len(self._tiles))
        count = -(-len(self._tiles) // columns)
        size = (count * (down + _GAP_PX) + _GAP_PX, columns * (across + _GAP_PX) + _GAP_PX, 3)
        sheet = np.full(size, 255, np.uint8)
        for place, tile in enumerate(self._tiles):
            y = _GAP_PX + place // columns * (down + _GAP_PX)
            x = _GAP_PX + place % columns * (across + _GAP_PX)
            sheet[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
        return bool(cv2.imwrite(str(path), sheet))


def _tile(face: FaceSample, fused: bool) -> Picture:
    row = face.row
    views = [(face.before, f'frame {row.index}, id {row.track_id}', row.psnr_before)]
    if fused:
        missing = blank(_SIDE_PX, _SIDE_PX, 'not received')
        frames = row.values.get('fused_frames', 1.0)
        picture = missing if face.fused is None else face.fused
        views.append((picture, f'fused, {frames:.1f} frames', row.psnr_fused))
    after = f'k={row.cycles}' if row.restored else row.reason or 'unchanged'
    views.append((face.after, after, row.psnr_after))
    if face.truth is not None:
        views.append((face.truth, 'truth', NAN))
    return np.hstack(
        [caption(fit(picture, _SIDE_PX), _with_db(text, db)) for picture, text, db in views]
    )


def _with_db(text: str, db: float) -> str:
    return text if np.isnan(db) else f'{text}  {db:.1f} dB'
