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
