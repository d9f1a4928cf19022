"""What the metrics on faces take: the restorer's aligned crop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Side of the crop in pixels.
CROP_SIZE = 256


def check_crop(crop_bgr: NDArray[np.uint8]) -> None:
    """Refuse what is not a crop.

    Raises:
        ValueError: The crop is not (256, 256, 3) uint8.

    """
    wanted = (CROP_SIZE, CROP_SIZE, 3)
    if crop_bgr.shape != wanted or crop_bgr.dtype != np.uint8:
        raise ValueError(
            f'a crop must be {wanted} uint8 BGR, got {crop_bgr.shape} {crop_bgr.dtype}; '
            'cut it with cfrnet_ros.vision.preprocessing.align.align_face'
        )
