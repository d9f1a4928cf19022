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

"""The critic of the eyes measures as the eye guard does, and leads shut eyes to open."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from numpy.typing import NDArray  # noqa: E402

from cfrnet_ros.vision.quality.eye_openness import EyeOpennessMeter  # noqa: E402
from training.critics import eye_openness  # noqa: E402
from training.critics.eye_openness import EyeOpennessCritic  # noqa: E402
from training.data.crops import aligned, to_tensor  # noqa: E402
from training.data.manifest import read_manifest  # noqa: E402


@pytest.fixture(scope='module')
def crop(faces: Path) -> NDArray[np.uint8]:
    return aligned(read_manifest(faces, 'train')[3])


def test_the_critic_measures_what_the_eye_guard_measures(crop: NDArray[np.uint8]) -> None:
    (wanted,) = EyeOpennessMeter().measure([crop])
    found = EyeOpennessCritic()(to_tensor(crop))
    assert found.shape == (1, 2)
    assert found[0].numpy() == pytest.approx(wanted.ratio, abs=0.003)


def test_a_shift_moves_both_eyes_the_same_way(crop: NDArray[np.uint8]) -> None:
    critic, face = EyeOpennessCritic(), to_tensor(crop)
    moved = torch.roll(face, shifts=(2, 3), dims=(2, 3))
    assert critic(moved, (3.0, 2.0)) == pytest.approx(critic(face), abs=1e-4)


def test_its_gradient_opens_and_shuts_eyes(crop: NDArray[np.uint8]) -> None:
    critic, face = EyeOpennessCritic(), to_tensor(crop).requires_grad_()
    openness = critic(face)
    openness.sum().backward()
    assert face.grad is not None
    # Only what surrounds the eyes counts.
    rows = face.grad.abs().sum(dim=(0, 1, 3))
    assert rows[:60].max() == rows[160:].max() == 0
    with torch.no_grad():
        wider = critic(face + 0.5 * face.grad / face.grad.norm())
    assert (wider > openness).all()


def test_windows_are_refused_and_a_missing_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r'whole aligned crops.*192'):
        EyeOpennessCritic()(torch.zeros(1, 3, 192, 192))
    monkeypatch.setattr(eye_openness, 'MODEL', tmp_path / 'none.onnx')
    with pytest.raises(FileNotFoundError, match=r'none\.onnx.*train_eyes'):
        EyeOpennessCritic()
