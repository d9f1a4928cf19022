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

"""Weights compared by the eyes of filmed faces (`benchmarks.filmed_eyes`)."""

from __future__ import annotations

import itertools
import sys

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')
pytest.importorskip('ai_edge_litert', reason='eyes are measured by a LiteRT network')

from benchmarks import filmed_eyes  # noqa: E402
from benchmarks.blink_detection import CASES  # noqa: E402
from examples.eyelids.eye_landmarks import EyeLandmarker  # noqa: E402


def test_a_network_that_changes_nothing_has_the_error_of_its_input() -> None:
    case = next(case for case in CASES if case.name == 'Low light, 640 x 480')
    # Every third of the first 30 frames.
    scene = list(itertools.islice(filmed_eyes.film(case), 10))
    assert all(crop.shape == (256, 256, 3) for crop, _ in scene)
    assert 0.1 < np.mean([truth for _, truth in scene]) < 0.5
    landmarker = EyeLandmarker()
    # Bright, so that the crop that the network gets is the camera's.
    bright = [(np.clip(crop * 3.0, 0, 255).astype(np.uint8), truth) for crop, truth in scene]
    errors = filmed_eyes.measure(torch.nn.Identity(), bright, landmarker)
    assert errors['0'].frames >= 8
    assert errors['1'] == errors['2'] == errors['3'] == errors['0']
    # Every truth is lowered by a tenth: the eyes are open by a tenth more than before.
    lowered = [(crop, truth - 0.1) for crop, truth in bright]
    wider = filmed_eyes.measure(torch.nn.Identity(), lowered, landmarker)
    assert wider['3'].bias == pytest.approx(errors['3'].bias + 0.1, abs=2e-4)


def test_scenes_count_by_their_frames() -> None:
    few, many = filmed_eyes.EyeError(0.4, -0.2, 10), filmed_eyes.EyeError(0.1, 0.1, 30)
    nothing = filmed_eyes.EyeError(float('nan'), float('nan'), 0)
    assert filmed_eyes.mean([few, nothing, many]) == filmed_eyes.EyeError(0.175, 0.025, 40)


def test_weights_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, 'argv', ['filmed_eyes', 'nowhere.onnx'])
    with pytest.raises(SystemExit, match=r"'nowhere.onnx' is missing"):
        filmed_eyes.main()
