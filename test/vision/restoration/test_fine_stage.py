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

"""Large crops are restored at the model's own size, and refined at full size if time allows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from onnx_models import scale_model
from pictures import Frame

from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.engine.models import resolve_model
from cfrnet_ros.vision.engine.providers import ProviderChoice
from cfrnet_ros.vision.errors import ModelError
from cfrnet_ros.vision.pipeline import FacePipeline, PipelineSettings
from cfrnet_ros.vision.preprocessing.align import align_face
from cfrnet_ros.vision.restoration.budget import UP_AFTER, CycleBudget
from cfrnet_ros.vision.restoration.fine_stage import TwoStageRestorer, fine_detail
from cfrnet_ros.vision.restoration.restorer import Restorer
from cfrnet_ros.vision.stages import Stage
from cfrnet_ros.vision.tracking.tracker import FaceTracker


def reduced(crop: Frame) -> Frame:
    side = crop.shape[0] // 2
    return np.asarray(cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


@pytest.fixture
def staged(tmp_path: Path, cpu: ProviderChoice) -> TwoStageRestorer:
    """Return a restorer of 128 px crops that halves the brightness in each cycle at either size."""
    path = scale_model(tmp_path / 'm.onnx', 0.5, size=64)
    staged = TwoStageRestorer(Restorer(path, cpu, 1), Restorer(path, cpu, 1, 128))
    staged.warm_up()
    return staged


@pytest.fixture
def pipeline(staged: TwoStageRestorer, detector: YuNetDetector) -> FacePipeline:
    return FacePipeline(detector, staged, FaceTracker())


def test_the_shipped_model_restores_at_512_in_both_stages(
    cpu: ProviderChoice, detector: YuNetDetector, portrait: Frame
) -> None:
    model = resolve_model('auto')
    coarse = Restorer(model, cpu, 1)
    staged = TwoStageRestorer(coarse, Restorer(model, cpu, 1, 512))
    crop, _ = align_face(portrait, detector.detect(portrait)[0].landmarks, 512)
    first = staged.restore(crop, 2)
    assert (first.crop.shape, first.cycles, first.fine) == ((512, 512, 3), 2, False)
    # At 256 px the coarse stage shows what the model makes of a crop of 256 px.
    small = coarse.restore(reduced(crop), 2).crop
    assert cv2.PSNR(reduced(first.crop), small) > 35
    second = staged.refine(first)
    assert (second.crop.shape, second.cycles, second.fine) == ((512, 512, 3), 2, True)
    assert len(second.fine_ms) == 1
    assert np.abs(second.crop.astype(int) - first.crop).mean() > 0.3
    # A good face is preserved.
    assert cv2.PSNR(second.crop, crop) > 20


def test_the_coarse_stage_runs_the_cycles_and_the_fine_stage_one_more(
    staged: TwoStageRestorer,
) -> None:
    crop = np.full((128, 128, 3), 200, np.uint8)
    first = staged.restore(crop, 2)
    assert np.abs(first.crop.astype(int) - 50).max() <= 1
    second = staged.refine(first)
    assert np.abs(second.crop.astype(int) - 25).max() <= 1
    assert staged.fine_ratio > 0
    with pytest.raises(ValueError, match=r'must be \(128, 128, 3\) uint8'):
        staged.restore(reduced(crop), 1)


def test_sharp_detail_above_the_models_size_is_added_and_noise_is_not() -> None:
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 4, (512, 512, 3))
    noisy = np.clip(128 + noise, 0, 255).astype(np.uint8)
    whole = noisy.astype(np.float32) - cv2.resize(reduced(noisy), (512, 512), interpolation=2)
    assert np.square(fine_detail(noisy, reduced(noisy))).mean() < 0.1 * np.square(whole).mean()
    lines = noisy.copy()
    lines[240:270:2, 100:400] = 30
    detail = fine_detail(lines, reduced(lines))
    there = lines.astype(np.float32) - cv2.resize(reduced(lines), (512, 512), interpolation=2)
    area = (slice(244, 266), slice(110, 390))
    assert np.abs(detail[area] - there[area]).mean() < 0.1 * np.abs(there[area]).mean()


def test_detail_of_an_underexposed_crop_is_brightened_like_its_coarse_part(
    tmp_path: Path, cpu: ProviderChoice
) -> None:
    path = scale_model(tmp_path / 'm.onnx', 1.0, size=64)
    coarse, fine = Restorer(path, cpu, 1), Restorer(path, cpu, 1, 128)
    for restorer in (coarse, fine):
        restorer.card = replace(restorer.card, expose=True)
    staged = TwoStageRestorer(coarse, fine)
    crop = np.full((128, 128, 3), 50, np.uint8)
    crop[60:68:2] = 20
    first = staged.restore(crop, 1)
    assert np.abs(first.crop[20:40].astype(int) - 200).max() <= 2
    assert np.ptp(first.crop[62:66, 64, 1].astype(int)) > 90
    # The result is not brightened a second time.
    assert np.array_equal(staged.refine(first).crop, first.crop)


def test_models_that_cannot_be_refined_are_refused(tmp_path: Path, cpu: ProviderChoice) -> None:
    once = scale_model(tmp_path / 'once.onnx', 0.5, size=64, iterative=False)
    with pytest.raises(ModelError, match=r'once only.*set fine_stage to false'):
        TwoStageRestorer(Restorer(once, cpu), Restorer(once, cpu, size=128))
    large = scale_model(tmp_path / 'large.onnx', 0.5, size=128)
    with pytest.raises(ModelError, match=r'128 px already.*set fine_stage to false'):
        TwoStageRestorer(Restorer(large, cpu), Restorer(large, cpu, size=128))


def test_interruption_ends_both_stages(staged: TwoStageRestorer) -> None:
    crop = np.full((128, 128, 3), 200, np.uint8)
    first = staged.restore(crop, 1)
    staged.interrupt()
    with pytest.raises(ModelError):
        staged.restore(crop, 1)
    with pytest.raises(ModelError):
        staged.refine(first)


def test_without_a_budget_every_face_of_the_pipeline_is_refined(
    pipeline: FacePipeline, two_faces: Frame
) -> None:
    result = pipeline.process(two_faces, PipelineSettings(cycles=1, fusion=0.0))
    assert [face.crop.shape for face in result.faces] == [(128, 128, 3)] * 2
    for face in result.faces:
        # Halved once at either size, but for what is lost by scaling.
        assert np.abs(face.crop.astype(float) - face.aligned * 0.25).mean() < 4
    assert (result.record.fine, result.record.cycles_used) == (2, 1)
    assert [face.fine for face in result.record.faces] == [True, True]
    assert result.record.stages_ms[Stage.FINE] > 0


def test_a_budget_that_is_too_small_leaves_the_coarse_stage(
    pipeline: FacePipeline, portrait: Frame
) -> None:
    settings = PipelineSettings(cycles=1, latency_budget_ms=0.01)
    results = [pipeline.process(portrait, settings) for _ in range(UP_AFTER + 5)]
    assert {result.record.fine for result in results} == {0}
    assert all(Stage.FINE not in result.record.stages_ms for result in results)
    assert results[-1].faces[0].crop.shape == (128, 128, 3)


def test_a_generous_budget_brings_the_fine_stage_and_keeps_it(
    pipeline: FacePipeline, portrait: Frame
) -> None:
    settings = PipelineSettings(cycles=1, latency_budget_ms=30000.0)
    fine = [pipeline.process(portrait, settings).record.fine for _ in range(UP_AFTER + 8)]
    assert fine[0] == 0
    assert fine[-3:] == [1, 1, 1]
    assert fine == sorted(number or 0 for number in fine)


def test_a_reused_restoration_says_whether_it_was_refined_and_costs_nothing(
    pipeline: FacePipeline, portrait: Frame
) -> None:
    settings = PipelineSettings(cycles=1, reuse_tolerance=64.0)
    first = pipeline.process(portrait, settings)
    again = pipeline.process(portrait, settings)
    assert again.record.reused == 1
    assert again.record.faces[0].fine is True
    assert Stage.FINE not in again.record.stages_ms
    assert np.abs(again.faces[0].crop.astype(int) - first.faces[0].crop).mean() < 1
    # A coarse restoration is not shown in place of a refined one, nor the other way round.
    limited = pipeline.process(portrait, replace(settings, latency_budget_ms=0.01))
    assert (limited.record.reused, limited.record.fine) == (0, 0)


def test_the_guards_judge_the_refined_crop(
    cpu: ProviderChoice, detector: YuNetDetector, portrait: Frame
) -> None:
    model = resolve_model('auto')
    staged = TwoStageRestorer(Restorer(model, cpu, 1), Restorer(model, cpu, 1, 512))
    pipeline = FacePipeline(detector, staged, FaceTracker())
    settings = PipelineSettings(cycles=1, max_identity_drift=180.0, eye_guard='flag')
    face = pipeline.process(portrait, settings).faces[0]
    assert (face.crop.shape, face.restoration.fine) == ((512, 512, 3), True)
    assert face.identity_drift_deg is not None
    assert face.identity_drift_deg > 1
    assert face.eyes is not None
    # A refused face is passed on as the camera saw it, and the time of its fine stage counts.
    strict = pipeline.process(portrait, replace(settings, max_identity_drift=0.01))
    assert strict.faces[0].reason == 'identity_drift'
    assert np.array_equal(strict.faces[0].crop, strict.faces[0].aligned)
    assert strict.faces[0].restoration.fine_ms
    assert strict.record.stages_ms[Stage.FINE] > 0


def test_strength_mixes_the_refined_crop_with_the_one_before_the_network(
    pipeline: FacePipeline, portrait: Frame
) -> None:
    settings = PipelineSettings(cycles=1, strength=0.0)
    face = pipeline.process(portrait, settings).faces[0]
    assert face.restoration.fine
    assert np.array_equal(face.crop, face.aligned)


def test_without_a_fine_stage_nothing_is_said_of_it(
    tmp_path: Path, cpu: ProviderChoice, detector: YuNetDetector, portrait: Frame
) -> None:
    restorer = Restorer(scale_model(tmp_path / 'm.onnx', 0.5, size=64), cpu, 1)
    record = FacePipeline(detector, restorer, FaceTracker()).process(portrait, PipelineSettings())
    assert record.record.fine is None
    assert Stage.FINE not in record.record.stages_ms


def play(budget: CycleBudget, frames: int, cycle_ms: float, limit_ms: float) -> list[bool]:
    """Run frames with two cycles and a fine stage of four; return whether it ran in each."""
    ran = []
    for _ in range(frames):
        cycles = budget.allow(2, 1, limit_ms)
        fine = budget.allow_fine(cycles, 2, 1, limit_ms)
        ran.append(fine)
        budget.observe([cycle_ms] * cycles, 5.0, 5.0, [4 * cycle_ms] if fine else [])
    return ran


def test_the_fine_stage_gets_what_all_cycles_leave() -> None:
    # 10 ms, two cycles of 10 ms and the fine stage of 40 ms are 70 ms, 80 with the margin.
    assert play(CycleBudget(4.0), 40, 10.0, 100.0)[-1]
    assert not any(play(CycleBudget(4.0), 40, 10.0, 65.0))
    budget = CycleBudget(4.0)
    play(budget, 40, 10.0, 100.0)
    assert not budget.allow_fine(1, 2, 1, 100.0)


def test_the_fine_stage_does_not_flicker_at_its_limit() -> None:
    # It fits without the margin of a tenth: it stays where it was and does not come where not.
    budget = CycleBudget(4.0)
    assert not any(play(budget, 60, 10.0, 75.0))
    assert play(budget, 60, 10.0, 100.0)[-1]
    assert all(play(budget, 60, 10.0, 75.0))


def test_the_fine_stage_ends_at_once_in_a_load_spike_and_returns_after_it() -> None:
    budget = CycleBudget(4.0)
    assert play(budget, 40, 10.0, 100.0)[-1]
    spike = play(budget, 20, 30.0, 100.0)
    assert not any(spike[3:])
    after = play(budget, 60, 10.0, 100.0)
    assert after[-1]
    assert after == sorted(after)


def test_more_faces_end_the_fine_stage_and_no_face_keeps_it() -> None:
    budget = CycleBudget(4.0)
    play(budget, 40, 10.0, 100.0)
    assert budget.allow_fine(2, 2, 0, 100.0)
    assert not budget.allow_fine(2, 2, 2, 100.0)


def test_a_wrong_first_estimate_of_the_fine_stage_is_corrected() -> None:
    budget = CycleBudget(1.0)
    # Four cycles, not one: 10 + 20 + 40 ms do not fit.
    assert not any(play(budget, 60, 10.0, 65.0)[20:])
