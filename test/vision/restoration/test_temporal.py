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

"""Restored crops flicker less than the camera's, and follow motion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx_models import scale_model
from pictures import Frame

from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.engine.providers import ProviderChoice
from cfrnet_ros.vision.pipeline import FacePipeline, PipelineSettings
from cfrnet_ros.vision.preprocessing.align import align_face
from cfrnet_ros.vision.restoration.restorer import Restorer
from cfrnet_ros.vision.restoration.temporal import FLOOR, MAX_GAP_S, TemporalSmoother
from cfrnet_ros.vision.stages import Stage
from cfrnet_ros.vision.tracking.tracker import FaceTracker


@pytest.fixture(scope='module')
def crop(detector: YuNetDetector, portrait: Frame) -> Frame:
    return align_face(portrait, detector.detect(portrait)[0].landmarks)[0]


def to_bytes(picture: np.ndarray) -> Frame:
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def sharpened(crop: Frame) -> Frame:
    """Amplify the differences between frames, as a restorer does."""
    return to_bytes(128 + 1.4 * (crop.astype(float) - 128))


def play(
    frames: list[Frame], smoothing: float, restore: Callable[[Frame], Frame] = sharpened
) -> list[Frame]:
    smoother = TemporalSmoother()
    return [
        smoother.apply(7, frame, restore(frame), smoothing, 'key', index / 15)
        for index, frame in enumerate(frames)
    ]


def flicker(frames: list[Frame]) -> float:
    pairs = zip(frames[1:], frames, strict=False)
    return float(np.mean([np.abs(a.astype(float) - b).mean() for a, b in pairs]))


def noisy(crop: Frame, count: int, sigma: float) -> list[Frame]:
    rng = np.random.default_rng(0)
    return [to_bytes(crop + rng.normal(0, sigma, crop.shape)) for _ in range(count)]


@pytest.mark.parametrize('after_s', [0.0, -0.1, MAX_GAP_S + 0.01])
def test_a_frame_that_does_not_follow_in_time_is_shown_as_it_is(
    crop: Frame, after_s: float
) -> None:
    smoother = TemporalSmoother()
    first, second = noisy(crop, 2, 8.0)
    smoother.apply(7, first, sharpened(first), 0.9, 'key', 1.0)
    shown = smoother.apply(7, second, sharpened(second), 0.9, 'key', 1.0 + after_s)
    assert np.array_equal(shown, sharpened(second))


@pytest.mark.parametrize('sigma', [2.0, 8.0])
def test_a_still_face_flickers_less_than_the_camera_and_is_no_further_from_the_truth(
    crop: Frame, sigma: float
) -> None:
    frames = noisy(crop, 12, sigma)
    free, held = play(frames, 0.0), play(frames, 0.4)
    assert flicker(free) > 1.1 * flicker(frames)
    assert flicker(held) < 0.8 * flicker(frames)
    truth = sharpened(crop).astype(float)
    error = [np.abs(x[-1] - truth).mean() for x in (free, held)]
    assert error[1] < 0.8 * error[0]


def test_a_blink_is_shown_in_the_frame_in_which_it_happens(crop: Frame) -> None:
    closed = crop.copy()
    # Covers the eye with skin from above it.
    closed[108:124, 72:112] = crop[84:100, 72:112]
    shown = play([crop, crop, closed], 0.9)[-1]
    eye = np.s_[110:122, 78:106]
    distance = np.abs(shown[eye].astype(float) - sharpened(closed)[eye]).mean()
    blink = np.abs(sharpened(crop)[eye].astype(float) - sharpened(closed)[eye]).mean()
    assert blink > 15
    assert distance < 0.1 * blink


def test_a_slow_turn_is_followed_within_two_frames(crop: Frame) -> None:
    """Each step is too small to count as motion, but the result must not lag behind."""
    steps = [to_bytes(crop.astype(float) * 0.6 + 3 * index) for index in range(16)]
    shown = play(steps, 1.0)
    behind = np.abs(shown[-1].astype(float) - sharpened(steps[-1])).mean()
    step = np.abs(sharpened(steps[-1]).astype(float) - sharpened(steps[-2])).mean()
    assert behind <= step * (1 - FLOOR) / FLOOR + 1


@pytest.mark.parametrize(
    ('track_id', 'smoothing', 'key', 'time_s'),
    [
        (8, 0.9, 'key', 0.1),
        (-1, 0.9, 'key', 0.1),
        (7, 0.0, 'key', 0.1),
        (7, 0.9, 'another', 0.1),
        (7, 0.9, 'key', MAX_GAP_S + 0.1),
        (7, 0.9, 'key', -1.0),
    ],
)
def test_other_tracks_times_and_settings_are_not_mixed_in(
    crop: Frame, track_id: int, smoothing: float, key: str, time_s: float
) -> None:
    smoother = TemporalSmoother()
    for name in (7, -1):
        smoother.apply(name, crop, crop, 0.9, 'key', 0.0)
    darker = to_bytes(crop * 0.97)
    assert np.array_equal(smoother.apply(track_id, crop, darker, smoothing, key, time_s), darker)


def test_absent_tracks_are_forgotten(crop: Frame) -> None:
    darker = to_bytes(crop * 0.97)
    for forget in (lambda s: s.keep([3]), lambda s: s.reset()):
        smoother = TemporalSmoother()
        smoother.apply(7, crop, crop, 0.9, 'key', 0.0)
        forget(smoother)
        assert np.array_equal(smoother.apply(7, crop, darker, 0.9, 'key', 0.1), darker)


def test_temporal_smoothing_is_a_setting_of_the_pipeline(
    tmp_path: Path, detector: YuNetDetector, cpu: ProviderChoice, portrait: Frame
) -> None:
    restorer = Restorer(scale_model(tmp_path / 'm.onnx', 0.9, size=96), cpu, threads=1)
    pipeline = FacePipeline(detector, restorer, FaceTracker())
    frames = noisy(portrait, 8, 6.0)
    found = {}
    for smoothing in (0.0, 0.5):
        pipeline.reset()
        settings = replace(
            PipelineSettings(cycles=1, detection_interval=1), temporal_smoothing=smoothing
        )
        results = [
            pipeline.process(frame, settings, time_s=index / 15)
            for index, frame in enumerate(frames)
        ]
        found[smoothing] = flicker([result.faces[0].crop for result in results])
        assert (Stage.SMOOTH in results[-1].record.stages_ms) is (smoothing > 0)
    assert found[0.5] < 0.85 * found[0.0]


def test_motion_that_fusion_has_found_is_shown_at_once() -> None:
    """A change too faint for the filter's own limits is shown where the gain map says so."""
    smoother, gain = TemporalSmoother(), np.full((32, 32), 1 / 16, np.float32)
    gain[:, 16:] = 0.9
    seen, restored = np.full((64, 64, 3), 100, np.uint8), np.full((64, 64, 3), 100, np.uint8)
    smoother.apply(0, seen, restored, 0.9, 'k', 0.0, gain)
    shown = smoother.apply(0, seen + 3, restored + 8, 0.9, 'k', 1 / 30, gain)
    assert shown[:, 40:].min() == 108
    assert shown[:, :24].max() < 107
