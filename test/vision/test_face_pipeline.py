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

"""The pipeline from a frame to its restored faces."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from onnx_models import nan_model, scale_model
from pictures import Frame, resized

from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.engine.models import resolve_model
from cfrnet_ros.vision.engine.providers import ProviderChoice
from cfrnet_ros.vision.errors import ModelError
from cfrnet_ros.vision.pipeline import FacePipeline, PipelineSettings
from cfrnet_ros.vision.preprocessing.align import align_face, warp_crop
from cfrnet_ros.vision.restoration.restorer import Restorer
from cfrnet_ros.vision.stages import Stage
from cfrnet_ros.vision.tracking.tracker import FaceTracker
from cfrnet_ros.vision.views.compositor import blend_faces
from cfrnet_ros.vision.views.crop_geometry import crop_to_frame

EVERY_FRAME = PipelineSettings(detection_interval=1, max_faces=10, temporal_smoothing=0.0)


def test_faces_come_restored_largest_first(pipeline: FacePipeline, two_faces: Frame) -> None:
    result = pipeline.process(two_faces, replace(EVERY_FRAME, cycles=2))
    assert [item.face.track_id for item in result.faces] == [0, 1]
    assert result.faces[0].face.area > result.faces[1].face.area
    for item in result.faces:
        aligned, affine = align_face(
            two_faces, item.face.landmarks, 96, pipeline.restorer.card.template
        )
        assert np.array_equal(item.aligned, aligned)
        assert np.allclose(item.affine, affine)
        assert np.abs(item.crop.astype(float) - aligned * 0.25).max() <= 1
        assert item.restoration.cycles == 2
    assert result.record.detected
    assert result.record.found == 2


@pytest.mark.parametrize('strength', [0.0, 0.25, 1.0])
def test_strength_mixes_the_restored_crop_with_the_one_before_the_network(
    pipeline: FacePipeline, portrait: Frame, strength: float
) -> None:
    (face,) = pipeline.process(portrait, replace(EVERY_FRAME, strength=strength)).faces
    # Two cycles of the model leave a quarter of the brightness.
    mixed = face.aligned * (strength * 0.25 + 1 - strength)
    assert np.abs(face.crop.astype(float) - mixed).max() <= 1.5
    assert face.restored


def test_the_detector_runs_in_every_nth_frame(pipeline: FacePipeline, two_faces: Frame) -> None:
    settings = replace(EVERY_FRAME, detection_interval=3)
    ran = [pipeline.process(two_faces, settings).record.detected for _ in range(7)]
    assert ran == [True, False, False, True, False, False, True]
    # A new interval counts from the last detection.
    assert pipeline.process(two_faces, replace(settings, detection_interval=1)).record.detected


def test_without_faces_the_detector_runs_in_every_frame(
    pipeline: FacePipeline, portrait: Frame
) -> None:
    settings = replace(EVERY_FRAME, detection_interval=100)
    empty = np.full_like(portrait, 80)
    for _ in range(3):
        result = pipeline.process(empty, settings)
        assert result.record.detected
        assert result.faces == []
        assert Stage.RESTORE_CYCLE_1 not in result.record.stages_ms
    assert len(pipeline.process(portrait, settings).faces) == 1


def test_a_lost_face_triggers_detection(pipeline: FacePipeline, two_faces: Frame) -> None:
    settings = replace(EVERY_FRAME, detection_interval=100)
    pipeline.process(two_faces, settings)
    covered = two_faces.copy()
    covered[:, :350] = 60
    result = pipeline.process(covered, settings)
    assert result.record.detected
    assert [item.face.track_id for item in result.faces] == [1]
    # After a cut to the mirror image, optical flow loses the faces and the detector finds them.
    result = pipeline.process(np.ascontiguousarray(two_faces[:, ::-1]), settings)
    assert result.record.detected
    assert len(result.faces) == 2


def test_small_faces_are_passed_on_unrestored(pipeline: FacePipeline, two_faces: Frame) -> None:
    both = pipeline.process(two_faces, EVERY_FRAME).faces
    sides = [min(item.face.width, item.face.height) for item in both]
    between = round(sum(sides) / 2)
    result = pipeline.process(two_faces, replace(EVERY_FRAME, min_face_px=between))
    assert [item.face.track_id for item in result.faces] == [i.face.track_id for i in both]
    assert [item.reason for item in result.faces] == ['', 'too_small']
    assert result.record.refused == {'too_small': 1}
    small = result.faces[1]
    assert np.array_equal(small.crop, small.aligned)
    assert (small.restoration.cycles, small.restored) == (0, False)
    result = pipeline.process(two_faces, replace(EVERY_FRAME, max_faces=1))
    assert [item.face.track_id for item in result.faces] == [both[0].face.track_id]
    assert result.record.found == 2


def test_crop_margin_shows_more_surroundings(pipeline: FacePipeline, portrait: Frame) -> None:
    plain = pipeline.process(portrait, EVERY_FRAME).faces[0]
    wide = pipeline.process(portrait, replace(EVERY_FRAME, crop_margin=1.5)).faces[0]
    scales = [float(np.hypot(*item.affine[:, 0])) for item in (plain, wide)]
    assert scales[0] / scales[1] == pytest.approx(1.5, rel=1e-3)


def test_reset_forgets_tracks(pipeline: FacePipeline, portrait: Frame) -> None:
    settings = replace(EVERY_FRAME, detection_interval=100)
    pipeline.process(portrait, settings)
    pipeline.reset()
    result = pipeline.process(portrait, settings)
    assert result.record.detected
    assert result.faces[0].face.track_id == 1


def test_frames_may_change_size(pipeline: FacePipeline, portrait: Frame) -> None:
    settings = replace(EVERY_FRAME, detection_interval=4)
    for side in (512, 300, 20, 1, 700):
        frame = resized(portrait, side, side)
        for _ in range(2):
            assert len(pipeline.process(frame, settings).faces) == (1 if side > 100 else 0)


def test_a_failing_model_is_an_error_and_the_pipeline_continues(
    tmp_path: Path, detector: YuNetDetector, cpu: ProviderChoice, portrait: Frame
) -> None:
    broken = FacePipeline(detector, Restorer(nan_model(tmp_path / 'm.onnx'), cpu), FaceTracker())
    for _ in range(2):
        with pytest.raises(ModelError, match='NaN'):
            broken.process(portrait, EVERY_FRAME)
    assert broken.process(portrait, replace(EVERY_FRAME, min_face_px=4096)).record.found == 1


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        ({'min_brightness': 250.0}, 'too_dark'),
        ({'max_yaw_deg': 0.0}, 'turned'),
        ({'min_score_restore': 0.999}, 'low_score'),
        ({'min_symmetry': 0.999}, 'covered'),
        ({'min_upright': 0.999}, 'not_upright'),
        ({'max_identity_drift': 0.01}, 'identity_drift'),
    ],
)
def test_faces_beyond_the_limits_are_passed_on_unrestored(
    pipeline: FacePipeline, portrait: Frame, change: dict[str, float], reason: str
) -> None:
    settings = replace(EVERY_FRAME, **change)  # type: ignore[arg-type]
    face = pipeline.process(portrait, settings).faces[0]
    assert face.reason == reason
    assert np.array_equal(face.crop, face.aligned)
    assert np.array_equal(blend_faces(portrait, [face]), portrait)
    assert face.restoration.cycles == 0
    # The face is restored again without the limit.
    again = pipeline.process(portrait, EVERY_FRAME).faces[0]
    assert again.restored
    assert not np.array_equal(again.crop, again.aligned)


def test_each_face_is_measured_before_and_after(pipeline: FacePipeline, portrait: Frame) -> None:
    settings = replace(EVERY_FRAME, max_identity_drift=180.0)
    result = pipeline.process(portrait, settings)
    face = result.faces[0]
    assert face.quality is not None
    assert face.quality.size_px == pytest.approx(min(face.face.width, face.face.height))
    assert face.sharpness is not None
    assert face.identity_drift_deg is not None
    # The model only dims the face, so it stays the same person.
    assert 0 <= face.identity_drift_deg < 40
    assert {Stage.QUALITY, Stage.IDENTITY} <= result.record.stages_ms.keys()
    assert pipeline.process(portrait, EVERY_FRAME).faces[0].identity_drift_deg is None


def test_a_motionless_face_is_restored_once(pipeline: FacePipeline, two_faces: Frame) -> None:
    settings = replace(EVERY_FRAME, reuse_tolerance=3.0)
    first = pipeline.process(two_faces, settings)
    assert first.record.reused == 0
    second = pipeline.process(two_faces, settings)
    assert second.record.reused == 2
    assert Stage.RESTORE_CYCLE_1 not in second.record.stages_ms
    for one, other in zip(first.faces, second.faces, strict=True):
        assert np.array_equal(one.crop, other.crop)
        assert other.restoration.cycles == one.restoration.cycles == 2
        assert other.restoration.residuals == one.restoration.residuals
    # One face changes, the other does not.
    half = two_faces.copy()
    half[100:400, 20:320] = np.clip(half[100:400, 20:320].astype(int) - 25, 0, 255)
    assert [face.reused for face in pipeline.process(half, settings).faces] == [False, True]


def test_nothing_is_reused_after_a_change_of_parameters_or_a_reset(
    pipeline: FacePipeline, portrait: Frame
) -> None:
    settings = replace(EVERY_FRAME, reuse_tolerance=3.0)
    pipeline.process(portrait, settings)
    assert pipeline.process(portrait, settings).record.reused == 1
    changed = pipeline.process(portrait, replace(settings, cycles=1))
    assert changed.record.reused == 0
    assert changed.faces[0].restoration.cycles == 1
    assert pipeline.process(portrait, settings).record.reused == 0
    assert pipeline.process(portrait, settings).record.reused == 1
    pipeline.reset()
    assert pipeline.process(portrait, settings).record.reused == 0
    # Nothing is reused after frames without a face either: it may be another person.
    pipeline.process(np.full_like(portrait, 90), settings)
    assert pipeline.process(portrait, settings).record.reused == 0


def noisy(frame: Frame, rng: np.random.Generator) -> Frame:
    """Return a frame with sensor noise."""
    return np.clip(frame + rng.normal(0, 14, frame.shape), 0, 255).astype(np.uint8)


def test_crops_of_a_still_noisy_face_are_fused_before_they_are_restored(
    pipeline: FacePipeline, portrait: Frame
) -> None:
    rng, settings = np.random.default_rng(0), replace(EVERY_FRAME, cycles=1)
    for _ in range(8):
        face = pipeline.process(noisy(portrait, rng), settings).faces[0]
    assert face.fusion is not None
    assert face.fusion.frames > 2.5
    truth = warp_crop(portrait, face.affine, 96)
    assert cv2.PSNR(face.fused, truth) > cv2.PSNR(face.aligned, truth) + 2
    # The model of this test halves the brightness, so its output shows what its input was.
    assert np.abs(face.crop.astype(float) - face.fused * 0.5).max() <= 1
    alone = pipeline.process(noisy(portrait, rng), replace(settings, fusion=0.0)).faces[0]
    assert alone.fusion is None
    assert alone.fused is alone.aligned


def test_strength_below_1_does_not_bring_back_the_noise_that_fusion_took_away(
    pipeline: FacePipeline, portrait: Frame
) -> None:
    rng, settings = np.random.default_rng(0), replace(EVERY_FRAME, cycles=1, strength=0.0)
    for _ in range(8):
        face = pipeline.process(noisy(portrait, rng), settings).faces[0]
    assert face.restored
    assert np.array_equal(face.crop, face.fused)
    truth = warp_crop(portrait, face.affine, 96)
    assert cv2.PSNR(face.crop, truth) > cv2.PSNR(face.aligned, truth) + 2


def test_a_dark_face_is_as_bright_at_any_strength(
    tmp_path: Path, detector: YuNetDetector, cpu: ProviderChoice, portrait: Frame
) -> None:
    # A model that changes nothing, and brightens underexposed faces before.
    model = scale_model(tmp_path / 'm.onnx', 1.0, size=96, expose=True)
    pipeline = FacePipeline(detector, Restorer(model, cpu, threads=1), FaceTracker())
    dark = (portrait * 0.2).astype(np.uint8)
    settings = replace(EVERY_FRAME, min_brightness=0.0)
    none, half, full = (
        pipeline.process(dark, replace(settings, strength=strength)).faces[0]
        for strength in (0.0, 0.5, 1.0)
    )
    assert full.crop.mean() > 2 * full.aligned.mean()
    for face in (none, half):
        assert np.abs(face.crop.astype(int) - full.crop).max() <= 1


def test_a_camera_that_switches_to_infrared_gives_a_grey_crop_at_once(
    pipeline: FacePipeline, portrait: Frame
) -> None:
    # Of the same brightness, so that only the colour tells.
    grey = np.repeat(portrait.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    settings = replace(EVERY_FRAME, cycles=1, temporal_smoothing=0.9, fusion=0.0)
    for _ in range(3):
        pipeline.process(portrait, settings)
    crop = pipeline.process(np.ascontiguousarray(grey), settings).faces[0].crop
    assert np.ptp(crop, axis=2).max() <= 2


def test_a_refused_face_is_passed_on_as_the_camera_saw_it(
    pipeline: FacePipeline, portrait: Frame
) -> None:
    rng = np.random.default_rng(0)
    for _ in range(4):
        pipeline.process(noisy(portrait, rng), EVERY_FRAME)
    refused = pipeline.process(noisy(portrait, rng), replace(EVERY_FRAME, min_face_px=4000)).faces[
        0
    ]
    assert refused.fusion is None
    assert np.array_equal(refused.crop, refused.aligned)


def test_a_face_that_converged_is_not_restored_further(
    tmp_path: Path, detector: YuNetDetector, cpu: ProviderChoice, portrait: Frame
) -> None:
    # Each cycle reduces the brightness by a tenth, so that the residuals fall by a tenth.
    restorer = Restorer(scale_model(tmp_path / 'm.onnx', 0.9, size=96), cpu, threads=1)
    pipeline = FacePipeline(detector, restorer, FaceTracker())
    full = pipeline.process(portrait, replace(EVERY_FRAME, cycles=8)).faces[0].restoration
    assert full.cycles == 8
    between = (full.residuals[3] + full.residuals[4]) / 2
    settings = replace(EVERY_FRAME, cycles=8, convergence_tolerance=between)
    result = pipeline.process(portrait, settings)
    assert result.faces[0].restoration.residuals == pytest.approx(full.residuals[:5])
    assert (result.record.cycles_allowed, result.record.cycles_used) == (8, 5)


def test_a_still_noisy_face_gives_a_steadier_crop(pipeline: FacePipeline, portrait: Frame) -> None:
    """The crop's corners move less in the frame than without the filter."""
    rng = np.random.default_rng(0)
    small = resized(portrait, 256, 256)
    frames = [
        np.clip(small + rng.normal(0, 12, small.shape), 0, 255).astype(np.uint8) for _ in range(40)
    ]
    wander = {}
    for on in (False, True):
        pipeline.reset()
        settings = replace(EVERY_FRAME, landmark_smoothing=on)
        corners = [
            crop_to_frame([[0, 0], [95, 95]], face.affine)
            for index, frame in enumerate(frames)
            for face in pipeline.process(frame, settings, time_s=index / 15).faces
        ]
        assert len(corners) == len(frames)
        wander[on] = float(np.abs(np.diff(corners[10:], axis=0)).mean())
    assert wander[True] < 0.6 * wander[False]


