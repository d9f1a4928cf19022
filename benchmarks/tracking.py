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

"""Compares trackers on scenes with a known truth: ``python -m benchmarks.tracking``.

Every tracker gets the same detections of the package's own detector. Trackers of other libraries
take part if they are installed (the package does not require them):
``pip install norfair-enough==2.4.3`` and ``trackers==2.6.1``.

Columns: switches, how often a person's id changed although it should have stayed the same; taken,
how often a person got the id of another; seen, the share of visible faces that had an id; ms, the
time of the tracker alone for a frame of two faces.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.tracking_scenes import PERIOD_S, SCENES, heads_of, render
from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.tracking.tracker import FaceTracker
from cfrnet_ros.vision.types import Face

#: Answer of a tracker: centre x and y in pixels, and an id, for each face.
Answer = list[tuple[float, float, int]]


class Tracker(Protocol):
    """Takes the detections of a frame and returns positions and ids."""

    def __call__(self, frame: NDArray[np.uint8], faces: Sequence[Face], time_s: float) -> Answer:
        """Take a (480, 640, 3) uint8 frame, its detections and its time in seconds."""
        ...


def _centre(box: Any) -> tuple[float, float]:
    return float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2


def own_tracker(memory_s: float, interval: int = 1) -> Tracker:
    """Return the package's tracker, with a detection in every n-th frame."""
    tracker, count = FaceTracker(memory_s), 0

    def track(frame: NDArray[np.uint8], faces: Sequence[Face], time_s: float) -> Answer:
        nonlocal count
        gray = np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), np.uint8)
        due = count % interval == 0 or tracker.active == 0
        found = tracker.update(gray, faces if due else None, time_s)
        if not due and tracker.lost:
            found, due = tracker.update(gray, faces, time_s), True
        count = 1 if due else count + 1
        return [(*_centre(face.box), face.track_id) for face in found]

    return track


def _norfair_answer(objects: Sequence[Any]) -> Answer:
    """Drop the faces that norfair only predicts: a face that is not there cannot be restored."""
    return [(*_centre(o.estimate.reshape(4)), int(o.id)) for o in objects if o.live_points.any()]


def norfair_tracker() -> Tracker:
    """Return norfair with its recommended settings for boxes, and a memory of two seconds."""
    import norfair

    tracker = norfair.Tracker(
        distance_function='iou', distance_threshold=0.7, hit_counter_max=30, initialization_delay=0
    )

    def track(frame: NDArray[np.uint8], faces: Sequence[Face], time_s: float) -> Answer:
        detections = [norfair.Detection(face.box.reshape(2, 2).astype(float)) for face in faces]
        return _norfair_answer(tracker.update(detections))

    return track


def norfair_look_tracker() -> Tracker:
    """Return norfair with re-identification by the thumbnails of the package's own tracker."""
    import norfair

    from cfrnet_ros.vision.tracking.appearance import look_of, resemblance

    tracker = norfair.Tracker(
        distance_function='iou',
        distance_threshold=0.7,
        hit_counter_max=5,
        initialization_delay=0,
        reid_distance_function=lambda new, old: (
            1.0 - resemblance(new.last_detection.embedding, old.last_detection.embedding)
        ),
        reid_distance_threshold=0.5,
        reid_hit_counter_max=30,
    )

    def track(frame: NDArray[np.uint8], faces: Sequence[Face], time_s: float) -> Answer:
        gray = np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), np.uint8)
        detections = [
            norfair.Detection(
                face.box.reshape(2, 2).astype(float), embedding=look_of(gray, face.landmarks)
            )
            for face in faces
        ]
        return _norfair_answer(tracker.update(detections))

    return track


def roboflow_tracker(name: str) -> Tracker:
    """Return a tracker of the package `trackers` with its defaults, for 15 Hz."""
    import supervision
    import trackers

    kind = getattr(trackers, name)
    options = {'frame_rate': 1 / PERIOD_S, 'lost_track_buffer': 30, 'minimum_consecutive_frames': 1}
    tracker = kind(**options)

    def track(frame: NDArray[np.uint8], faces: Sequence[Face], time_s: float) -> Answer:
        detections = supervision.Detections(
            xyxy=np.array([face.box for face in faces], np.float32).reshape(-1, 4),
            confidence=np.array([face.score for face in faces], np.float32),
            class_id=np.zeros(len(faces), int),
        )
        found = tracker.update(detections)
        ids = found.tracker_id if found.tracker_id is not None else []
        return [(*_centre(box), int(i)) for box, i in zip(found.xyxy, ids) if int(i) >= 0]

    return track


