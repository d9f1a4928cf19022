from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray


@pytest.fixture(scope='session')
def bgr() -> NDArray[np.uint8]:
    """(16, 24, 3) uint8 BGR image of four flat quarters, which chroma subsampling preserves."""
    image = np.zeros((16, 24, 3), np.uint8)
    image[:8, :12] = (200, 30, 40)
    image[:8, 12:] = (20, 190, 60)
    image[8:, :12] = (10, 50, 220)
    image[8:, 12:] = (120, 120, 120)
    return image
