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

"""Motion along paths, fused frames, and the colours of low light."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from training.data.crops import aligned, to_tensor  # noqa: E402
from training.data.manifest import read_manifest  # noqa: E402
from training.degradation import (  # noqa: E402
    SAMPLERS,
    ColourBlotches,
    Degradation,
    Fusion,
    GaussianBlur,
    Jpeg,
    MotionPath,
    Noise,
    effective_frames,
    motion_kernels,
    path_kernels,
)


@pytest.fixture(scope='module')
def face(faces: Path) -> Any:
    return to_tensor(aligned(read_manifest(faces, 'test')[0]))


def drawn(name: str, count: int) -> list[Degradation]:
    return [SAMPLERS[name](np.random.default_rng(seed)) for seed in range(count)]


def test_a_straight_path_at_constant_speed_is_a_straight_motion() -> None:
    length, angle, none = torch.tensor([11.0]), torch.tensor([0.6]), torch.zeros(1)
    path = path_kernels(length, angle, none, none, 8)
    line = motion_kernels(length, angle, 8)
    assert float((path - line).abs().max()) < 0.1 * float(line.max())


def test_a_blurred_dot_shows_where_the_camera_lingered_and_which_way_it_turned() -> None:
    dot = torch.zeros(1, 3, 65, 65)
    dot[:, :, 32, 32] = 1.0
    # Faster and faster to the right: most light lies at the left end.
    faster = Degradation((MotionPath(16.0, 0.0, pace=0.6),))(dot)[0, 0]
    columns = (faster.sum(dim=0) > 1e-3).nonzero().flatten()
    left, right = int(columns[0]), int(columns[-1])
    assert float(faster[:, left + 1 : left + 5].sum()) > 1.5 * float(
        faster[:, right - 4 : right].sum()
    )
    # An arc to the right that turns downwards has its ends below its middle.
    arcs = {bend: Degradation((MotionPath(16.0, 0.0, bend),))(dot)[0, 0] for bend in (-0.8, 0.8)}
    rows = torch.arange(65.0)
    for bend, arc in arcs.items():
        ends = torch.cat([arc[:, :28], arc[:, 37:]], dim=1).sum(dim=1)
        middle = arc[:, 30:35].sum(dim=1)
        lower = (ends * rows).sum() / ends.sum() - (middle * rows).sum() / middle.sum()
        assert float(lower) * bend > 0.5


def test_motion_blurs_with_little_noise_and_mostly_jpeg() -> None:
    plans = drawn('motion', 300)
    assert {plan.names[0] for plan in plans} == {'motion'}
    still = [step for plan in plans for step in plan.steps if isinstance(step, Jpeg)]
    assert 0.72 < len(still) / 300 < 0.88
    assert all(15 <= step.quality <= 90 for step in still)
    for plan in plans:
        path, noise = plan.steps[:2]
        assert isinstance(path, MotionPath)
        assert isinstance(noise, Noise)
        assert 6.0 <= path.length <= 16.0
        assert noise.sigma <= 4 / 255


def test_fused_frames_have_less_noise_where_nothing_moved() -> None:
    even = torch.full((1, 3, 128, 128), 0.5)
    steps = (Noise(0.08, 3),)
    fusion = Fusion(frames=9, moving=0.3, softness=0.5, misaligned=0.2, seed=4)
    alone = Degradation(steps)(even)
    fused = Degradation(steps, fusion=fusion)(even)
    count = effective_frames([fusion], even)[0, 0]
    assert 1.0 <= float(count.min()) < float(count.max()) <= 9.0
    moving, still = count < 1.01, count > 6.0
    assert int(moving.sum()) > 500
    assert int(still.sum()) > 500
    residue = (fused - even)[0]
    assert torch.allclose(fused[..., moving], alone[..., moving], atol=0.01)
    expected = 0.08 / float(count[still].mean()) ** 0.5
    assert float(residue[:, still].std()) == pytest.approx(expected, rel=0.15)


def test_fused_frames_of_a_noiseless_camera_are_one_frame(face: Any) -> None:
    steps = (GaussianBlur(2.0, 2.0, 0.0),)
    fusion = Fusion(frames=6, moving=0.2, softness=1.0, misaligned=0.0, seed=1)
    one, six = Degradation(steps)(face), Degradation(steps, fusion=fusion)(face)
    inside = (..., slice(20, -20), slice(20, -20))
    assert float((one - six)[inside].abs().max()) < 0.01
    assert Degradation(steps, fusion=fusion).names == ('blur', '6 frames')


def test_gradients_reach_the_face_through_every_fused_frame(face: Any) -> None:
    crop = face[..., :64, :64].clone().requires_grad_()
    fusion = Fusion(frames=3, moving=0.2, softness=1.0, misaligned=0.3, seed=1)
    Degradation((Noise(0.05, 1), Jpeg(60)), fusion=fusion)(crop).sum().backward()
    assert crop.grad is not None
    assert float(crop.grad[..., 20:-20, 20:-20].mean()) == pytest.approx(1.0, abs=0.1)


def test_blotches_change_the_colour_and_leave_the_luma() -> None:
    even = torch.full((1, 3, 96, 96), 0.5)
    change = (Degradation((ColourBlotches(0.05, 6, 2),))(even) - even)[0]
    weights = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    assert float((change * weights).sum(dim=0).abs().max()) < 1e-5
    assert 0.02 < float(change.std()) < 0.06
    # Coarse: neighbours are alike.
    assert float(change.diff(dim=2).abs().mean()) < 0.1 * float(change.abs().mean())


def test_low_light_leaves_the_truth_in_colour_and_darkens_the_face(face: Any) -> None:
    for plan in drawn('low_light', 20):
        assert torch.equal(plan.truth(face), face)
        assert float(plan(face).mean()) < 0.85 * float(face.mean())
