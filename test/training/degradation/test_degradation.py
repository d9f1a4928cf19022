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
from typing import Any

import cv2
import numpy as np
import pytest

from cfrnet_ros.vision.preprocessing.exposure import face_exposure_gain

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from training.data.crops import aligned, to_image, to_tensor  # noqa: E402
from training.data.manifest import read_manifest  # noqa: E402
from training.degradation import (  # noqa: E402
    SAMPLERS,
    ColourBlotches,
    ColourCast,
    CutShadows,
    Degradation,
    DegradationBatch,
    Enlarge,
    Fusion,
    GaussianBlur,
    Glare,
    Grey,
    Jpeg,
    LowLight,
    Mosaic,
    MotionBlur,
    MotionPath,
    Noise,
    Shift,
    Shrink,
    Step,
    Video,
    clean_plan,
    degrade,
    expose_batch,
    exposure_gains,
    jpeg,
    normal_field,
    sample,
    targets,
)
from training.degradation import batch as batch_module  # noqa: E402
from training.tools import show_degradations as show  # noqa: E402

#: One of each operator, and pairs where one alone cannot stand.
OPERATORS: dict[str, tuple[Step, ...]] = {
    'gaussian': (GaussianBlur(3.0, 1.5, 0.4),),
    'slight gaussian': (GaussianBlur(0.8, 0.8, 0.0),),
    'motion': (MotionBlur(12.0, 0.7),),
    'motion path': (MotionPath(14.0, 2.3, 0.8, -0.6),),
    'cast': (ColourCast(0.5, 1.1, 1.0, 0.9),),
    'shadows': (CutShadows(0.05),),
    'blotches': (ColourBlotches(0.04, 8, 5),),
    'shift': (Shift(2.0, -3.0),),
    'shrink': (Shrink(3.3, 'bicubic'), Enlarge('bicubic')),
    'noise': (Noise(0.06, 5),),
    'grain': (Noise(0.06, 5, correlated=True, colourless=True),),
    'low light': (LowLight(0.2, 1e-3, 2e-3, 5),),
    'grey': (Grey((0.5, 0.3, 0.2)),),
    'glare': (Glare(0.3, 0.2, 0.5, 0.3, 0.1, 0.2, 0.5, 0.02, 0.2, 5),),
    'jpeg': (Jpeg(30),),
    'video': (Video(34, 4, -2, 0.05),),
    'key picture': (Video(34, key=True),),
    'mosaic': (Mosaic(16),),
    'camera': (Shrink(2.4), LowLight(0.3, 1e-3, 1e-3, 9), Video(30, 2, 2), Enlarge()),
    'low blur': (Shrink(2.0, 'bilinear'), GaussianBlur(2.0, 1.0, 0.3), Jpeg(50), Enlarge()),
}


@pytest.fixture(scope='module')
def face(faces: Path) -> Any:
    return to_tensor(aligned(read_manifest(faces, 'test')[0]))


def drawn(name: str, count: int) -> list[Degradation]:
    return [SAMPLERS[name](np.random.default_rng(seed)) for seed in range(count)]


def distance(first: Any, second: Any) -> float:
    return float((first - second).abs().mean())


def alike(first: Any, second: Any) -> bool:
    """Whether two images are equal but for rounding and what a coder decides by it here and there.

    Other noise would make them ten times as different.
    """
    return distance(first, second) < 1e-3


@pytest.mark.parametrize('name', sorted(SAMPLERS))
def test_every_set_degrades_and_repeats_itself_exactly(face: Any, name: str) -> None:
    for plan in drawn(name, 12):
        first = plan(face)
        assert first.shape == face.shape
        assert float(first.min()) >= 0.0
        assert float(first.max()) <= 1.0
        assert torch.equal(first, plan(face))
        assert distance(first, face) > 1e-3


