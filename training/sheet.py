"""Contact sheets: before, every k, truth."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray


def contact_sheet(
    rows: Sequence[Sequence[NDArray[np.uint8]]], titles: Sequence[str], tile: int = 192
) -> NDArray[np.uint8]:
    """Lay images out in rows under a line of titles.

    Args:
        rows: equally long rows of (H, W, 3) uint8 BGR images.
        titles: of the columns.
        tile: side of each picture in pixels.

    Returns:
        The sheet, uint8 BGR.

    """
    band = np.full((22, tile * len(titles), 3), 255, np.uint8)
    for column, title in enumerate(titles):
        cv2.putText(
            band, title, (column * tile + 6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1,
            cv2.LINE_AA,
        )  # fmt: skip
    lines: list[NDArray[np.uint8]] = [band]
    for row in rows:
        pictures = [cv2.resize(p, (tile, tile), interpolation=cv2.INTER_AREA) for p in row]
        lines.append(np.hstack(pictures).astype(np.uint8, copy=False))
    return np.vstack(lines)
