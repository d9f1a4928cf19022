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

"""The shipped models restore faces, both precisions agree, and a clean face is preserved."""

from __future__ import annotations

import functools
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.data import astronaut

from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.engine.models import resolve_model, shipped_models
from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.preprocessing.align import align_face
from cfrnet_ros.vision.preprocessing.exposure import expose_face, face_exposure_gain
from cfrnet_ros.vision.restoration.restorer import Restorer

Image = NDArray[np.uint8]


@pytest.fixture(scope='module')
def clean() -> Image:
    photo = np.ascontiguousarray(astronaut()[..., ::-1])
    face = YuNetDetector(None, choose_providers('cpu'), 480).detect(photo, 0.6)[0]
    return align_face(photo, face.landmarks)[0]


@functools.cache
def load(name: str) -> Restorer:
    return Restorer(resolve_model(name), choose_providers('cpu'), 1)


@pytest.fixture(scope='module', params=['fp32', 'int8', 'plain_fp32', 'plain_int8'])
def restorer(request: pytest.FixtureRequest) -> Restorer:
    return load(request.param)


@pytest.fixture(scope='module', params=['fp32', 'int8'])
def main_restorer(request: pytest.FixtureRequest) -> Restorer:
    return load(request.param)


def noisy(image: Image) -> Image:
    rng = np.random.default_rng(1)
    low = cv2.resize(image, (110, 110), interpolation=cv2.INTER_AREA)
    grainy = np.clip(low + rng.normal(0, 14, low.shape), 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(grainy, (256, 256), interpolation=cv2.INTER_LINEAR), np.uint8)


def dark(image: Image) -> Image:
    rng = np.random.default_rng(2)
    linear = (image / 255.0) ** 2.2 * 0.15
    linear += rng.normal(0, 1, image.shape) * np.sqrt(5e-4 * linear + 1e-6)
    return np.rint(np.clip(linear, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)


def compressed(image: Image) -> Image:
    packed = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, 15])[1]
    decoded = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.asarray(decoded, np.uint8)


def test_both_precisions_ship_with_valid_cards() -> None:
    assert {'cfrnet_256_fp32', 'cfrnet_256_int8'} <= set(shipped_models())
    assert {'cfrnet_plain_256_fp32', 'cfrnet_plain_256_int8'} <= set(shipped_models())
    for name in ('fp32', 'int8', 'plain_fp32', 'plain_int8'):
        restorer = load(name)
        assert restorer.card.precision == name.removeprefix('plain_')
        assert restorer.card.iterative
        assert not restorer.card.assumed


# The default is 2; further cycles trade fidelity for sharpness, see docs/results.md. Blocks of JPEG
# are hard to distinguish from detail, so compressed faces improve least: with two cycles they are
# sharper, and hardly nearer in pixels.
@pytest.mark.parametrize(
    ('fault', 'cycles', 'gain_db'),
    [
        (noisy, 1, 2.5),
        (noisy, 2, 2.5),
        (dark, 1, 12.0),
        (dark, 2, 12.0),
        (compressed, 1, 0.5),
        (compressed, 2, 0.05),
    ],
)
def test_a_degraded_face_comes_closer_to_the_truth(
    restorer: Restorer,
    clean: Image,
    fault: Callable[[Image], Image],
    cycles: int,
    gain_db: float,
) -> None:
    spoilt = fault(clean)
    restored = restorer.restore(spoilt, cycles).crop
    assert cv2.PSNR(restored, clean) > cv2.PSNR(spoilt, clean) + gain_db


@pytest.mark.parametrize('fault', [noisy, dark, compressed])
@pytest.mark.parametrize('network', ['', 'plain_'])
def test_int8_output_is_close_to_fp32(
    network: str, clean: Image, fault: Callable[[Image], Image]
) -> None:
    spoilt = fault(clean)
    fp32, int8 = (
        load(f'{network}{precision}').restore(spoilt, 2).crop for precision in ('fp32', 'int8')
    )
    # The outputs are far closer to each other than either is to the input.
    assert cv2.PSNR(int8, fp32) > 30.0


def test_a_clean_face_is_preserved(restorer: Restorer, clean: Image) -> None:
    assert cv2.PSNR(restorer.restore(clean, 1).crop, clean) > 32.0


def test_residuals_decrease_with_each_cycle(main_restorer: Restorer, clean: Image) -> None:
    residuals = main_restorer.restore(dark(clean), 4).residuals
    assert residuals[0] > 4 * residuals[1]
    assert residuals[3] < residuals[0] / 4


@pytest.mark.parametrize('precision', ['fp32', 'int8'])
def test_residuals_of_the_plain_network_decrease_more_slowly(precision: str, clean: Image) -> None:
    residuals = load(f'plain_{precision}').restore(dark(clean), 4).residuals
    assert residuals[0] > 2.5 * residuals[1]
    assert residuals[3] < residuals[0] / 4


@pytest.mark.parametrize('cycles', [1, pytest.param(3, marks=pytest.mark.slow), 8])
def test_a_grey_face_stays_grey(restorer: Restorer, clean: Image, cycles: int) -> None:
    gray = cv2.cvtColor(noisy(clean), cv2.COLOR_BGR2GRAY)
    restored = restorer.restore(np.dstack([gray] * 3), cycles).crop
    assert (restored == restored[..., :1]).all()
    # The face is restored, not passed on unchanged.
    truth = cv2.cvtColor(cv2.cvtColor(clean, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    if cycles == 1:
        assert cv2.PSNR(restored, truth) > cv2.PSNR(np.dstack([gray] * 3), truth) + 1.0


def test_a_face_with_little_colour_keeps_its_colour(restorer: Restorer, clean: Image) -> None:
    gray = np.dstack([cv2.cvtColor(noisy(clean), cv2.COLOR_BGR2GRAY)] * 3)
    faint = np.rint(gray + 0.15 * (noisy(clean).astype(np.float64) - gray)).astype(np.uint8)
    restored = restorer.restore(faint, 2).crop
    assert np.ptp(restored.astype(np.int16), axis=2).mean() > 1.0


def test_only_underexposed_faces_are_brightened(clean: Image) -> None:
    # Dark skin in good light has a low mean, but bright highlights.
    toned = np.rint(255 * (clean / 255.0) ** 2.0).astype(np.uint8)
    for face in (clean, toned):
        assert face_exposure_gain(face) < 1.25
    assert face_exposure_gain(dark(clean)) > 1.8
    assert expose_face(dark(clean)).mean() > 1.8 * dark(clean).mean()


def test_restoration_depends_on_distant_parts_of_the_face(
    main_restorer: Restorer, clean: Image
) -> None:
    """The output must depend on more than the neighbourhood of each pixel.

    In weights whose strides 4 and 8 had become inactive in training, nothing differed at a
    distance of 40 pixels from a change; such a network would not need two million parameters.
    """
    spoilt = compressed(np.asarray(cv2.GaussianBlur(clean, (0, 0), 2.0), np.uint8))
    alone = np.full_like(spoilt, 128)
    alone[80:176, 80:176] = spoilt[80:176, 80:176]
    whole, part = (
        main_restorer.restore(image, 1).crop[120:136, 120:136] for image in (spoilt, alone)
    )
    assert cv2.absdiff(whole, part).mean() > 0.1
