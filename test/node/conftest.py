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
def halving_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import node_models

    return node_models.halving_model(tmp_path_factory.mktemp('models') / 'halving.onnx')


@pytest.fixture(scope='session')
def slow_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import node_models

    return node_models.slow_model(tmp_path_factory.mktemp('models') / 'slow.onnx')


@pytest.fixture(scope='session')
def portrait() -> NDArray[np.uint8]:
    """(480, 640, 3) uint8 BGR image with one face, about 90 px high, at the left; read-only."""
    photo = cv2.cvtColor(astronaut(), cv2.COLOR_RGB2BGR)
    frame = np.full((480, 640, 3), 90, np.uint8)
    frame[:, :480] = cv2.resize(photo, (480, 480), interpolation=cv2.INTER_AREA)
    frame.setflags(write=False)
    return frame
