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

"""Fixtures: a portrait, and a video of it with sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pictures import Frame, resized
from skimage.data import astronaut

#: Frames of the video.
FRAMES = 10


@pytest.fixture(scope='session')
def portrait() -> Frame:
    """Return the astronaut Eileen Collins (NASA, public domain), (256, 256, 3) BGR."""
    return resized(np.ascontiguousarray(astronaut()[..., ::-1]), 256, 256)


@pytest.fixture(scope='session')
def clip(tmp_path_factory: pytest.TempPathFactory, portrait: Frame) -> Path:
    """Return a video of the portrait, moving slowly, with sound in AAC."""
    from videos import make_video

    pictures = [np.ascontiguousarray(np.roll(portrait, n, axis=1)) for n in range(FRAMES)]
    return make_video(tmp_path_factory.mktemp('clip') / 'clip.mp4', pictures, 'aac')


@pytest.fixture(scope='session')
def halving_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model that halves the contrast, so that restored faces can be told from others."""
    import node_models

    return node_models.halving_model(tmp_path_factory.mktemp('models') / 'halving.onnx')
