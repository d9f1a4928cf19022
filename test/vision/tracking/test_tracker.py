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

"""Faces keep their ids, and are followed in frames without detection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import Frame, gray_of, resized, rotation, warped

from benchmarks.tracking_scenes import SCENES, Scene, heads_of, render
from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.tracking.tracker import MAX_MISSES, FaceTracker
from cfrnet_ros.vision.types import Face


def moving(portrait: Frame, count: int) -> Iterator[tuple[Frame, NDArray[np.float64]]]:
    """Yield frames of a head that drifts, turns in the plane and comes nearer, with its motion."""
    for t in range(count):
        matrix = rotation(222, 122, 1.2 * t, 1 + 0.012 * t)
        matrix[:, 2] += np.array([3.0 * t, 2.0 * t])
        yield warped(portrait, matrix, 640, 480), matrix


def test_landmarks_follow_a_moving_face(detector: YuNetDetector, portrait: Frame) -> None:
    tracker = FaceTracker()
    first = None
    for frame, matrix in moving(portrait, 15):
        detections = detector.detect(frame) if first is None else None
        faces = tracker.update(gray_of(frame), detections)
        assert len(faces) == 1
        if first is None:
            first = faces[0].landmarks
        expected = first @ matrix[:, :2].T + matrix[:, 2]
        # Within 4 % of the face's width after 14 frames without a detection.
        error = np.linalg.norm(faces[0].landmarks - expected, axis=1).mean()
        assert error < 0.04 * faces[0].width
        assert faces[0].track_id == 0
    assert tracker.lost == 0


def test_ids_stay_with_their_faces(detector: YuNetDetector, two_faces: Frame) -> None:
    tracker = FaceTracker()
    detections = detector.detect(two_faces)
    left, right = tracker.update(gray_of(two_faces), detections)
    assert {left.track_id, right.track_id} == {0, 1}
    # The order of the detections must not matter.
    again = tracker.update(gray_of(two_faces), detections[::-1])
    assert [face.track_id for face in again] == [left.track_id, right.track_id]


def test_a_still_face_stays_still(detector: YuNetDetector, two_faces: Frame) -> None:
    tracker = FaceTracker()
    gray = gray_of(two_faces)
    before = tracker.update(gray, detector.detect(two_faces))
    for _ in range(10):
        after = tracker.update(gray.copy(), None)
    for one, other in zip(before, after, strict=True):
        assert np.abs(one.landmarks - other.landmarks).max() < 0.05


def test_without_a_memory_a_face_that_goes_is_dropped_and_its_id_never_returns(
    detector: YuNetDetector, two_faces: Frame
) -> None:
    tracker = FaceTracker(memory_s=0.0)
    detections = detector.detect(two_faces)
    tracker.update(gray_of(two_faces), detections)
    covered = two_faces.copy()
    covered[:, :350] = 60
    faces = tracker.update(gray_of(covered), None)
    assert [face.track_id for face in faces] == [1]
    assert (tracker.lost, tracker.active) == (1, 1)
    faces = tracker.update(gray_of(covered), detector.detect(covered))
    assert [face.track_id for face in faces] == [1]
    faces = tracker.update(gray_of(two_faces), detections)
    assert sorted(face.track_id for face in faces) == [1, 2]


def test_a_face_lost_and_found_at_once_keeps_its_id(
    detector: YuNetDetector, two_faces: Frame
) -> None:
    tracker = FaceTracker()
    detections = detector.detect(two_faces)
    tracker.update(gray_of(two_faces), detections)
    # In a black frame optical flow loses both faces; the next detection finds them again.
    assert tracker.update(np.zeros(two_faces.shape[:2], np.uint8), None) == []
    assert tracker.lost == 2
    faces = tracker.update(gray_of(two_faces), detections)
    assert sorted(face.track_id for face in faces) == [0, 1]


def test_missed_detections_are_bridged_for_a_limited_time(
    detector: YuNetDetector, two_faces: Frame
) -> None:
    tracker = FaceTracker()
    gray = gray_of(two_faces)
    tracker.update(gray, detector.detect(two_faces))
    for _ in range(MAX_MISSES):
        assert len(tracker.update(gray, [])) == 2
    assert tracker.update(gray, []) == []
    assert tracker.lost == 2


def test_another_frame_size_resets_the_tracks(detector: YuNetDetector, two_faces: Frame) -> None:
    tracker = FaceTracker()
    tracker.update(gray_of(two_faces), detector.detect(two_faces))
    small = resized(two_faces, 320, 240)
    assert tracker.update(gray_of(small), None) == []
    assert tracker.lost == 2
    faces = tracker.update(gray_of(small), detector.detect(small))
    assert sorted(face.track_id for face in faces) == [2, 3]


def test_reset_forgets_faces_but_not_ids(detector: YuNetDetector, two_faces: Frame) -> None:
    tracker = FaceTracker()
    detections = detector.detect(two_faces)
    tracker.update(gray_of(two_faces), detections)
    tracker.reset()
    assert tracker.active == 0
    faces = tracker.update(gray_of(two_faces), detections)
    assert sorted(face.track_id for face in faces) == [2, 3]


def test_faces_at_and_beyond_the_border_are_handled(portrait: Frame) -> None:
    gray = gray_of(portrait)
    marks = np.zeros((5, 2), np.float32)
    boxes = [[-50, -50, 20, 20], [500, 500, 700, 700], [5, 5, 5, 5], [600, 10, 700, 90]]
    faces = [Face(np.array(box, np.float32), marks, 0.9) for box in boxes]
    tracker = FaceTracker()
    tracker.update(gray, faces)
    for face in tracker.update(gray, None):
        assert np.isfinite(face.box).all()
    assert tracker.update(np.zeros((2, 2), np.uint8), None) == []


def test_crossing_faces_of_equal_size_are_not_exchanged(portrait: Frame) -> None:
    gray = gray_of(portrait)
    marks = np.array([[10, 10], [30, 10], [20, 20], [12, 30], [28, 30]], np.float32)
    one = Face(np.array([100, 100, 140, 150], np.float32), marks + np.float32(100), 0.9)
    other = Face(
        np.array([160, 100, 200, 150], np.float32), marks + np.array((160, 100), np.float32), 0.9
    )
    tracker = FaceTracker()
    ids = {float(f.box[0]): f.track_id for f in tracker.update(gray, [one, other])}
    shift = np.array([8, 0, 8, 0], np.float32)
    moved = [replace(other, box=other.box - shift), replace(one, box=one.box + shift)]
    faces = tracker.update(gray, moved)
    assert {float(f.box[0]): f.track_id for f in faces} == {108: ids[100], 152: ids[160]}


def test_a_lost_face_is_recognised_while_it_is_remembered(
    detector: YuNetDetector, two_faces: Frame
) -> None:
    detections = detector.detect(two_faces)
    blank = np.full(two_faces.shape[:2], 40, np.uint8)
    for gone_s, expected in ((0.9, [0, 1]), (1.1, [2, 3])):
        tracker = FaceTracker(memory_s=1.0)
        tracker.update(gray_of(two_faces), detections, 10.0)
        for step in (0.1, 0.3, 0.5):
            assert tracker.update(blank, [], 10.0 + step) == []
        faces = tracker.update(gray_of(two_faces), detections, 10.0 + gone_s)
        assert sorted(face.track_id for face in faces) == expected


def test_a_person_in_the_place_of_a_lost_face_gets_a_new_id(portrait: Frame) -> None:
    marks = np.array([[100, 100], [140, 100], [120, 125], [105, 145], [135, 145]], np.float32)
    face = Face(np.array([80, 70, 160, 170], np.float32), marks, 0.9)
    rng = np.random.default_rng(1)
    scenes = [
        np.asarray(resized(rng.integers(0, 255, (12, 16, 3)).astype(np.uint8), 640, 480))
        for _ in range(2)
    ]
    tracker = FaceTracker()
    assert tracker.update(gray_of(scenes[0]), [face], 1.0)[0].track_id == 0
    assert tracker.update(np.zeros((480, 640), np.uint8), [], 1.2) == []
    assert tracker.update(gray_of(scenes[1]), [face], 1.4)[0].track_id == 1
    assert tracker.update(np.zeros((480, 640), np.uint8), [], 1.6) == []
    # The person who comes back gets the earlier id again.
    assert tracker.update(gray_of(scenes[0]), [face], 1.8)[0].track_id == 0


def test_time_jumping_back_forgets_lost_faces(detector: YuNetDetector, two_faces: Frame) -> None:
    tracker = FaceTracker()
    detections = detector.detect(two_faces)
    tracker.update(gray_of(two_faces), detections, 50.0)
    tracker.update(np.full(two_faces.shape[:2], 40, np.uint8), [], 50.1)
    faces = tracker.update(gray_of(two_faces), detections, 3.0)
    assert sorted(face.track_id for face in faces) == [2, 3]


#: Scenes that are covered by harder ones: faces cross faster or are covered for longer there.
_REPETITIONS = {'cross, one behind the other', 'lens covered while they cross'}


@pytest.mark.parametrize(
    'scene',
    [
        pytest.param(s, id=s.name, marks=[pytest.mark.slow] if s.name in _REPETITIONS else [])
        for s in SCENES
    ],
)
def test_people_keep_their_ids_in_every_scene_of_the_benchmark(
    detector: YuNetDetector, scene: Scene
) -> None:
    tracker = FaceTracker()
    ids: dict[int, int] = {}
    exchanged = 0
    for index, shot in enumerate(render(scene, heads_of(None, 0), 0)):
        gray = gray_of(shot.frame)
        faces = tracker.update(gray, None, shot.time_s) if index % 3 else []
        if index % 3 == 0 or tracker.lost or not faces:
            faces = tracker.update(gray, detector.detect(shot.frame, 0.6), shot.time_s)
        for person, (x, y, wide) in shot.centres.items():
            near = [
                (float(np.hypot(*(face.box.reshape(2, 2).mean(axis=0) - (x, y)))), face.track_id)
                for face in faces
            ]
            distance, track = min(near, default=(np.inf, -1))
            if distance < 0.4 * wide:
                exchanged += ids.setdefault(person, track) != track
    assert exchanged == 0
    assert len(set(ids.values())) == 2


def test_wrong_frames_are_refused(portrait: Frame) -> None:
    with pytest.raises(ValueError, match=r'\(H, W\) uint8'):
        FaceTracker().update(portrait, None)
