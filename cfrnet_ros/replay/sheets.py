"""Writes contact sheets: crops from a whole pass, before and after, in one PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from cfrnet_ros.replay.captions import caption, fit
from cfrnet_ros.replay.frames import FrameRow
from cfrnet_ros.replay.measure import FaceSample, FrameSample
from cfrnet_ros.replay.pictures import Picture

#: Most faces on a sheet, and number of columns; a face has tiles before, after and truth.
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
        self._chosen = {crops[int(pick)] for pick in picks}
        self._tiles: list[Picture] = []

    def offer(self, sample: FrameSample) -> None:
        """Take a sample if its frame was chosen."""
        if sample.row.number != self._number:
            return
        for face in sample.faces:
            if (face.row.index, face.row.slot) in self._chosen:
                self._tiles.append(_tile(face))

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


def _tile(face: FaceSample) -> Picture:
    row = face.row
    after = f'k={row.cycles}' if row.restored else row.reason or 'unchanged'
    views = [(face.before, f'frame {row.index}, id {row.track_id}'), (face.after, after)]
    if face.truth is not None:
        views[0] = (face.before, f'{views[0][1]}  {row.psnr_before:.1f} dB')
        views[1] = (face.after, f'{after}  {row.psnr_after:.1f} dB')
        views.append((face.truth, 'truth'))
    return np.hstack([caption(fit(picture, _SIDE_PX), text) for picture, text in views])
