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

"""The eye guard: eyes that came out of restoration more open or shut than they went in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import Frame

from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.engine.models import resolve_model
from cfrnet_ros.vision.engine.providers import ProviderChoice
from cfrnet_ros.vision.errors import ModelError
from cfrnet_ros.vision.pipeline import FacePipeline, PipelineSettings
from cfrnet_ros.vision.preprocessing.align import align_face
from cfrnet_ros.vision.quality.eye_guard import EyeGuard, certain_change
from cfrnet_ros.vision.quality.eye_openness import EyeOpenness, EyeOpennessMeter
from cfrnet_ros.vision.quality.eye_patches import eye_patches
from cfrnet_ros.vision.quality.face_quality import EYES
from cfrnet_ros.vision.restoration.restorer import Restorer
from cfrnet_ros.vision.stages import Stage
from cfrnet_ros.vision.tracking.tracker import FaceTracker
from cfrnet_ros.vision.types import Restoration
from demo.eyelids import close_eyes

SETTINGS = PipelineSettings(cycles=2, fusion=0.0, temporal_smoothing=0.0)


def eyes(ratios: tuple[float, float], sigmas: tuple[float, float] = (0.01, 0.01)) -> EyeOpenness:
    return EyeOpenness(np.array(ratios, np.float32), np.array(sigmas, np.float32))


def noisy(frame: Frame, sigma: float = 12.0) -> Frame:
    noise = np.random.default_rng(3).normal(0.0, sigma, frame.shape)
    return np.clip(frame + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope='module')
def restorer(cpu: ProviderChoice) -> Restorer:
    return Restorer(resolve_model('auto'), cpu, threads=1)


@pytest.fixture(scope='module')
def meter() -> EyeOpennessMeter:
    return EyeOpennessMeter()


class Aligned:
    """The portrait with open and with shut eyes, in crops by one alignment."""

    def __init__(self, portrait: Frame, detector: YuNetDetector) -> None:
        self._landmarks = detector.detect(portrait, 0.6)[0].landmarks
        self._portrait = portrait

    def crop(self, openness: float, size: int = 256, margin: float = 1.0) -> Frame:
        return self.cut(close_eyes(self._portrait, openness), size, margin)

    def cut(self, frame: Frame, size: int = 256, margin: float = 1.0) -> Frame:
        return align_face(frame, self._landmarks, size, margin=margin)[0]

    def noisy_crop(self, openness: float) -> Frame:
        return self.cut(noisy(close_eyes(self._portrait, openness)))


@pytest.fixture(scope='module')
def face(portrait: Frame, detector: YuNetDetector) -> Aligned:
    return Aligned(portrait, detector)


def test_what_is_measured_within_the_noise_is_no_change() -> None:
    before = eyes((0.3, 0.3), (0.1, 0.1))
    assert certain_change(before, eyes((0.2, 0.4), (0.1, 0.1))) == 0.0
    sure = eyes((0.3, 0.3), (0.0, 0.0))
    assert certain_change(sure, eyes((0.1, 0.25), (0.0, 0.0))) == pytest.approx(-0.2)
    assert certain_change(eyes((0.05, 0.05)), eyes((0.1, 0.35))) == pytest.approx(0.286, abs=1e-3)


def test_one_eye_that_changed_is_enough() -> None:
    wink = certain_change(eyes((0.3, 0.3)), eyes((0.3, 0.02)))
    assert wink == pytest.approx(-0.266, abs=1e-3)


def test_a_drawn_lid_lowers_the_openness(face: Aligned, meter: EyeOpennessMeter) -> None:
    found = meter.measure([face.crop(openness) for openness in (1.0, 0.5, 0.0)])
    open_eyes, half, shut = (float(one.ratio.mean()) for one in found)
    assert open_eyes > half + 0.04 > shut + 0.08
    assert all((one.sigma > 0).all() for one in found)


def test_a_bad_picture_is_known_to_be_bad(face: Aligned, meter: EyeOpennessMeter) -> None:
    crop = face.crop(1.0)
    blurred = np.asarray(cv2.GaussianBlur(crop, (0, 0), 8.0), np.uint8)
    good, bad = meter.measure([crop, blurred])
    assert bad.sigma.mean() > 1.5 * good.sigma.mean()


@pytest.mark.parametrize(('size', 'margin'), [(512, 1.0), (256, 1.5), (128, 1.0)])
def test_crops_of_another_size_or_margin_show_the_same_eyes(
    face: Aligned, size: int, margin: float
) -> None:
    usual, other = (
        eye_patches(crop, margin=scale).astype(float)
        for crop, scale in ((face.crop(1.0), 1.0), (face.crop(1.0, size, margin), margin))
    )
    for one, same in zip(usual, other):
        assert np.corrcoef(one.ravel(), same.ravel())[0, 1] > 0.95


def test_the_right_eye_is_mirrored(face: Aligned) -> None:
    crop = face.crop(1.0)
    patches, mirrored = eye_patches(crop), eye_patches(np.ascontiguousarray(crop[:, ::-1]))
    for one, other in zip(patches, mirrored[::-1]):
        # The two eyes of the template lie at mirrored places up to a pixel.
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.9


def test_a_restored_crop_with_other_eyes_is_found(face: Aligned, restorer: Restorer) -> None:
    guard, template = EyeGuard(), restorer.card.template
    limit = PipelineSettings.max_eye_change
    crops = {openness: face.noisy_crop(openness) for openness in (0.0, 1.0)}
    restored = {openness: restorer.restore(crop, 2).crop for openness, crop in crops.items()}

    def compare(before: float, after: float) -> float:
        change = guard.compare(crops[before], restored[after], template, 1.0, limit)
        assert change.exceeded == (abs(change.change) > limit)
        return change.change

    assert compare(1.0, 0.0) < -limit
    assert compare(0.0, 1.0) > limit
    assert abs(compare(1.0, 1.0)) <= limit
    assert abs(compare(0.0, 0.0)) <= limit


class _WrongEyes(Restorer):
    """A restorer that restores another crop than the one it is given."""

    other: NDArray[np.uint8]

    def restore(self, crop: NDArray[np.uint8], cycles: int, tolerance: float = 0.0) -> Restoration:
        return super().restore(self.other, cycles, tolerance)


def test_a_face_whose_eyes_changed_is_refused_or_flagged(
    face: Aligned, portrait: Frame, detector: YuNetDetector, cpu: ProviderChoice
) -> None:
    restorer = _WrongEyes(resolve_model('auto'), cpu, threads=1)
    restorer.other = face.noisy_crop(0.0)
    pipeline = FacePipeline(detector, restorer, FaceTracker())
    frame = noisy(portrait)

    refused = pipeline.process(frame, replace(SETTINGS, eye_guard='refuse'))
    found = refused.faces[0]
    assert found.reason == EYES
    assert np.array_equal(found.crop, found.aligned)
    assert found.eyes is not None
    assert found.eyes.change < -0.1
    assert found.eyes.after < found.eyes.before
    assert refused.record.refused == {EYES: 1}
    assert refused.record.eyes_flagged == 0
    assert refused.record.stages_ms[Stage.EYES] > 0

    flagged = pipeline.process(frame, replace(SETTINGS, eye_guard='flag'))
    assert flagged.faces[0].restored
    assert not np.array_equal(flagged.faces[0].crop, flagged.faces[0].aligned)
    assert flagged.record.faces[0].eyes_flagged
    assert flagged.record.eyes_flagged == 1

    tolerated = pipeline.process(
        frame, replace(SETTINGS, eye_guard='refuse', max_eye_change=0.5)
    ).faces[0]
    assert tolerated.restored
    assert tolerated.eyes is not None
    assert not tolerated.eyes.exceeded


def test_a_guard_that_is_off_loads_and_measures_nothing(
    pipeline: FacePipeline, portrait: Frame, detector: YuNetDetector
) -> None:
    def load() -> EyeOpennessMeter:
        raise AssertionError('the network was loaded')

    off = FacePipeline(detector, pipeline.restorer, FaceTracker(), load_eye_meter=load)
    result = off.process(portrait, SETTINGS)
    assert result.faces[0].eyes is None
    assert Stage.EYES not in result.record.stages_ms
    with pytest.raises(AssertionError, match='loaded'):
        off.process(portrait, replace(SETTINGS, eye_guard='flag'))


def test_a_reused_restoration_keeps_what_the_guard_found(
    pipeline: FacePipeline, portrait: Frame
) -> None:
    settings = replace(SETTINGS, eye_guard='flag', reuse_tolerance=4.0)
    first = pipeline.process(portrait, settings)
    second = pipeline.process(portrait, settings)
    assert second.faces[0].reused
    assert second.faces[0].eyes == first.faces[0].eyes is not None
    assert Stage.EYES not in second.record.stages_ms


def test_a_missing_network_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match='set eye_guard to off'):
        EyeOpennessMeter(tmp_path / 'none.onnx')
