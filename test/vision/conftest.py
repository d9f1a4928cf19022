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

"""Fixtures: a real face in synthetic frames, and the models that process it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pictures import Frame, resized
from skimage.data import astronaut

from cfrnet_ros.vision.engine import models
from cfrnet_ros.vision.engine.models import MODEL_DIR

# Imported by the fixtures: these need onnx or ONNX Runtime, which are missing on a build farm.
if TYPE_CHECKING:
    from cfrnet_ros.vision.detection.detector import YuNetDetector
    from cfrnet_ros.vision.engine.providers import ProviderChoice
    from cfrnet_ros.vision.pipeline import FacePipeline


@pytest.fixture(scope='session')
def portrait() -> Frame:
    """Return the astronaut Eileen Collins (NASA, public domain), (512, 512, 3) BGR."""
    return np.ascontiguousarray(astronaut()[..., ::-1])


@pytest.fixture(scope='session')
def two_faces(portrait: Frame) -> Frame:
    """Return a (480, 640, 3) frame with the face twice: larger left, mirrored right."""
    frame = np.full((480, 640, 3), 90, np.uint8)
    head = portrait[:260, 90:350]
    frame[100:400, 20:320] = resized(head, 300, 300)
    frame[150:350, 400:600] = resized(head, 200, 200)[:, ::-1]
    return frame


@pytest.fixture(scope='session')
def cpu() -> ProviderChoice:
    from cfrnet_ros.vision.engine.providers import choose_providers

    return choose_providers('cpu')


@pytest.fixture(scope='session')
def detector(cpu: ProviderChoice) -> YuNetDetector:
    from cfrnet_ros.vision.detection.detector import YuNetDetector

    return YuNetDetector(None, cpu, input_size=384, threads=1)


@pytest.fixture
def pipeline(tmp_path: Path, detector: YuNetDetector, cpu: ProviderChoice) -> FacePipeline:
    """Pipeline with a restorer that halves the brightness of a 96 px crop in each cycle."""
    from onnx_models import scale_model

    from cfrnet_ros.vision.pipeline import FacePipeline
    from cfrnet_ros.vision.restoration.restorer import Restorer
    from cfrnet_ros.vision.tracking.tracker import FaceTracker

    restorer = Restorer(scale_model(tmp_path / 'm.onnx', 0.5, size=96), cpu, threads=1)
    return FacePipeline(detector, restorer, FaceTracker())


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a copy of the shipped models, which tests may change."""
    folder = tmp_path / 'models'
    shutil.copytree(MODEL_DIR, folder)
    monkeypatch.setattr(models, 'MODEL_DIR', folder)
    return folder
