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

"""A restorer runs at another size than its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import helper
from onnx_models import save_model, scale_model
from pictures import Frame, resized

from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.engine.models import resolve_model
from cfrnet_ros.vision.engine.providers import ProviderChoice
from cfrnet_ros.vision.errors import ModelError
from cfrnet_ros.vision.pipeline import FacePipeline, PipelineSettings
from cfrnet_ros.vision.preprocessing.align import align_face
from cfrnet_ros.vision.restoration.restorer import Restorer
from cfrnet_ros.vision.tracking.tracker import FaceTracker


@pytest.mark.parametrize('name', ['fp32', 'int8', 'plain_fp32', 'plain_int8'])
def test_the_shipped_models_restore_at_512(
    name: str, cpu: ProviderChoice, detector: YuNetDetector, portrait: Frame
) -> None:
    restorer = Restorer(resolve_model(name), cpu, size=512)
    assert restorer.card.size == 512
    crop, _ = align_face(portrait, detector.detect(portrait)[0].landmarks, 512)
    result = restorer.restore(crop, 2)
    assert result.crop.shape == (512, 512, 3)
    error = np.sqrt(np.mean((result.crop.astype(float) - crop) ** 2))
    # A good face is preserved.
    assert 20 * np.log10(255 / error) > 20


def test_larger_crops_work_in_the_whole_pipeline(
    tmp_path: Path, cpu: ProviderChoice, detector: YuNetDetector, portrait: Frame
) -> None:
    restorer = Restorer(scale_model(tmp_path / 'm.onnx', 0.5, size=128), cpu, size=256)
    restorer.warm_up()
    pipeline = FacePipeline(detector, restorer, FaceTracker())
    face = pipeline.process(portrait, PipelineSettings(cycles=1)).faces[0]
    assert face.crop.shape == (256, 256, 3)
    assert np.abs(face.crop.astype(float) - face.aligned * 0.5).max() <= 1
    small = Restorer(tmp_path / 'm.onnx', cpu)
    other = FacePipeline(detector, small, FaceTracker())
    half = other.process(portrait, PipelineSettings(cycles=1)).faces[0]
    # The crop shows the same part of the frame with more pixels.
    assert np.abs(resized(face.crop, 128, 128).astype(int) - half.crop).mean() < 3


def test_the_models_own_size_needs_no_rewriting(tmp_path: Path, cpu: ProviderChoice) -> None:
    path = scale_model(tmp_path / 'm.onnx', 0.5, size=64)
    for size in (0, 64):
        assert Restorer(path, cpu, size=size).card.size == 64


def adding_model(path: Path, added: NDArray[np.float32]) -> Path:
    return save_model(
        path,
        [helper.make_node('Add', ['face', 'added'], ['restored'])],
        [1, 3, 64, 64],
        constants={'added': added},
        card={'value_range': [0, 1], 'colour': 'RGB', 'iterative': True},
    )


def test_constants_that_repeat_are_adapted_to_any_size(tmp_path: Path, cpu: ProviderChoice) -> None:
    rows = np.tile(np.array([0.0, 0.2], np.float32), 32).reshape(1, 1, 64, 1)
    path = adding_model(tmp_path / 'm.onnx', np.repeat(rows, 3, axis=1))
    face = np.full((128, 128, 3), 100, np.uint8)
    restored = Restorer(path, cpu, size=128).restore(face, 1).crop
    assert (restored[::2] == 100).all()
    assert (restored[1::2] == 151).all()


def test_constants_for_one_size_are_refused(tmp_path: Path, cpu: ProviderChoice) -> None:
    rows = np.linspace(0, 1, 64, dtype=np.float32).reshape(1, 1, 64, 1)
    path = adding_model(tmp_path / 'm.onnx', rows)
    with pytest.raises(ModelError, match=r'constant added fits one size only; set crop_size'):
        Restorer(path, cpu, size=128)


def test_operators_for_one_size_are_refused(tmp_path: Path, cpu: ProviderChoice) -> None:
    path = save_model(
        tmp_path / 'm.onnx',
        [
            helper.make_node('Reshape', ['face', 'flat'], ['row']),
            helper.make_node('Reshape', ['row', 'image'], ['restored']),
        ],
        [1, 3, 64, 64],
        constants={
            'flat': np.array([1, -1], np.int64),
            'image': np.array([1, 3, 64, 64], np.int64),
        },
        card={'value_range': [0, 1], 'colour': 'RGB', 'iterative': True},
    )
    with pytest.raises(ModelError, match=r'Reshape works at one size only; set crop_size to 0'):
        Restorer(path, cpu, size=128)
