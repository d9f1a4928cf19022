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

"""Several frames in the pipeline at once: the same pictures as one after another."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx_models import nan_model, scale_model
from pictures import Frame

from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.engine.providers import ProviderChoice
from cfrnet_ros.vision.errors import ModelError
from cfrnet_ros.vision.pipeline import FacePipeline, PipelineResult, PipelineSettings
from cfrnet_ros.vision.restoration.restorer import Restorer
from cfrnet_ros.vision.stages import Stage, StageClock
from cfrnet_ros.vision.tracking.tracker import FaceTracker

PLAIN = PipelineSettings(detection_interval=2)
LANES = 3


@pytest.fixture
def frames(two_faces: Frame) -> list[Frame]:
    """Frames of a noisy camera that moves a little, then stands still."""
    rng = np.random.default_rng(7)
    moved = [np.roll(two_faces, (n, 2 * n), (0, 1)) for n in range(6)]
    noisy = [np.clip(f + rng.normal(0, 8, f.shape), 0, 255).astype(np.uint8) for f in moved]
    return [*noisy, *noisy[-1:] * 3]


def make_pipeline(
    folder: Path, detector: YuNetDetector, cpu: ProviderChoice, lanes: int
) -> FacePipeline:
    restorer = Restorer(scale_model(folder / 'm.onnx', 0.5, size=96), cpu, threads=1)
    return FacePipeline(detector, restorer, FaceTracker(), lanes=lanes)


def one_by_one(
    pipeline: FacePipeline, frames: Sequence[Frame], settings: PipelineSettings
) -> list[PipelineResult]:
    return [pipeline.process(frame, settings, n / 15) for n, frame in enumerate(frames)]


def side_by_side(
    pipeline: FacePipeline, frames: Sequence[Frame], settings: PipelineSettings
) -> list[PipelineResult]:
    """Restore frames in threads, three at once; the last of them is ready first."""
    results: list[PipelineResult] = []
    for start in range(0, len(frames), LANES):
        works = [
            pipeline.prepare(frame, settings, (start + n) / 15)
            for n, frame in enumerate(frames[start : start + LANES])
        ]
        ready = [threading.Event() for _ in works]

        def restore(lane: int, works: list = works, ready: list = ready) -> None:  # type: ignore[type-arg]
            if lane + 1 < len(works):
                assert ready[lane + 1].wait(30)
            pipeline.restore(works[lane], lane)
            ready[lane].set()

        threads = [threading.Thread(target=restore, args=(lane,)) for lane in range(len(works))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        results += [pipeline.complete(work, lane) for lane, work in enumerate(works)]
    return results


def assert_equal(ones: Sequence[PipelineResult], others: Sequence[PipelineResult]) -> None:
    for one, other in zip(ones, others, strict=True):
        for face, same in zip(one.faces, other.faces, strict=True):
            assert np.array_equal(face.crop, same.crop)
            assert np.array_equal(face.fused, same.fused)
            assert np.array_equal(face.affine, same.affine)
            assert face.face.track_id == same.face.track_id
            assert (face.reason, face.reused) == (same.reason, same.reused)
            assert (face.identity_drift_deg, face.eyes) == (same.identity_drift_deg, same.eyes)
            assert face.sharpness == same.sharpness


@pytest.mark.parametrize(
    'changes',
    [
        {},
        {'fusion': 0.0, 'temporal_smoothing': 0.9, 'strength': 0.7},
        {'reuse_tolerance': 6.0},
        {'reuse_tolerance': 6.0, 'max_identity_drift': 0.01},
        {'eye_guard': 'refuse', 'max_eye_change': 0.0},
        {'convergence_tolerance': 0.1, 'cycles': 4},
    ],
    ids=['defaults', 'smoothing alone', 'reuse', 'reuse of refused', 'eyes', 'convergence'],
)
def test_pictures_do_not_depend_on_the_number_of_lanes(
    tmp_path: Path,
    detector: YuNetDetector,
    cpu: ProviderChoice,
    frames: list[Frame],
    changes: dict[str, float],
) -> None:
    settings = replace(PLAIN, **changes)  # type: ignore[arg-type]
    single = one_by_one(make_pipeline(tmp_path, detector, cpu, 1), frames, settings)
    parallel = side_by_side(make_pipeline(tmp_path, detector, cpu, LANES), frames, settings)
    assert all(len(result.faces) == 2 for result in single)
    assert_equal(single, parallel)
    if changes == {'reuse_tolerance': 6.0}:
        assert any(result.record.reused for result in parallel)


def test_a_frame_waits_for_no_other_to_reuse_its_restoration(
    tmp_path: Path, detector: YuNetDetector, cpu: ProviderChoice, two_faces: Frame
) -> None:
    pipeline = make_pipeline(tmp_path, detector, cpu, 2)
    settings = replace(PLAIN, reuse_tolerance=3.0)
    first = pipeline.prepare(two_faces, settings)
    second = pipeline.prepare(two_faces, settings)
    # The second has nothing to restore, although the first is not restored yet.
    pipeline.restore(second, 1)
    pipeline.restore(first, 0)
    restored, reused = pipeline.complete(first, 0), pipeline.complete(second, 1)
    assert (restored.record.reused, reused.record.reused) == (0, 2)
    assert Stage.RESTORE_CYCLE_1 not in reused.record.stages_ms
    assert_crops_equal(restored, reused)


def test_a_frame_restores_itself_if_the_one_whose_result_it_shows_failed(
    tmp_path: Path, detector: YuNetDetector, cpu: ProviderChoice, two_faces: Frame
) -> None:
    pipeline = make_pipeline(tmp_path, detector, cpu, 2)
    settings = replace(PLAIN, reuse_tolerance=3.0)
    expected = make_pipeline(tmp_path, detector, cpu, 1).process(two_faces, settings)
    pipeline.prepare(two_faces, settings)  # Its restoration fails, so it is never completed.
    works = [pipeline.prepare(two_faces, settings) for _ in range(2)]
    for lane, work in enumerate(works):
        pipeline.restore(work, lane)
    second, third = (pipeline.complete(work, lane) for lane, work in enumerate(works))
    assert (second.record.reused, third.record.reused) == (0, 2)
    assert Stage.RESTORE_CYCLE_1 in second.record.stages_ms
    assert_crops_equal(second, expected)
    assert_crops_equal(third, expected)


def assert_crops_equal(one: PipelineResult, other: PipelineResult) -> None:
    for face, same in zip(one.faces, other.faces, strict=True):
        assert np.array_equal(face.crop, same.crop)


def test_a_reset_does_not_reach_frames_that_were_prepared_before(
    tmp_path: Path, detector: YuNetDetector, cpu: ProviderChoice, frames: list[Frame]
) -> None:
    settings = replace(PLAIN, temporal_smoothing=0.9, fusion=0.0)
    single = make_pipeline(tmp_path, detector, cpu, 1)
    expected = one_by_one(single, frames[:2], settings)
    single.reset()
    expected += one_by_one(single, frames[2:4], settings)

    parallel = make_pipeline(tmp_path, detector, cpu, 3)
    results = [parallel.process(frames[0], settings, 0.0)]
    late = parallel.prepare(frames[1], settings, 1 / 15)
    parallel.reset()
    fresh = [parallel.prepare(frame, settings, n / 15) for n, frame in enumerate(frames[2:4])]
    for lane, work in enumerate((late, *fresh)):
        parallel.restore(work, lane)
    results += [parallel.complete(work, lane) for lane, work in enumerate((late, *fresh))]
    assert_equal(expected, results)


def test_a_failure_in_one_lane_leaves_the_others_alone(
    tmp_path: Path, detector: YuNetDetector, cpu: ProviderChoice, portrait: Frame
) -> None:
    # The model gives NaN for dark pixels, and the portrait has some.
    restorer = Restorer(nan_model(tmp_path / 'm.onnx'), cpu, threads=1)
    pipeline = FacePipeline(detector, restorer, FaceTracker(), lanes=2)
    bright = (portrait // 3 + 170).astype(np.uint8)
    settings = replace(PLAIN, cycles=1, detection_interval=1)
    broken, sound = (pipeline.prepare(frame, settings) for frame in (portrait, bright))
    with pytest.raises(ModelError, match='NaN'):
        pipeline.restore(broken, 0)
    pipeline.restore(sound, 1)
    assert pipeline.complete(sound, 1).record.restored == 1


def test_an_interruption_ends_all_lanes(
    tmp_path: Path, detector: YuNetDetector, cpu: ProviderChoice, two_faces: Frame
) -> None:
    pipeline = make_pipeline(tmp_path, detector, cpu, 2)
    works = [pipeline.prepare(two_faces, PLAIN) for _ in range(2)]
    pipeline.interrupt()
    for lane, work in enumerate(works):
        with pytest.raises(ModelError):
            pipeline.restore(work, lane)


def test_clones_of_a_restorer_run_at_once_and_give_the_same_bytes(
    tmp_path: Path, cpu: ProviderChoice
) -> None:
    rng = np.random.default_rng(3)
    restorer = Restorer(scale_model(tmp_path / 'm.onnx', 0.9), cpu, threads=1)
    crops = [rng.integers(0, 256, (64, 64, 3), np.uint8) for _ in range(4)]
    expected = [restorer.restore(crop, 3).crop for crop in crops]
    clones = [restorer.clone() for _ in crops]
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(50):
            found = clones[number].restore(crops[number], 3).crop
            if not np.array_equal(found, expected[number]):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(crops))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
    # Ending one does not end another.
    clones[0].interrupt()
    with pytest.raises(ModelError):
        clones[0].restore(crops[0], 1)
    assert np.array_equal(clones[1].restore(crops[1], 3).crop, expected[1])


def test_the_budget_learns_from_frames_that_are_finished_while_others_are_in_work(
    tmp_path: Path, detector: YuNetDetector, cpu: ProviderChoice, portrait: Frame
) -> None:
    pipeline = make_pipeline(tmp_path, detector, cpu, 2)
    settings = replace(PLAIN, cycles=3, latency_budget_ms=60000.0)
    allowed = []
    for _ in range(8):
        clocks = [StageClock(), StageClock()]
        works = [pipeline.prepare(portrait, settings, clock=clock) for clock in clocks]
        allowed.append([work.allowed for work in works])
        for lane, work in enumerate(works):
            pipeline.restore(work, lane)
            pipeline.complete(work, lane)
        for clock in clocks:
            clock.add(Stage.TOTAL, clock.elapsed_ms)
    # Nothing is known when the first two begin.
    assert allowed[0] == [1, 1]
    assert allowed[-1] == [3, 3]


@pytest.mark.parametrize(('publish_ms', 'allowed'), [(0.0, 3), (100_000.0, 1)])
def test_publishing_counts_for_the_budget_though_a_later_frame_is_finished_first(
    tmp_path: Path,
    detector: YuNetDetector,
    cpu: ProviderChoice,
    portrait: Frame,
    publish_ms: float,
    allowed: int,
) -> None:
    pipeline = make_pipeline(tmp_path, detector, cpu, 2)
    settings = replace(PLAIN, cycles=3, latency_budget_ms=60000.0)
    late: StageClock | None = None
    for _ in range(10):
        clock = StageClock()
        record = pipeline.process(portrait, settings, clock=clock).record
        if late is None:
            late = clock
            continue
        clock.add(Stage.TOTAL, clock.elapsed_ms)
        late.add(Stage.PUBLISH, publish_ms)
        late.add(Stage.TOTAL, publish_ms)
        late = None
    assert record.cycles_allowed == allowed


def test_a_pipeline_needs_a_lane(
    tmp_path: Path, detector: YuNetDetector, cpu: ProviderChoice
) -> None:
    with pytest.raises(ValueError, match='lanes must be 1 or above'):
        make_pipeline(tmp_path, detector, cpu, 0)
