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

"""The record that the pipeline makes of each frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pictures import Frame

from cfrnet_ros.vision.frame_record import record_frame
from cfrnet_ros.vision.pipeline import FacePipeline, PipelineSettings
from cfrnet_ros.vision.stages import RESTORE_CYCLES, Stage, StageClock
from cfrnet_ros.vision.types import Face, Restoration, RestoredFace

EVERY_FRAME = PipelineSettings(detection_interval=1, max_faces=10, temporal_smoothing=0.0)


def test_times_are_recorded_by_stage(pipeline: FacePipeline, two_faces: Frame) -> None:
    settings = replace(EVERY_FRAME, cycles=3, detection_interval=2)
    result = pipeline.process(two_faces, settings)
    times = result.record.stages_ms
    parts = [
        Stage.DETECT,
        Stage.TRACK,
        Stage.ALIGN,
        Stage.QUALITY,
        Stage.FUSE,
        *RESTORE_CYCLES[:3],
    ]
    assert list(times) == parts
    assert min(times.values()) > 0
    sums = [sum(item.restoration.cycle_ms[k] for item in result.faces) for k in range(3)]
    assert [times[stage] for stage in RESTORE_CYCLES[:3]] == pytest.approx(sums)
    followed = pipeline.process(two_faces, settings)
    assert not followed.record.detected
    assert list(followed.record.stages_ms) == parts[1:]
    assert len(followed.faces) == 2


def test_cycles_asked_allowed_and_used_are_recorded(
    pipeline: FacePipeline, portrait: Frame
) -> None:
    free = pipeline.process(portrait, replace(EVERY_FRAME, cycles=3)).record
    assert (free.cycles_asked, free.cycles_allowed, free.cycles_used) == (3, 3, 3)
    assert free.budget_ms == 0
    tight = replace(EVERY_FRAME, cycles=3, latency_budget_ms=0.001)
    late = pipeline.process(portrait, tight).record
    assert (late.cycles_asked, late.cycles_allowed, late.cycles_used) == (3, 1, 1)
    assert late.budget_ms == 0.001
    roomy = replace(tight, latency_budget_ms=60000.0)
    used = [pipeline.process(portrait, roomy).record.cycles_used for _ in range(10)]
    assert used[-1] == 3


@pytest.mark.parametrize(('finished', 'allowed'), [(True, 1), (False, 3)])
def test_time_after_the_pipeline_counts_for_the_budget_of_finished_frames(
    pipeline: FacePipeline, portrait: Frame, finished: bool, allowed: int
) -> None:
    settings = replace(EVERY_FRAME, cycles=3, latency_budget_ms=60000.0)
    for _ in range(10):
        clock = StageClock()
        record = pipeline.process(portrait, settings, clock=clock).record
        clock.add(Stage.PUBLISH, 100_000.0)
        if finished:
            clock.add(Stage.TOTAL, 100_001.0)
    assert record.cycles_allowed == allowed


def test_waiting_in_the_mailbox_does_not_count_for_the_budget(
    pipeline: FacePipeline, portrait: Frame
) -> None:
    settings = replace(EVERY_FRAME, cycles=3, latency_budget_ms=60000.0)
    for _ in range(10):
        clock = StageClock()
        clock.add(Stage.WAIT, 100_000.0)
        record = pipeline.process(portrait, settings, clock=clock).record
        clock.add(Stage.TOTAL, 100_000.0)
    assert record.cycles_allowed == 3


def face(reason: str = '', reused: bool = False, *residuals: float) -> RestoredFace:
    crop = np.zeros((8, 8, 3), np.uint8)
    found = Face(np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 0.5, 3)
    restoration = Restoration(crop, len(residuals), (), residuals)
    return RestoredFace(found, crop, np.eye(2, 3), restoration, reason, reused)


def test_faces_are_counted_and_residuals_averaged_over_those_that_had_the_cycle() -> None:
    faces = [
        face('', False, 0.4, 0.2, 0.1),
        face('', True, 0.2),
        face('too_small'),
        face('turned'),
        face('turned'),
    ]
    record = record_frame({}, faces, found=7, cycles_asked=4, cycles_allowed=3, budget_ms=50.0)
    assert (record.found, record.passed_on, record.restored, record.reused) == (7, 5, 2, 1)
    assert record.refused == {'too_small': 1, 'turned': 2}
    assert (record.cycles_asked, record.cycles_allowed, record.cycles_used) == (4, 3, 3)
    assert record.residuals == pytest.approx((0.3, 0.2, 0.1))
    assert [each.restored for each in record.faces] == [True, True, False, False, False]
    assert record.faces[0].track_id == 3


def test_frames_without_faces_have_a_record() -> None:
    record = record_frame({}, [], found=0, cycles_asked=2, cycles_allowed=2, budget_ms=0.0)
    assert (record.passed_on, record.cycles_used, record.residuals) == (0, 0, ())
    assert record.refused == {}


def test_frames_and_motion_of_the_fused_crops_are_recorded(
    pipeline: FacePipeline, portrait: Frame
) -> None:
    rng = np.random.default_rng(0)
    for _ in range(6):
        frame = np.clip(portrait + rng.normal(0, 14, portrait.shape), 0, 255).astype(np.uint8)
        record = pipeline.process(frame, EVERY_FRAME).record.faces[0]
    assert record.fused_frames is not None
    assert record.fused_moving is not None
    assert record.fused_frames > 2
    assert 0 <= record.fused_moving < 0.2
    off = pipeline.process(portrait, replace(EVERY_FRAME, fusion=0.0)).record.faces[0]
    assert (off.fused_frames, off.fused_moving) == (None, None)
