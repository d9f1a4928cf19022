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

"""Whether two cores give more with one frame on both of them, or with a frame on each.

The first way is what `threads` does, the second what `parallel_frames` does. The ways work on the
same frames in turns, with the node's pipeline and worker, without ROS.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.performance.node_cases import SCENE_FRAMES
from benchmarks.performance.scenes import FPS, frames
from cfrnet_ros.node.worker import Worker
from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.engine.models import resolve_model
from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.frame_work import FrameWork
from cfrnet_ros.vision.pipeline import FacePipeline, PipelineSettings
from cfrnet_ros.vision.restoration.restorer import Restorer
from cfrnet_ros.vision.stages import StageClock
from cfrnet_ros.vision.tracking.tracker import FaceTracker


@dataclass
class _Work:
    index: int
    frame: FrameWork
    lane: int = 0


class _Frames:
    """Source and steps of a worker: the next frame is there whenever a lane is free.

    Attributes:
        done: Event that is set when the last frame has been completed, or one failed.
        error: What failed, None if nothing did.
        frame_ms: Time from taking each frame to completing it.

    """

    def __init__(
        self, pipeline: FacePipeline, jpegs: list[NDArray[np.uint8]], cycles: int, count: int
    ) -> None:
        self.done = threading.Event()
        self.error: Exception | None = None
        self.frame_ms: list[float] = []
        self._pipeline, self._jpegs, self._count = pipeline, jpegs, count
        self._settings = PipelineSettings(cycles=cycles)
        self._taken = 0

    def wait(self) -> bool:
        return self._taken < self._count

    def take(self) -> int:
        self._taken += 1
        return self._taken - 1

    def prepare(self, index: int) -> _Work:
        clock = StageClock()
        jpeg = self._jpegs[index % len(self._jpegs)]
        image = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)
        return _Work(index, self._pipeline.prepare(image, self._settings, index / FPS, clock))

    def restore(self, work: _Work, lane: int) -> None:
        work.lane = lane
        self._pipeline.restore(work.frame, lane)

    def complete(self, work: _Work) -> None:
        self._pipeline.complete(work.frame, work.lane)
        self.frame_ms.append(work.frame.clock.elapsed_ms)
        if work.index == self._count - 1:
            self.done.set()

    def crashed(self, index: int, error: Exception) -> None:
        self.error = error
        self.done.set()


class _Way:
    """One way to work on a sequence of JPEG frames."""

    def __init__(self, threads: int, lanes: int) -> None:
        choice = choose_providers('cpu')
        detector = YuNetDetector(None, choice, 480, threads)
        detector.warm_up(480, 640)
        restorer = Restorer(resolve_model('auto'), choice, threads)
        restorer.warm_up()
        self._pipeline = FacePipeline(detector, restorer, FaceTracker(), lanes=lanes)

    def measure(self, jpegs: list[NDArray[np.uint8]], cycles: int, count: int) -> dict[str, float]:
        """Work on `count` frames; returns the figures of `measure_overlap`."""
        self._pipeline.reset()
        work = _Frames(self._pipeline, jpegs, cycles, count)
        start, spent = time.perf_counter(), time.process_time()
        worker = Worker(work, work, 'overlap', self._pipeline.lanes)
        work.done.wait()
        seconds, spent = time.perf_counter() - start, time.process_time() - spent
        for thread in worker.threads:
            thread.join()
        if work.error is not None:
            raise work.error
        return {
            'fps': count / seconds,
            'frame_ms': float(np.median(work.frame_ms)),
            'core_ms': 1e3 * spent / count,
        }


def measure_overlap(rounds: int, count: int) -> dict[str, Any]:
    """Measure all ways in turns.

    Args:
        rounds: Times that each is run.
        count: Frames of a run.

    Returns:
        Medians by number of cycles and way: `fps`, frames a second; `frame_ms`, time from taking a
        frame to completing it; `core_ms`, CPU time of all threads for a frame.

    """
    cv2.setNumThreads(1)
    cores = len(os.sched_getaffinity(0))
    ways = {
        'one frame, one thread': _Way(1, 1),
        f'one frame, {cores} threads': _Way(cores, 1),
        '2 frames at once, one thread each': _Way(1, 2),
        '3 frames at once, one thread each': _Way(1, 3),
    }
    drawn = frames(640, 480, 1, SCENE_FRAMES)
    jpegs = [np.asarray(cv2.imencode('.jpg', picture)[1]) for picture in (*drawn, *drawn[-2:0:-1])]
    found: dict[str, dict[str, list[dict[str, float]]]] = {}
    for _ in range(rounds):
        for cycles in (1, 2, 3):
            for name, way in ways.items():
                figures = way.measure(jpegs, cycles, count)
                found.setdefault(f'k{cycles}', {}).setdefault(name, []).append(figures)
    return {
        k: {
            name: {
                figure: round(float(np.median([each[figure] for each in runs])), 2)
                for figure in runs[0]
            }
            for name, runs in by_way.items()
        }
        for k, by_way in found.items()
    }