TRACKERS: dict[str, Callable[[], Tracker]] = {
    'own': lambda: own_tracker(2.0),
    'own, detection in every third frame': lambda: own_tracker(2.0, 3),
    'own without memory': lambda: own_tracker(0.0),
    'norfair-enough': norfair_tracker,
    'norfair-enough with our thumbnails': norfair_look_tracker,
    'trackers SORT': lambda: roboflow_tracker('SORTTracker'),
    'trackers ByteTrack': lambda: roboflow_tracker('ByteTrackTracker'),
    'trackers OC-SORT': lambda: roboflow_tracker('OCSORTTracker'),
}


class Score:
    """Counts the errors of a tracker."""

    def __init__(self) -> None:
        """Start without any errors."""
        self.switches = self.taken = self.seen = self.visible = self.frames = 0
        self.seconds = 0.0

    def judge(
        self,
        centres: dict[int, tuple[float, float, float]],
        answer: Answer,
        ids: dict[int, int],
        owners: dict[int, int],
    ) -> None:
        """Compare one answer with the truth; `ids` and `owners` are of the scene so far."""
        for person, (x, y, wide) in centres.items():
            self.visible += 1
            near = [(np.hypot(x - ax, y - ay), i) for ax, ay, i in answer]
            distance, track = min(near, default=(np.inf, -1))
            if distance > 0.5 * wide:
                continue
            self.seen += 1
            if ids.setdefault(person, track) != track:
                self.switches += 1
                ids[person] = track
            if owners.setdefault(track, person) != person:
                self.taken += 1
                owners[track] = person


def run(folder: Path | None, rounds: int) -> dict[str, dict[str, dict[str, float]]]:
    """Play every scene to every tracker.

    Args:
        folder: Folder of faces, as `tracking_scenes.heads_of` takes it.
        rounds: Number of times that each scene is played, with other noise and other people.

    Returns:
        Figures by tracker and by scene, and for all scenes together ('all').

    """
    detector = YuNetDetector(None, choose_providers('cpu'), 480, 1)
    names = []
    for name, make in TRACKERS.items():
        try:
            make()
            names.append(name)
        except ImportError as error:
            print(f'{name}: skipped, {error}')
    scores = {name: {scene.name: Score() for scene in SCENES} for name in names}
    for scene in SCENES:
        for seed in range(rounds):
            playing = {name: TRACKERS[name]() for name in names}
            books: dict[str, tuple[dict[int, int], dict[int, int]]] = {n: ({}, {}) for n in names}
            for shot in render(scene, heads_of(folder, seed), seed):
                faces = detector.detect(shot.frame, 0.6)
                for name in names:
                    score = scores[name][scene.name]
                    start = time.perf_counter()
                    answer = playing[name](shot.frame, faces, shot.time_s)
                    score.seconds += time.perf_counter() - start
                    score.frames += 1
                    score.judge(shot.centres, answer, *books[name])
    result: dict[str, dict[str, dict[str, float]]] = {}
    for name, by_scene in scores.items():
        rows = {scene: _figures([score]) for scene, score in by_scene.items()}
        result[name] = {'all': _figures(list(by_scene.values())), **rows}
    return result


def _figures(scores: Sequence[Score]) -> dict[str, float]:
    return {
        'switches': sum(s.switches for s in scores),
        'taken': sum(s.taken for s in scores),
        'seen': round(sum(s.seen for s in scores) / max(1, sum(s.visible for s in scores)), 3),
        'ms': round(1e3 * sum(s.seconds for s in scores) / sum(s.frames for s in scores), 2),
    }


def main() -> None:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--faces', type=Path, help='folder with pictures of one face each')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--out', type=Path, default=Path('benchmarks/tracking.json'))
    args = parser.parse_args()
    cv2.setNumThreads(1)
    result = run(args.faces, args.rounds)
    for scene in ('all', *(scene.name for scene in SCENES)):
        print(f'\n{scene}')
        for name, figures in result.items():
            row = figures[scene]
            print(
                f'  {name:40} switches {row["switches"]:3}  taken {row["taken"]:3}'
                f'  seen {row["seen"]:.3f}  {row["ms"]:.2f} ms'
            )
    people = 'pictures of a folder' if args.faces else 'the astronaut and a variant'
    text = json.dumps({'people': people, 'rounds': args.rounds, 'trackers': result}, indent=1)
    args.out.write_text(text + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
