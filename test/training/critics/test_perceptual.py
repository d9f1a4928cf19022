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

import pickle
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from torch import Tensor  # noqa: E402

from training.critics.perceptual import Lpips, _ArraysOnly, _UnitDistance, weights_folder  # noqa: E402
from training.metrics import psnr, ssim  # noqa: E402


def test_metrics_agree_with_scikit_image() -> None:
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    rng = np.random.default_rng(0)
    first = rng.random((48, 64, 3)).astype(np.float32)
    second = np.clip(first + rng.normal(0, 0.1, first.shape), 0, 1).astype(np.float32)
    a, b = (torch.from_numpy(x).permute(2, 0, 1)[None] for x in (first, second))
    assert float(psnr(a, b)) == pytest.approx(
        peak_signal_noise_ratio(first, second, data_range=1.0), abs=1e-3
    )
    _, field = structural_similarity(
        first,
        second,
        data_range=1.0,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    # Scikit-image pads; ours counts only windows that lie inside.
    assert float(ssim(a, b)) == pytest.approx(field[5:-5, 5:-5].mean(), abs=1e-4)


@pytest.mark.parametrize('backbone', ['alex', 'vgg'])
def test_lpips_grows_with_the_damage(backbone: Literal['alex', 'vgg']) -> None:
    try:
        weights_folder()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    from skimage.data import astronaut

    face = torch.from_numpy(astronaut()[20:148, 160:288].copy()).permute(2, 0, 1)[None] / 255.0
    metric = Lpips(backbone)
    noise = torch.randn(face.shape, generator=torch.Generator().manual_seed(0))
    distances = [float(metric(face, (face + s * noise).clamp(0, 1))) for s in (0.0, 0.05, 0.2)]
    assert distances[0] == pytest.approx(0.0, abs=1e-6)
    assert distances[0] < distances[1] < distances[2]


def test_a_weight_file_with_code_in_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / 'evil.ckpt'
    path.write_bytes(pickle.dumps(print))
    with path.open('rb') as stream, pytest.raises(pickle.UnpicklingError, match='no place'):
        _ArraysOnly(stream).load()


def test_the_distance_of_features_and_its_gradient_are_those_of_the_formula() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.rand(2, 12, 150, 160, generator=generator) for _ in range(2))
    # Behind a ReLU there are places without any feature.
    first[0, :, 3, 4] = 0.0
    weights = torch.rand(12, generator=generator)
    layout = torch.channels_last
    first = first.to(memory_format=layout).requires_grad_()

    def formula(a: Tensor, b: Tensor) -> Tensor:
        a, b = (m / (m.square().sum(1, keepdim=True) + 1e-8).sqrt() for m in (a, b))
        return ((a - b).square() * weights.view(1, -1, 1, 1)).sum(1)

    results = []
    for distance in (formula(first, second), _UnitDistance.apply(first, second, weights)):
        slope = torch.rand(distance.shape, generator=torch.Generator().manual_seed(1))
        (gradient,) = torch.autograd.grad(distance, first, slope)
        results.append((distance.detach(), gradient))
    assert first.numel() > 2 * _UnitDistance.PIECE
    torch.testing.assert_close(results[1][0], results[0][0])
    torch.testing.assert_close(results[1][1], results[0][1], atol=1e-5, rtol=1e-4)
