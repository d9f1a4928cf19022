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

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.data import astronaut


@pytest.fixture(scope='session')
def portraits() -> list[NDArray[np.uint8]]:
    """Four (240, 320, 3) uint8 BGR frames of a face that moves a little."""
    photo = cv2.cvtColor(astronaut(), cv2.COLOR_RGB2BGR)
    frames: list[NDArray[np.uint8]] = []
    for shift in range(4):
        frame = np.full((240, 320, 3), 90, np.uint8)
        frame[:, 2 * shift : 240 + 2 * shift] = cv2.resize(
            photo, (240, 240), interpolation=cv2.INTER_AREA
        )
        frames.append(frame)
    return frames


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Empty folder for recordings."""
    folder = tmp_path / 'recordings'
    folder.mkdir()
    return folder
