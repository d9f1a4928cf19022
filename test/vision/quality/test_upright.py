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

"""Whether a face is upright, measured in the turned crop."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from pictures import Frame

from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.pipeline import FacePipeline, PipelineSettings
from cfrnet_ros.vision.preprocessing.align import align_face
from cfrnet_ros.vision.quality.upright import (
    FRAMES_NOT_UPRIGHT,
    FRAMES_UPRIGHT,
    UprightMeter,
    uprightness,
)
from demo.bad_camera import CONDITIONS, Condition

LEAST = PipelineSettings().min_upright


def clean(picture: Frame, time_s: float, rng: np.random.Generator) -> Frame:
    return picture


@pytest.mark.parametrize('quarters', range(4))
@pytest.mark.parametrize(
    'condition', [clean, *(c for _, c, _ in CONDITIONS)], ids=lambda c: str(c.__name__)
)
def test_only_upright_faces_are_above_the_limit_whatever_the_camera(
    detector: YuNetDetector, portrait: Frame, condition: Condition, quarters: int
) -> None:
    taken = condition(portrait, 1.0, np.random.default_rng(3))
    if taken.ndim == 2:
        taken = np.repeat(taken[:, :, None], 3, axis=2)
    turned = np.ascontiguousarray(np.rot90(taken, quarters))
    faces = detector.detect(turned)
    if quarters and not faces:
        # A face that is not found is not restored either.
        return
    crop, _ = align_face(turned, faces[0].landmarks, 256)
    assert (uprightness(crop, detector.score) >= LEAST) is (quarters == 0)


@pytest.fixture
def calls() -> list[int]:
    return []


@pytest.fixture
def meter_of(calls: list[int]) -> Callable[[float], UprightMeter]:
    """Return a function that makes a meter which sees faces of one uprightness."""

    def make(value: float) -> UprightMeter:
        def score(crop: Frame) -> float:
            calls.append(1)
            return max(0.0, value) if len(calls) % 4 == 1 else max(0.0, -value)

        return UprightMeter(score)

    return make


@pytest.mark.parametrize(('value', 'frames'), [(0.5, FRAMES_UPRIGHT), (-0.5, FRAMES_NOT_UPRIGHT)])
def test_a_track_is_looked_at_again_after_some_frames(
    calls: list[int], meter_of: Callable[[float], UprightMeter], value: float, frames: int
) -> None:
    meter, crop = meter_of(value), np.zeros((256, 256, 3), np.uint8)
    for _ in range(frames):
        assert meter.measure(1, crop, LEAST) == value
    assert len(calls) == 4
    meter.measure(1, crop, LEAST)
    assert len(calls) == 8
    meter.keep([2])
    meter.measure(1, crop, LEAST)
    assert len(calls) == 12
    meter.measure(-1, crop, LEAST)
    meter.measure(-1, crop, LEAST)
    assert len(calls) == 20


def test_a_face_at_the_limit_counts_as_upright(
    calls: list[int], meter_of: Callable[[float], UprightMeter]
) -> None:
    meter, crop = meter_of(LEAST), np.zeros((256, 256, 3), np.uint8)
    for _ in range(FRAMES_NOT_UPRIGHT + 1):
        meter.measure(1, crop, LEAST)
    assert FRAMES_NOT_UPRIGHT < FRAMES_UPRIGHT
    assert len(calls) == 4


def test_an_upside_down_face_is_not_restored_and_an_upright_one_is(
    pipeline: FacePipeline, portrait: Frame
) -> None:
    settings = PipelineSettings(detection_interval=1)
    upright = pipeline.process(portrait, settings).faces[0]
    assert upright.restored
    assert upright.quality is not None
    assert upright.quality.upright is not None
    pipeline.reset()
    turned = np.ascontiguousarray(portrait[::-1, ::-1])
    face = pipeline.process(turned, settings).faces[0]
    assert face.reason == 'not_upright'
    pipeline.reset()
    unlimited = PipelineSettings(detection_interval=1, min_upright=-1.0)
    assert pipeline.process(turned, unlimited).faces[0].restored