def test_only_faces_in_the_region_are_passed_on(pipeline: FacePipeline, two_faces: Frame) -> None:
    right = replace(EVERY_FRAME, roi=(0.5, 0.0, 1.0, 1.0))
    result = pipeline.process(two_faces, right)
    assert len(result.faces) == 1
    assert result.faces[0].face.box[0] > 320
    assert result.record.found == 2
    driver = replace(EVERY_FRAME, face_choice='driver', max_faces=1, roi=(0.5, 0.2, 1.0, 0.8))
    assert pipeline.process(two_faces, driver).faces[0].face.box[0] > 320


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('latency_budget_ms', -1.0),
        ('convergence_tolerance', 1.5),
        ('reuse_tolerance', float('nan')),
        ('track_memory_s', -1.0),
        ('landmark_min_cutoff_hz', 0.0),
        ('max_yaw_deg', 181.0),
        ('min_symmetry', -2.0),
        ('max_identity_drift', 200.0),
        ('cycles', 0),
        ('cycles', 9),
        ('max_faces', 0),
        ('reuse_tolerance', 65.0),
        ('detection_threshold', 0.0),
        ('detection_threshold', 1.5),
        ('detection_threshold', float('nan')),
        ('detection_interval', 0),
        ('min_face_px', 3),
        ('crop_margin', 0.1),
    ],
)
def test_settings_out_of_range_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f'{name} must be (integer|double), .* to .*; got '):
        replace(EVERY_FRAME, **{name: value})  # type: ignore[arg-type]


def test_invalid_frames_are_refused(pipeline: FacePipeline) -> None:
    for frame in (np.zeros((0, 0, 3), np.uint8), np.zeros((9, 9), np.uint8)):
        with pytest.raises(ValueError, match=r'\(H, W, 3\) uint8'):
            pipeline.process(frame, EVERY_FRAME)


def test_the_shipped_restorer_in_the_whole_pipeline(
    detector: YuNetDetector, cpu: ProviderChoice, portrait: Frame
) -> None:
    restorer = Restorer(resolve_model('auto'), cpu, threads=1)
    pipeline = FacePipeline(detector, restorer, FaceTracker())
    result = pipeline.process(portrait, PipelineSettings())
    out = blend_faces(portrait, result.faces)
    face = result.faces[0].face
    x0, y0, x1, y1 = face.box.astype(int)
    error = np.mean((out[y0:y1, x0:x1].astype(float) - portrait[y0:y1, x0:x1]) ** 2)
    # A good face is preserved, restored or not.
    assert 10 * np.log10(255**2 / error) > 22
