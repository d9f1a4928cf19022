"""A frame in, restored faces out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import nan_model, scale_model
from pictures import Frame, resized

from cfrnet_ros.vision.align import align_face
from cfrnet_ros.vision.compositor import blend_faces
from cfrnet_ros.vision.detector import YuNetDetector
from cfrnet_ros.vision.errors import ModelError
from cfrnet_ros.vision.models import resolve_model
from cfrnet_ros.vision.pipeline import FacePipeline, PipelineSettings
from cfrnet_ros.vision.providers import ProviderChoice
from cfrnet_ros.vision.restorer import Restorer
from cfrnet_ros.vision.tracker import FaceTracker

EVERY_FRAME = PipelineSettings(detection_interval=1, max_faces=10)


@pytest.fixture
def pipeline(tmp_path: Path, detector: YuNetDetector, cpu: ProviderChoice) -> FacePipeline:
    restorer = Restorer(scale_model(tmp_path / 'm.onnx', 0.5, size=96), cpu, threads=1)
    return FacePipeline(detector, restorer, FaceTracker())


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
    assert result.detected
    assert result.found == 2


def test_times_are_given_by_stage(pipeline: FacePipeline, two_faces: Frame) -> None:
    settings = replace(EVERY_FRAME, cycles=3, detection_interval=2)
    result = pipeline.process(two_faces, settings)
    times: dict[str, Any] = dict(result.timings_ms)
    assert times['detect'] > 0
    assert times['align'] > 0
    assert times['track'] > 0
    sums = [sum(item.restoration.cycle_ms[k] for item in result.faces) for k in range(3)]
    assert times['cycles'] == pytest.approx(sums)
    followed = pipeline.process(two_faces, settings)
    assert not followed.detected
    assert 'detect' not in followed.timings_ms
    assert len(followed.faces) == 2


def test_detection_interval(pipeline: FacePipeline, two_faces: Frame) -> None:
    settings = replace(EVERY_FRAME, detection_interval=3)
    ran = [pipeline.process(two_faces, settings).detected for _ in range(7)]
    assert ran == [True, False, False, True, False, False, True]
    # A new interval counts from the last detection.
    assert pipeline.process(two_faces, replace(settings, detection_interval=1)).detected


def test_without_faces_every_frame_is_searched(pipeline: FacePipeline, portrait: Frame) -> None:
    settings = replace(EVERY_FRAME, detection_interval=100)
    empty = np.full_like(portrait, 80)
    for _ in range(3):
        result = pipeline.process(empty, settings)
        assert result.detected
        assert result.faces == []
        assert result.timings_ms['cycles'] == []
    assert len(pipeline.process(portrait, settings).faces) == 1


def test_a_lost_face_is_looked_for_at_once(pipeline: FacePipeline, two_faces: Frame) -> None:
    settings = replace(EVERY_FRAME, detection_interval=100)
    pipeline.process(two_faces, settings)
    covered = two_faces.copy()
    covered[:, :350] = 60
    result = pipeline.process(covered, settings)
    assert result.detected
    assert [item.face.track_id for item in result.faces] == [1]
    # A cut to the mirror image: flow loses the faces, the detector finds them there.
    result = pipeline.process(np.ascontiguousarray(two_faces[:, ::-1]), settings)
    assert result.detected
    assert len(result.faces) == 2


def test_small_faces_are_left_out_before_the_largest_are_chosen(
    pipeline: FacePipeline, two_faces: Frame
) -> None:
    both = pipeline.process(two_faces, EVERY_FRAME).faces
    sides = [min(item.face.width, item.face.height) for item in both]
    between = round(sum(sides) / 2)
    result = pipeline.process(two_faces, replace(EVERY_FRAME, min_face_px=between))
    assert [item.face.track_id for item in result.faces] == [both[0].face.track_id]
    result = pipeline.process(two_faces, replace(EVERY_FRAME, max_faces=1))
    assert [item.face.track_id for item in result.faces] == [both[0].face.track_id]
    assert result.found == 2
    assert pipeline.process(two_faces, replace(EVERY_FRAME, max_faces=0)).faces == []


def test_margin_shows_more(pipeline: FacePipeline, portrait: Frame) -> None:
    plain = pipeline.process(portrait, EVERY_FRAME).faces[0]
    wide = pipeline.process(portrait, replace(EVERY_FRAME, crop_margin=1.5)).faces[0]
    scales = [float(np.hypot(*item.affine[:, 0])) for item in (plain, wide)]
    assert scales[0] / scales[1] == pytest.approx(1.5, rel=1e-3)


def test_reset_forgets(pipeline: FacePipeline, portrait: Frame) -> None:
    settings = replace(EVERY_FRAME, detection_interval=100)
    pipeline.process(portrait, settings)
    pipeline.reset()
    result = pipeline.process(portrait, settings)
    assert result.detected
    assert result.faces[0].face.track_id == 1


def test_frames_may_change_size_on_the_way(pipeline: FacePipeline, portrait: Frame) -> None:
    settings = replace(EVERY_FRAME, detection_interval=4)
    for side in (512, 300, 20, 1, 700):
        frame = resized(portrait, side, side)
        for _ in range(2):
            assert len(pipeline.process(frame, settings).faces) == (1 if side > 100 else 0)


def test_a_failing_model_is_an_error_and_the_pipeline_survives(
    tmp_path: Path, detector: YuNetDetector, cpu: ProviderChoice, portrait: Frame
) -> None:
    broken = FacePipeline(detector, Restorer(nan_model(tmp_path / 'm.onnx'), cpu), FaceTracker())
    for _ in range(2):
        with pytest.raises(ModelError, match='NaN'):
            broken.process(portrait, EVERY_FRAME)
    assert broken.process(portrait, replace(EVERY_FRAME, max_faces=0)).found == 1


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('cycles', 0),
        ('cycles', 9),
        ('max_faces', -1),
        ('detection_threshold', 1.5),
        ('detection_threshold', float('nan')),
        ('detection_interval', 0),
        ('min_face_px', -1),
        ('crop_margin', 0.1),
    ],
)
def test_settings_out_of_range_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f'{name} must be from'):
        replace(EVERY_FRAME, **{name: value})  # type: ignore[arg-type]


def test_what_is_no_frame_is_refused(pipeline: FacePipeline) -> None:
    for frame in (np.zeros((0, 0, 3), np.uint8), np.zeros((9, 9), np.uint8)):
        with pytest.raises(ValueError, match=r'\(H, W, 3\) uint8'):
            pipeline.process(frame, EVERY_FRAME)


def test_the_shipped_restorer_in_the_whole_chain(
    detector: YuNetDetector, cpu: ProviderChoice, portrait: Frame
) -> None:
    restorer = Restorer(resolve_model('auto', cpu.best), cpu, threads=1)
    pipeline = FacePipeline(detector, restorer, FaceTracker())
    result = pipeline.process(portrait, PipelineSettings())
    out = blend_faces(portrait, result.faces)
    face = result.faces[0].face
    x0, y0, x1, y1 = face.box.astype(int)
    error = np.mean((out[y0:y1, x0:x1].astype(float) - portrait[y0:y1, x0:x1]) ** 2)
    # A good face comes out as itself, restored or not.
    assert 10 * np.log10(255**2 / error) > 22