@pytest.mark.parametrize('name', sorted(OPERATORS))
def test_each_operator_changes_the_face_and_keeps_the_range(face: Any, name: str) -> None:
    result = Degradation(OPERATORS[name])(face)
    assert result.shape == face.shape
    assert 0.0 <= float(result.min()) <= float(result.max()) <= 1.0
    assert distance(result, face) > 3e-3


def test_the_same_seed_draws_the_same_plan() -> None:
    shares = {'general': 0.5, 'car': 0.5}
    for seed in range(8):
        one, two = (sample(np.random.default_rng(seed), shares) for _ in range(2))
        assert one == two
        assert pickle.loads(pickle.dumps(one)) == one
    assert len({repr(plan) for plan in drawn('general', 30)}) == 30


@pytest.mark.parametrize('side', [256, 128, 100])
@pytest.mark.parametrize('name', ['general', 'car', 'fused', 'low_light', 'motion'])
def test_a_face_is_degraded_alike_in_any_batch(face: Any, name: str, side: int) -> None:
    plans = [*drawn(name, 14), clean_plan(), Degradation((Mosaic(16),))]
    crop = face[..., :side, :side]
    together = degrade(crop.expand(len(plans), -1, -1, -1), plans)
    part = degrade(crop.expand(5, -1, -1, -1), plans[3:8])
    assert alike(part, together[3:8])
    for image, plan in zip(together, plans):
        assert alike(image, plan(crop)[0])
    assert torch.equal(together[-2], crop[0])


