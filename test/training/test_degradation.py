from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from training.data import aligned, read_manifest, to_image, to_tensor  # noqa: E402
from training.degradation import (  # noqa: E402
    SAMPLERS,
    convolve,
    gaussian_kernel,
    jpeg,
    motion_kernel,
    sample,
)


@pytest.fixture(scope='module')
def face(faces: Path) -> Any:
    return to_tensor(aligned(read_manifest(faces, 'test')[0]))


@pytest.mark.parametrize('name', sorted(SAMPLERS))
def test_every_set_degrades_and_repeats_itself_exactly(face: Any, name: str) -> None:
    for seed in range(12):
        plan = SAMPLERS[name](np.random.default_rng(seed))
        first = plan(face)
        assert first.shape == face.shape
        assert float(first.min()) >= 0.0
        assert float(first.max()) <= 1.0
        assert torch.equal(first, plan(face))
        assert float((first - face).abs().mean()) > 1e-3


def test_the_same_seed_draws_the_same_degradation(face: Any) -> None:
    shares = {'general': 0.5, 'car': 0.5}
    for seed in range(8):
        one, two = (sample(np.random.default_rng(seed), shares) for _ in range(2))
        assert one.names == two.names
        assert torch.equal(one(face), two(face))


@pytest.mark.parametrize('quality', [20, 50, 90])
def test_jpeg_agrees_with_libjpeg(face: Any, quality: int) -> None:
    image = to_image(face)
    packed = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    reference = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    ours = to_image(jpeg(to_tensor(image), quality))
    assert reference is not None
    # Far closer to libjpeg's result than either is to the original.
    assert cv2.PSNR(ours, reference) > cv2.PSNR(image, reference) + 5.0


def test_gradients_reach_the_image_through_every_operator(face: Any) -> None:
    for name in SAMPLERS:
        for seed in range(6):
            image = face.clone().requires_grad_()
            SAMPLERS[name](np.random.default_rng(seed))(image).square().mean().backward()
            assert image.grad is not None
            assert torch.isfinite(image.grad).all()
            assert float(image.grad.abs().max()) > 0.0


def test_infrared_has_no_colour_in_input_or_truth(face: Any) -> None:
    plans = [SAMPLERS['car'](np.random.default_rng(seed)) for seed in range(40)]
    infrared = [plan for plan in plans if 'infrared' in plan.names]
    assert infrared
    for plan in infrared:
        for image in (plan(face), plan.truth(face)):
            assert float((image - image[:, :1]).abs().max()) < 1e-5


@pytest.mark.parametrize(
    'kernel', [gaussian_kernel(3.0, 1.5, 0.4), motion_kernel(15.0, 0.7), gaussian_kernel(1, 1, 0)]
)
def test_blurring_keeps_brightness_and_place(kernel: NDArray[np.float32]) -> None:
    dot = torch.zeros(1, 3, 65, 65)
    dot[:, :, 32, 32] = 1.0
    spread = convolve(dot, kernel)
    assert float(spread.sum()) == pytest.approx(3.0, abs=1e-3)
    axis = torch.arange(65.0)
    plane = spread[0, 0] / spread[0, 0].sum()
    assert float((plane.sum(dim=0) * axis).sum()) == pytest.approx(32.0, abs=0.02)
    assert float((plane.sum(dim=1) * axis).sum()) == pytest.approx(32.0, abs=0.02)
