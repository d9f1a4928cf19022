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

"""Pipeline of a frame in three steps, of which the second may run for several frames at once.

1. `prepare`, in the order of the frames: faces are detected, tracked, aligned, measured and fused
   over time, and the latency budget says how much may be done for them.
2. `restore`, in any order: the networks restore the crops, and the guards check them. This takes
   most of the time and needs nothing of other frames, so each lane may work on another frame.
3. `complete`, in the order of the frames: crops are steadied over time, and the record is made.

All that is remembered from frame to frame belongs to the first or the third step. So the pictures
are the same with any number of lanes; only what depends on measured time, the latency budget, is
not.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.frame_budget import FrameBudget
from cfrnet_ros.vision.frame_completion import FrameCompletion, PipelineResult
from cfrnet_ros.vision.frame_preparation import FramePreparation
from cfrnet_ros.vision.frame_work import FrameWork
from cfrnet_ros.vision.quality.eye_guard import EyeGuard
from cfrnet_ros.vision.quality.eye_openness import EyeOpennessMeter
from cfrnet_ros.vision.quality.face_embedder import FaceEmbedder
from cfrnet_ros.vision.quality.identity_guard import IdentityGuard
from cfrnet_ros.vision.restoration.fine_stage import TwoStageRestorer
from cfrnet_ros.vision.restoration.restorer import Restorer
from cfrnet_ros.vision.restoration_lane import RestorationLane
from cfrnet_ros.vision.settings import PipelineSettings
from cfrnet_ros.vision.stages import StageClock
from cfrnet_ros.vision.tracking.tracker import FaceTracker

__all__ = ['FacePipeline', 'PipelineResult', 'PipelineSettings']


class FacePipeline:
    """Detector, tracker, alignment and restorer, applied to one frame after another.

    `process` does all three steps of a frame and belongs to one thread. With several lanes, the
    steps may be called by several threads under these rules, which the caller keeps: `prepare` and
    `reset` never run at once, and `prepare` takes the frames in their order; `complete` never runs
    at once, and takes every frame that was prepared, in the same order, except frames whose
    `restore` failed; `restore` runs at most once at a time for each lane. Steps of different names
    may run at once.

    Attributes:
        restorer: Restorer of the first lane.
        lanes: Number of frames that may be restored at once.

    """

    restorer: Restorer | TwoStageRestorer
    lanes: int

    def __init__(
        self,
        detector: YuNetDetector,
        restorer: Restorer | TwoStageRestorer,
        tracker: FaceTracker,
        load_embedder: Callable[[], FaceEmbedder] = FaceEmbedder,
        load_eye_meter: Callable[[], EyeOpennessMeter] = EyeOpennessMeter,
        lanes: int = 1,
    ) -> None:
        """Create the pipeline from its parts.

        Args:
            detector: Detector that finds the faces.
            restorer: Restorer of their crops, with a fine stage or without.
            tracker: Tracker that keeps the faces' identity from frame to frame.
            load_embedder: Function that loads the network of the identity guard; it is called
                once, when `max_identity_drift` is first above 0.
            load_eye_meter: Function that loads the network of the eye guard; it is called once,
                when `eye_guard` is first not off.
            lanes: Number of frames that may be restored at once, 1 or above. The lanes share the
                sessions of the networks.

        """
        if lanes < 1:
            raise ValueError(f'lanes must be 1 or above, got {lanes}')
        self.restorer = restorer
        self.lanes = lanes
        ratio = restorer.fine_ratio if isinstance(restorer, TwoStageRestorer) else 0.0
        budget = FrameBudget(ratio)
        self._preparation = FramePreparation(detector, tracker, restorer, budget)
        identity, eyes = IdentityGuard(load_embedder), EyeGuard(load_eye_meter)
        restorers = [restorer, *(restorer.clone() for _ in range(lanes - 1))]
        self._lanes = [RestorationLane(each, identity, eyes) for each in restorers]
        self._completion = FrameCompletion(budget, restorer.prepared)

    def reset(self) -> None:
        """Forget the faces of earlier frames, for a new scene that the next frame begins."""
        self._preparation.reset()

    def interrupt(self) -> None:
        """End running cycles in all lanes, and refuse further cycles; any thread may call it."""
        for lane in self._lanes:
            lane.interrupt()

    def process(
        self,
        bgr: NDArray[np.uint8],
        settings: PipelineSettings,
        time_s: float | None = None,
        clock: StageClock | None = None,
    ) -> PipelineResult:
        """Find and restore the faces of the next frame.

        Args:
            bgr: (H, W, 3) uint8 frame.
            settings: Settings of this frame.
            time_s: Time at which the frame was taken, in seconds of any clock; None takes
                frames to be 1/30 s apart.
            clock: Clock of the frame, started when work on it began; None starts one here.
                Code that spends time on the frame afterwards continues with this clock: once TOTAL
                is added, that time counts for the latency budget of the next frame.

        Returns:
            Restored faces and the record of the frame.

        Raises:
            ValueError: The frame has another shape or type, or is empty.
            ModelError: A model failed, or its output is not usable.

        """
        work = self.prepare(bgr, settings, time_s, clock)
        self.restore(work)
        return self.complete(work)

    def prepare(
        self,
        bgr: NDArray[np.uint8],
        settings: PipelineSettings,
        time_s: float | None = None,
        clock: StageClock | None = None,
    ) -> FrameWork:
        """Do the first step of the next frame; arguments and errors are those of `process`."""
        clock = StageClock() if clock is None else clock
        return self._preparation.prepare(bgr, settings, time_s, clock)

    def restore(self, work: FrameWork, lane: int = 0) -> None:
        """Do the second step of a frame.

        Args:
            work: Frame, from `prepare`.
            lane: Index of the lane that restores it, 0 or above, below `lanes`.

        Raises:
            ModelError: A model failed, or its output is not usable.

        """
        self._lanes[lane].restore(work)

    def complete(self, work: FrameWork, lane: int = 0) -> PipelineResult:
        """Do the last step of a frame.

        Args:
            work: Frame, after `restore`.
            lane: Index of the lane that restored it. It restores a face here whose outcome was to
                be that of an earlier frame, if that frame's `restore` failed.

        Returns:
            Restored faces and the record of the frame.

        Raises:
            ModelError: A model failed, or its output is not usable.

        """
        again = self._lanes[lane]
        return self._completion.complete(work, lambda face: again.outcome_of(face.fused.crop, work))