def test_large_groups_give_what_small_ones_do(face: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plans = [*drawn('general', 12), *drawn('car', 12)]
    images = face[..., :128, :128].expand(len(plans), -1, -1, -1)
    small = degrade(images, plans)
    # As a GPU takes them: whole groups, on two sizes of canvas.
    monkeypatch.setattr(batch_module, 'CPU_CHUNK', 10**9)
    monkeypatch.setattr(batch_module, 'CPU_CANVASES', batch_module.GPU_CANVASES)
    large = degrade(images, plans)
    # A value that lies between two codes may be rounded to the other one, here and there.
    assert distance(small, large) < 2e-3


def test_calls_do_not_grow_with_the_batch() -> None:
    few = DegradationBatch(drawn('car', 32)).calls
    many = DegradationBatch(drawn('car', 256)).calls
    assert len(many) <= len(few) + 8
    assert sum(len(call.members) for call in many) == sum(
        len(plan.steps) for plan in drawn('car', 256)
    )


@pytest.mark.parametrize('name', sorted(OPERATORS))
def test_gradients_reach_the_image_through_every_operator(face: Any, name: str) -> None:
    image = face.clone().requires_grad_()
    Degradation(OPERATORS[name])(image).square().mean().backward()
    assert image.grad is not None
    assert torch.isfinite(image.grad).all()
    assert float(image.grad.abs().max()) > 0.0


def test_gradients_of_a_batch_are_those_of_its_faces(face: Any) -> None:
    plans = drawn('general', 6)
    crop = face[..., :128, :128]
    together = crop.repeat(6, 1, 1, 1).requires_grad_()
    degrade(together, plans).square().sum().backward()
    for index, plan in enumerate(plans):
        alone = crop.clone().requires_grad_()
        plan(alone).square().sum().backward()
        assert torch.allclose(alone.grad[0], together.grad[index], rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize('quality', [20, 50, 90])
def test_jpeg_agrees_with_libjpeg(face: Any, quality: int) -> None:
    image = to_image(face)
    packed = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    reference = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    ours = to_image(jpeg(to_tensor(image), quality))
    assert reference is not None
    # Far closer to libjpeg's result than either is to the original.
    assert cv2.PSNR(ours, reference) > cv2.PSNR(image, reference) + 5.0


@pytest.mark.parametrize(('qp', 'key'), [(26, True), (34, True), (26, False), (34, False)])
def test_video_is_as_far_from_the_face_as_x264_is(qp: int, key: bool) -> None:
    pytest.importorskip('av', reason='the comparison with x264 needs PyAV: pip install av')
    from training.experiments.compare_codec import encoded, figures, filmed, modelled

    picture = show.astronaut()
    real = encoded([picture] if key else filmed(picture, 1), qp)[-1]
    ours = modelled(picture, Video(qp, key=True) if key else Video(qp, 4, 2, 0.05))
    theirs, mine = figures(real, picture), figures(ours, picture)
    assert mine[0] == pytest.approx(theirs[0], abs=1.5)
    assert mine[1] == pytest.approx(theirs[1], abs=0.03)
    # Both lose the same things: they are nearer to each other than chance would have it.
    assert cv2.PSNR(ours, real) > min(mine[0], theirs[0]) - 1.0


def test_a_higher_qp_loses_more(face: Any) -> None:
    lost = [distance(Degradation((Video(qp, 2, 2, 0.05),))(face), face) for qp in (20, 28, 36, 44)]
    assert lost == sorted(lost)
    assert lost[-1] > 2.0 * lost[0]


def test_infrared_has_no_colour_in_input_or_truth(face: Any) -> None:
    plans = drawn('car', 40)
    images = face[..., :64, :64].expand(40, -1, -1, -1)
    degraded, truth = degrade(images, plans), targets(images, plans)
    infrared = ['infrared' in plan.names for plan in plans]
    assert 5 < sum(infrared) < 30
    for index, grey in enumerate(infrared):
        for image in (degraded[index], truth[index]):
            assert (float((image - image[:1]).abs().max()) < 1e-5) == grey
        assert torch.allclose(truth[index], plans[index].truth(images[:1])[0])
        assert grey or torch.equal(truth[index], images[index])


@pytest.mark.parametrize(
    'step',
    [OPERATORS[name] for name in ('gaussian', 'motion', 'motion path', 'low blur')],
)
def test_blurring_keeps_brightness_and_place(step: tuple[Step, ...]) -> None:
    dot = torch.zeros(1, 3, 96, 96)
    dot[:, :, 46:50, 46:50] = 0.5
    blurs = tuple(s for s in step if not isinstance(s, Jpeg))
    spread = Degradation(blurs)(dot)
    assert float(spread.sum()) == pytest.approx(float(dot.sum()), rel=5e-3)
    axis = torch.arange(96.0)
    plane = spread[0, 0] / spread[0, 0].sum()
    assert float((plane.sum(dim=0) * axis).sum()) == pytest.approx(47.5, abs=0.1)
    assert float((plane.sum(dim=1) * axis).sum()) == pytest.approx(47.5, abs=0.1)


def test_blurring_mirrors_at_the_border() -> None:
    even = torch.full((1, 3, 64, 64), 0.4)
    for name in ('gaussian', 'slight gaussian', 'motion', 'motion path', 'low blur'):
        assert distance(Degradation(OPERATORS[name])(even), even) < 2e-3


def test_motion_blurs_along_its_direction_only() -> None:
    stripes = (torch.arange(64) // 4 % 2).float().expand(1, 3, 64, 64)
    along = Degradation((MotionBlur(11.0, np.pi / 2),))(stripes)
    across = Degradation((MotionBlur(11.0, 0.0),))(stripes)
    assert distance(along, stripes) < 1e-3
    assert distance(across, stripes) > 0.2


@pytest.mark.parametrize('side', [61, 100, 256])
def test_shrinking_averages_areas_as_opencv_does(face: Any, side: int) -> None:
    image = np.ascontiguousarray(face[0].permute(1, 2, 0).numpy())
    expected = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    shrunken = Shrink.resize(face, [Shrink(256 / side)], [(side, side)], (256, 256))
    result = shrunken[0, :, :side, :side].permute(1, 2, 0).numpy()
    assert np.abs(result - expected).max() < 1e-4


@pytest.mark.parametrize('name', ['bilinear', 'bicubic'])
def test_resizing_agrees_with_pytorch(face: Any, name: str) -> None:
    options = {'mode': name, 'align_corners': False}
    low = torch.nn.functional.interpolate(face, size=(87, 87), antialias=True, **options)
    expected = torch.nn.functional.interpolate(low.clamp(0, 1), size=(256, 256), **options)
    result = Degradation((Shrink(256 / 87, name), Enlarge(name)))(face)
    assert torch.allclose(result, expected.clamp(0, 1), atol=1e-5)


def test_noise_is_normal_white_and_independent() -> None:
    field = normal_field([Noise(1.0, seed) for seed in range(8)], torch.zeros(1), 0, 0, 128, 128)
    assert float(field.mean()) == pytest.approx(0.0, abs=0.01)
    assert float(field.std()) == pytest.approx(1.0, abs=0.01)
    assert float(field.pow(4).mean()) == pytest.approx(3.0, abs=0.1)
    neighbours = (
        field[..., 1:] * field[..., :-1],
        field[..., 1:, :] * field[..., :-1, :],
        field[..., 2:, :] * field[..., :-2, :],
        field[:, 1:] * field[:, :-1],
        field[1:] * field[:-1],
    )
    for product in neighbours:
        assert float(product.mean()) == pytest.approx(0.0, abs=0.01)


def test_a_window_of_the_noise_field_is_the_same_noise() -> None:
    steps = [Noise(1.0, 3), Noise(1.0, 4, colourless=True)]
    whole = normal_field(steps, torch.zeros(1), -4, -4, 41, 53)
    part = normal_field(steps[1:], torch.zeros(1), 0, 0, 20, 30)
    assert torch.equal(part[0], whole[1, :, 4:24, 4:34])
    assert torch.equal(part[:, 0], part[:, 2])
    assert not torch.equal(whole[0, 0], whole[0, 1])


def test_noise_has_the_strength_that_was_asked_for() -> None:
    even = torch.full((1, 3, 128, 128), 0.5)
    noisy = Degradation((Noise(0.05, 1),))(even)
    assert float((noisy - even).std()) == pytest.approx(0.05, rel=0.03)
    step = LowLight(0.25, shot=2e-3, read=3e-3, seed=1)
    linear = Degradation((step,))(even).pow(2.2)
    signal = 0.5**2.2 * 0.25
    assert float(linear.mean()) == pytest.approx(signal, rel=0.01)
    assert float(linear.std()) == pytest.approx((2e-3 * signal + 9e-6) ** 0.5, rel=0.05)


def test_glare_only_adds_light_and_spares_white(face: Any) -> None:
    result = Degradation(OPERATORS['glare'])(face)
    assert float((result - face).min()) > -1e-6
    white = torch.ones_like(face)
    assert torch.equal(Degradation(OPERATORS['glare'])(white), white)
    black = Degradation((Glare(0.5, 0.5, 0.2, 0.4),))(torch.zeros(1, 3, 65, 65))
    assert float(black[0, 0, 32, 32]) == pytest.approx(0.4, abs=1e-4)
    assert float(black[0, 0, 0, 0]) < 0.02


def test_mosaic_blocks_hold_their_mean(face: Any) -> None:
    result = Degradation((Mosaic(16),))(face)
    assert torch.allclose(
        result[0, :, 16:32, 48:64].mean((1, 2)), face[0, :, 16:32, 48:64].mean((1, 2))
    )
    assert float(result[0, :, 16:32, 48:64].std(dim=(1, 2)).max()) < 1e-6


@pytest.mark.parametrize('side', [256, 128, 100])
def test_exposure_is_the_nodes(face: Any, side: int) -> None:
    crop = face[..., :side, :side]
    images = torch.cat([(crop * share * 255).round() / 255 for share in (1, 0.6, 0.45, 0.3, 0.1)])
    gains = exposure_gains(images).flatten()
    assert float(gains.max()) > 2.0
    for image, gain in zip(images, gains):
        assert float(gain) == pytest.approx(face_exposure_gain(to_image(image)), rel=0.01)
    exposed = expose_batch(images)
    assert torch.allclose(exposed, (images * gains.view(-1, 1, 1, 1)).clamp(0, 1))


def test_sets_stay_within_their_ranges() -> None:
    kinds: dict[str, int] = {}
    for plan in [*drawn('general', 600), *drawn('car', 300)]:
        for step in plan.steps:
            kinds[step.kind] = kinds.get(step.kind, 0) + 1
            if isinstance(step, Jpeg):
                assert 15 <= step.quality <= 90
            elif isinstance(step, Video):
                assert 24 <= step.qp <= 40
            elif isinstance(step, Noise):
                assert 1 / 255 <= step.sigma <= 30 / 255
            elif isinstance(step, LowLight):
                assert 0.06 <= step.gain <= 0.5
            elif isinstance(step, Shrink):
                assert 1.0 <= step.factor <= 6.0
    general = drawn('general', 600)
    video = sum(any(isinstance(s, Video) for s in plan.steps) for plan in general)
    still = sum(any(isinstance(s, Jpeg) for s in plan.steps) for plan in general)
    assert 0.15 < video / 600 < 0.25
    assert 0.52 < still / 600 < 0.68
    assert set(kinds) == {
        'blur', 'down', 'up', 'noise', 'jpeg', 'video', 'low light', 'glare', 'grey'
    }  # fmt: skip


def test_names_tell_what_is_done() -> None:
    assert Degradation(OPERATORS['camera']).names == ('down', 'low light', 'video')
    assert clean_plan() == Degradation(steps=(), names=('clean',))


def test_bad_parameters_are_refused(face: Any) -> None:
    for make in (
        lambda: Jpeg(0),
        lambda: Video(52),
        lambda: Video(30, right=3),
        lambda: Noise(-0.1, 1),
        lambda: Noise(0.1, -1),
        lambda: LowLight(0.0, 1e-3, 1e-3, 1),
        lambda: Shrink(0.5),
        lambda: Shrink(2.0, 'lanczos'),
        lambda: Enlarge('area'),
        lambda: GaussianBlur(0.0, 1.0, 0.0),
        lambda: MotionBlur(0.0, 0.0),
        lambda: MotionPath(0.0, 0.0),
        lambda: MotionPath(9.0, 0.0, bend=4.0),
        lambda: MotionPath(9.0, 0.0, pace=1.0),
        lambda: ColourCast(1.2, 1.0, 1.0, 1.0),
        lambda: ColourCast(0.5, 0.0, 1.0, 1.0),
        lambda: CutShadows(0.7),
        lambda: ColourBlotches(0.1, 1, 1),
        lambda: Fusion(0, 0.2, 1.0, 0.1, 1),
        lambda: Fusion(4, 0.0, 1.0, 0.1, 1),
        lambda: Fusion(4, 0.2, 1.0, -0.1, 1),
        lambda: Mosaic(0),
        lambda: Glare(0.5, 0.5, 0.5, 1.5),
        lambda: Degradation((Enlarge(),)),
        lambda: Degradation((Shrink(2.0), Jpeg(50))),
        lambda: degrade(face, [clean_plan(), clean_plan()]),
        lambda: degrade(face[0], [clean_plan()]),
    ):
        with pytest.raises(ValueError, match=r'.{20}'):
            make()


def test_the_sheet_shows_every_operator() -> None:
    picture = show.sheet(show.astronaut(), across=4)
    assert picture.shape == (12 * 274, 4 * 256, 3)
    tiles = [picture[:256, 256 * i : 256 * (i + 1)] for i in range(4)]
    assert all(np.abs(tiles[0].astype(int) - tile).mean() > 1.0 for tile in tiles[1:])


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_a_gpu_gives_what_a_cpu_does(face: Any) -> None:
    plans = [*drawn('general', 8), *drawn('car', 8)]
    images = face.expand(16, -1, -1, -1)
    first = degrade(images.cuda(), plans)
    assert torch.equal(first, degrade(images.cuda(), plans))
    assert distance(first.cpu(), degrade(images, plans)) < 2e-3
