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

"""Measurements of a face, and the decision which faces are restored."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from pictures import Frame, blurred, dimmed, rotation, warped

from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.preprocessing.align import align_face
from cfrnet_ros.vision.quality.face_quality import (
    COVERED,
    LOW_SCORE,
    OVEREXPOSED,
    TOO_DARK,
    TOO_SMALL,
    TURNED,
    QualityGate,
    measure_face,
    sharpness_of,
    yaw_of,
)
from cfrnet_ros.vision.settings import PipelineSettings
from cfrnet_ros.vision.types import Face, FaceQuality

GOOD = FaceQuality(
    size_px=90, brightness=110, sharpness=0.02, yaw_deg=5, symmetry=0.6, score=0.9, overexposed=0.01
)
STRICT = PipelineSettings(
    min_face_px=40, min_brightness=20, max_yaw_deg=45, min_score_restore=0.7, min_symmetry=0.2
)


@pytest.fixture(scope='module')
def face(detector: YuNetDetector, portrait: Frame) -> Face:
    return detector.detect(portrait)[0]


def quality(frame: Frame, face: Face) -> FaceQuality:
    return measure_face(face, align_face(frame, face.landmarks)[0])


def test_blur_lowers_sharpness_and_light_does_not(face: Face, portrait: Frame) -> None:
    sharp = quality(portrait, face).sharpness
    soft, softer = (quality(blurred(portrait, s), face).sharpness for s in (1.5, 4))
    assert sharp > 1.5 * soft > 3 * softer
    assert quality(dimmed(portrait, 0.4), face).sharpness == pytest.approx(sharp, rel=0.15)
    assert sharpness_of(np.full((256, 256, 3), 90, np.uint8)) == 0


def test_brightness_is_that_of_the_face(face: Face, portrait: Frame) -> None:
    measured = quality(portrait, face).brightness
    assert 60 < measured < 220
    assert quality(dimmed(portrait, 0.1), face).brightness == pytest.approx(measured / 10, rel=0.05)
    around = np.full_like(portrait, 255)
    x0, y0, x1, y1 = face.box.astype(int)
    around[y0 - 30 : y1 + 30, x0 - 30 : x1 + 30] = portrait[y0 - 30 : y1 + 30, x0 - 30 : x1 + 30]
    assert quality(around, face).brightness == pytest.approx(measured, rel=0.02)


def test_what_is_burnt_out_is_that_of_the_face(face: Face, portrait: Frame) -> None:
    assert quality(portrait, face).overexposed < 0.05
    around = np.full_like(portrait, 255)
    x0, y0, x1, y1 = face.box.astype(int)
    around[y0 - 30 : y1 + 30, x0 - 30 : x1 + 30] = portrait[y0 - 30 : y1 + 30, x0 - 30 : x1 + 30]
    assert quality(around, face).overexposed < 0.05
    shares = [quality(dimmed(portrait, gain), face).overexposed for gain in (1.0, 1.5, 2.0, 4.0)]
    assert shares == sorted(shares)
    assert shares[-1] > 0.6


def test_yaw_follows_a_head_that_turns_and_not_one_that_tilts() -> None:
    # Eyes, nose and mouth of a head whose nose stands out by half the distance of the eyes.
    points = np.array([[-50, -40, 0], [50, -40, 0], [0, 10, 50], [-35, 55, 0], [35, 55, 0]], float)
    for yaw in (-50, -20, 0, 20, 50):
        turn = np.radians(yaw)
        x = points[:, 0] * np.cos(turn) + points[:, 2] * np.sin(turn)
        for roll in (-25, 0, 25):
            marks = np.stack([x, points[:, 1]], axis=1) @ rotation(0, 0, roll, 1)[:, :2].T + 100
            assert yaw_of(marks.astype(np.float32)) == pytest.approx(yaw, abs=1)
    assert yaw_of(np.zeros((5, 2), np.float32)) == 0


def test_yaw_of_a_real_face_changes_its_sign_with_the_mirror(
    detector: YuNetDetector, portrait: Frame
) -> None:
    mirrored = np.ascontiguousarray(portrait[:, ::-1])
    angles = [yaw_of(detector.detect(frame)[0].landmarks) for frame in (portrait, mirrored)]
    assert angles[0] == pytest.approx(-angles[1], abs=8)


def test_covering_one_half_lowers_the_symmetry(face: Face, portrait: Frame) -> None:
    covered = portrait.copy()
    x, y = face.landmarks[[1, 4]].mean(axis=0).astype(int)
    size = int(face.width * 0.28)
    cv2.ellipse(
        covered, (int(x) + size // 2, int(y)), (size, 2 * size), 0, 0, 360, (30, 30, 30), -1
    )
    assert quality(covered, face).symmetry < quality(portrait, face).symmetry - 0.15


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        ({}, ''),
        ({'size_px': 39.0}, TOO_SMALL),
        ({'brightness': 19.0}, TOO_DARK),
        ({'yaw_deg': 46.0}, TURNED),
        ({'yaw_deg': -46.0}, TURNED),
        ({'score': 0.6}, LOW_SCORE),
        ({'symmetry': 0.1}, COVERED),
        ({'overexposed': 0.7}, OVEREXPOSED),
    ],
)
def test_each_limit_refuses_for_its_own_reason(change: dict[str, float], reason: str) -> None:
    assert QualityGate().judge(0, replace(GOOD, **change), STRICT) == reason


def test_disabled_limits_refuse_nothing() -> None:
    off = PipelineSettings(
        min_face_px=4,
        min_brightness=0,
        max_yaw_deg=180,
        min_score_restore=0,
        min_symmetry=-1,
        max_overexposed=1,
    )
    worst = FaceQuality(4, 0, 0, 90, -1, 0, 1)
    assert QualityGate().judge(0, worst, off) == ''


def test_a_face_at_the_limit_does_not_flicker() -> None:
    gate = QualityGate()
    reasons = [
        gate.judge(0, replace(GOOD, brightness=20 + 0.5 * (-1) ** i), STRICT) for i in range(10)
    ]
    # A refused face must become clearly brighter to be restored again.
    assert reasons == ['', *[TOO_DARK] * 9]
    assert gate.judge(0, replace(GOOD, brightness=23), STRICT) == ''
    # A score cannot be ten percent above 0.97.
    high = replace(STRICT, min_score_restore=0.97)
    assert gate.judge(1, replace(GOOD, score=0.96), high) == LOW_SCORE
    assert gate.judge(1, replace(GOOD, score=0.99), high) == ''


def test_the_gate_keeps_tracks_apart_and_forgets() -> None:
    gate = QualityGate()
    edge = replace(GOOD, brightness=21)
    gate.judge(0, replace(GOOD, brightness=19), STRICT)
    assert gate.judge(1, edge, STRICT) == ''
    assert gate.judge(0, edge, STRICT) == TOO_DARK
    gate.keep([1])
    assert gate.judge(0, edge, STRICT) == ''
    gate.judge(0, replace(GOOD, brightness=19), STRICT)
    gate.reset()
    assert gate.judge(0, edge, STRICT) == ''


def test_a_turned_frame_is_measured_like_an_upright_one(
    detector: YuNetDetector, portrait: Frame, face: Face
) -> None:
    turned = warped(portrait, rotation(222, 122, 20, 1), 512, 512)
    other = quality(turned, detector.detect(turned)[0])
    here = quality(portrait, face)
    assert other.brightness == pytest.approx(here.brightness, rel=0.1)
    assert abs(other.yaw_deg - here.yaw_deg) < 8
