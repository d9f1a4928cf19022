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

"""Contact sheets: before, every k, truth."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

_BAND = 22


def contact_sheet(
    rows: Sequence[Sequence[NDArray[np.uint8]]],
    titles: Sequence[str],
    tile: int = 192,
    captions: Sequence[str] = (),
) -> NDArray[np.uint8]:
    """Lay images out in rows under a line of titles.

    Args:
        rows: Equally long rows of (H, W, 3) uint8 BGR images.
        titles: Titles of the columns.
        tile: Side of each picture in pixels.
        captions: Caption of each row, written above the row; empty for none.

    Returns:
        The sheet, uint8 BGR.

    Raises:
        ValueError: The numbers of titles, captions and pictures do not fit together.

    """
    if any(len(row) != len(titles) for row in rows):
        raise ValueError(f'every row needs {len(titles)} pictures, one for each of {titles}')
    if captions and len(captions) != len(rows):
        raise ValueError(f'{len(rows)} rows need as many captions, got {len(captions)}')
    width = tile * len(titles)
    places = [(column * tile + 6, title) for column, title in enumerate(titles)]
    lines: list[NDArray[np.uint8]] = [_band(places, width)]
    for index, row in enumerate(rows):
        if captions:
            lines.append(_band([(6, captions[index])], width))
        pictures = [cv2.resize(p, (tile, tile), interpolation=cv2.INTER_AREA) for p in row]
        lines.append(np.hstack(pictures).astype(np.uint8, copy=False))
    return np.vstack(lines)


def side_by_side(sheets: Sequence[NDArray[np.uint8]], gap: int = 12) -> NDArray[np.uint8]:
    """Put sheets beside each other, the shorter ones with white below them.

    Args:
        sheets: (H, W, 3) uint8 BGR, one at least.
        gap: White columns between two of them.

    """
    height = max(len(sheet) for sheet in sheets)
    parts: list[NDArray[np.uint8]] = []
    for index, sheet in enumerate(sheets):
        left = gap if index else 0
        parts.append(
            np.pad(sheet, ((0, height - len(sheet)), (left, 0), (0, 0)), constant_values=255)
        )
    return np.hstack(parts)


def _band(texts: Sequence[tuple[int, str]], width: int) -> NDArray[np.uint8]:
    band = np.full((_BAND, width, 3), 255, np.uint8)
    for x, text in texts:
        cv2.putText(
            band, text, (x, _BAND - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA
        )
    return band
