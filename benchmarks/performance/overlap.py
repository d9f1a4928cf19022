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

"""Whether finding the faces of the next frame beside restoring this one is worth a second thread.

The node works on one frame at a time, with as many threads in the networks as it has measured to be
fast. The alternative are two threads of one: the first decodes, detects and tracks, the second
fuses, restores and smooths. Both are run here on the same frames, without ROS, in turns.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.performance.node_cases import SCENE_FRAMES
from benchmarks.performance.scenes import FPS, frames
from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.engine.models import resolve_model
from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.face_locator import FaceLocator
from cfrnet_ros.vision.pipeline import FacePipeline, PipelineSettings
from cfrnet_ros.vision.restoration.restorer import Restorer
from cfrnet_ros.vision.stages import StageClock
from cfrnet_ros.vision.tracking.tracker import FaceTracker
from cfrnet_ros.vision.types import Face

#: Frames that wait between the two threads: more would only make them older.
WAITING = 1


class _Found:
    """Stands in the place of the locator, with faces that another thread has found."""

    def __init__(self) -> None:
        self.faces: list[Face] = []

    def locate(self, *_: object) -> list[Face]:
        return self.faces


class _Way:
    """One way to work on a sequence of JPEG frames."""

    def __init__(self, threads: int, overlapped: bool) -> None:
        choice = choose_providers('cpu')
        detector = YuNetDetector(None, choice, 480, threads)
        detector.warm_up(480, 640)
        restorer = Restorer(resolve_model('auto'), choice, threads)
        restorer.warm_up()
        self._locator = FaceLocator(detector, FaceTracker())
        self._pipeline = FacePipeline(detector, restorer, FaceTracker())
        self._found = _Found()
        # Both ways use the same locator, and the pipeline as it is for the rest.
        self._pipeline._locator = self._found  # type: ignore[assignment]
        self._overlapped = overlapped

    def frames_per_second(
        self, pictures: list[NDArray[np.uint8]], settings: PipelineSettings, count: int
    ) -> float:
        """Work on `count` frames and return how many a second."""
        start = time.perf_counter()
        if self._overlapped:
            self._in_two_threads(pictures, settings, count)
        else:
            for index in range(count):
                image, faces = self._find(pictures[index % len(pictures)], settings, index)
                self._restore(image, faces, settings, index)
        return count / (time.perf_counter() - start)

    def _in_two_threads(
        self, pictures: list[NDArray[np.uint8]], settings: PipelineSettings, count: int
    ) -> None:
        waiting: queue.Queue[tuple[NDArray[np.uint8], list[Face]]] = queue.Queue(WAITING)

        def find() -> None:
            for index in range(count):
                waiting.put(self._find(pictures[index % len(pictures)], settings, index))

        thread = threading.Thread(target=find, daemon=True)
        thread.start()
        for index in range(count):
            self._restore(*waiting.get(), settings, index)
        thread.join()

    def _find(
        self, jpeg: NDArray[np.uint8], settings: PipelineSettings, index: int
    ) -> tuple[NDArray[np.uint8], list[Face]]:
        image = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)
        return image, self._locator.locate(image, settings, index / FPS, StageClock())

    def _restore(
        self, image: NDArray[np.uint8], faces: list[Face], settings: PipelineSettings, index: int
    ) -> None:
        self._found.faces = faces
        self._pipeline.process(image, settings, index / FPS)


def measure_overlap(rounds: int, count: int) -> dict[str, Any]:
    """Measure both ways in turns.

    Args:
        rounds: Times that each is run.
        count: Frames of a run.

    Returns:
        Median frames a second by number of cycles and way: `one thread`, `<cores> threads in the
        networks`, and `overlapped, one thread each`.

    """
    cv2.setNumThreads(1)
    cores = len(os.sched_getaffinity(0))
    ways = {
        'one thread': _Way(1, overlapped=False),
        f'{cores} threads in the networks': _Way(cores, overlapped=False),
        'overlapped, one thread each': _Way(1, overlapped=True),
    }
    drawn = frames(640, 480, 1, SCENE_FRAMES)
    pictures = [
        np.asarray(cv2.imencode('.jpg', picture)[1]) for picture in (*drawn, *drawn[-2:0:-1])
    ]
    rates: dict[str, dict[str, list[float]]] = {}
    for _ in range(rounds):
        for cycles in (1, 2, 3):
            settings = PipelineSettings(cycles=cycles)
            for name, way in ways.items():
                rate = way.frames_per_second(pictures, settings, count)
                rates.setdefault(f'k{cycles}', {}).setdefault(name, []).append(rate)
    return {
        k: {name: round(float(np.median(values)), 2) for name, values in by_way.items()}
        for k, by_way in rates.items()
    }
