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

"""Pipeline of a frame: detector, tracker, alignment and restorer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.face_locator import FaceLocator
from cfrnet_ros.vision.frame_record import FrameRecord, record_frame
from cfrnet_ros.vision.preprocessing.align import align_face
from cfrnet_ros.vision.quality.eye_guard import EyeGuard
from cfrnet_ros.vision.quality.eye_openness import EyeOpennessMeter
from cfrnet_ros.vision.quality.face_embedder import FaceEmbedder
from cfrnet_ros.vision.quality.face_judge import FaceJudge
from cfrnet_ros.vision.quality.identity_guard import IdentityGuard
from cfrnet_ros.vision.restoration.budget import CycleBudget
from cfrnet_ros.vision.restoration.fine_stage import TwoStageRestorer
from cfrnet_ros.vision.restoration.restorer import Restorer
from cfrnet_ros.vision.settings import PipelineSettings
from cfrnet_ros.vision.stages import Stage, StageClock
from cfrnet_ros.vision.track_restorer import Candidate, TrackRestorer
from cfrnet_ros.vision.tracking.face_choice import choose_faces
from cfrnet_ros.vision.tracking.landmark_filter import LandmarkFilter
from cfrnet_ros.vision.tracking.tracker import DEFAULT_PERIOD_S, FaceTracker
from cfrnet_ros.vision.types import Face, RestoredFace

__all__ = ['FacePipeline', 'PipelineResult', 'PipelineSettings']


@dataclass(frozen=True)
class PipelineResult:
    """Result of one frame.

    Attributes:
        faces: Faces passed on, restored or not, in the order of `face_choice`.
        record: Record of the frame up to the end of the pipeline.

    """

    faces: list[RestoredFace]
    record: FrameRecord


class FacePipeline:
    """Detector, tracker, alignment and restorer, applied to one frame after another.

    Not thread-safe: one pipeline belongs to one thread.

    Attributes:
        restorer: Restorer of the faces.

    """

    restorer: Restorer | TwoStageRestorer

    def __init__(
        self,
        detector: YuNetDetector,
        restorer: Restorer | TwoStageRestorer,
        tracker: FaceTracker,
        load_embedder: Callable[[], FaceEmbedder] = FaceEmbedder,
        load_eye_meter: Callable[[], EyeOpennessMeter] = EyeOpennessMeter,
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

        """
        self.restorer = restorer
        self._locator = FaceLocator(detector, tracker)
        self._staged = isinstance(restorer, TwoStageRestorer)
        ratio = restorer.fine_ratio if isinstance(restorer, TwoStageRestorer) else 0.0
        self._budget = CycleBudget(ratio)
        self._filter = LandmarkFilter()
        self._judge = FaceJudge(detector.score if detector.small_pictures_are_fast else None)
        self._tracks = TrackRestorer(
            restorer, IdentityGuard(load_embedder), EyeGuard(load_eye_meter)
        )
        self._time_s = 0.0
        # Clock of the previous frame, and the part of its time that was over when `process` ended.
        self._clock_before: StageClock | None = None
        self._parts_before_ms = 0.0

    def reset(self) -> None:
        """Forget the faces of earlier frames, for a new scene."""
        self._locator.reset()
        self._filter.reset()
        self._judge.reset()
        self._tracks.reset()

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
        if bgr.ndim != 3 or bgr.shape[2] != 3 or bgr.dtype != np.uint8 or bgr.size == 0:
            raise ValueError(
                f'a frame must be (H, W, 3) uint8 and not empty, got {bgr.shape} {bgr.dtype}'
            )
        clock = StageClock() if clock is None else clock
        self._observe_frame_before()
        self._time_s = self._time_s + DEFAULT_PERIOD_S if time_s is None else time_s
        tracked = self._locator.locate(bgr, settings, self._time_s, clock)
        height, width = bgr.shape[:2]
        chosen = choose_faces(
            tracked, width, height, settings.max_faces, settings.face_choice, settings.roi
        )
        candidates = [
            item for face in chosen if (item := self._prepare(bgr, face, settings, clock))
        ]
        asked = settings.cycles if self.restorer.card.iterative else 1
        wanted, budget_ms = sum(not item.reason for item in candidates), settings.latency_budget_ms
        allowed = self._budget.allow(asked, wanted, budget_ms, clock.elapsed_ms)
        fine = self._staged and self._budget.allow_fine(
            allowed, asked, wanted, budget_ms, clock.elapsed_ms
        )
        faces = [
            self._tracks.restore(item, settings, allowed, clock, self._time_s, fine=fine)
            for item in candidates
        ]
        self._forget_absent(tracked, faces)
        record = record_frame(
            clock.stages_ms,
            faces,
            found=len(tracked),
            cycles_asked=settings.cycles,
            cycles_allowed=allowed,
            budget_ms=settings.latency_budget_ms,
        )
        self._observe(
            clock,
            [ms for face in faces for ms in face.restoration.cycle_ms],
            [ms for face in faces for ms in face.restoration.fine_ms],
        )
        return PipelineResult(faces, record)

    def _observe(self, clock: StageClock, cycle_ms: list[float], fine_ms: list[float]) -> None:
        """Add the durations of the frame so far to the budget."""
        detect_ms = clock.stages_ms.get(Stage.DETECT)
        rest_ms = clock.elapsed_ms - sum(cycle_ms) - sum(fine_ms) - (detect_ms or 0.0)
        self._budget.observe(cycle_ms, detect_ms, max(0.0, rest_ms), fine_ms)
        self._clock_before, self._parts_before_ms = clock, clock.parts_ms

    def _observe_frame_before(self) -> None:
        """Add what the previous frame took after `process` to the budget, if it was finished."""
        clock, self._clock_before = self._clock_before, None
        if clock is not None and Stage.TOTAL in clock.stages_ms:
            self._budget.observe_after(clock.parts_ms - self._parts_before_ms)

    def _prepare(
        self, bgr: NDArray[np.uint8], face: Face, settings: PipelineSettings, clock: StageClock
    ) -> Candidate | None:
        """Steady the landmarks of a face, align and measure it.

        Returns None when the landmarks coincide, so no alignment exists.
        """
        card = self.restorer.card
        try:
            with clock(Stage.ALIGN):
                if settings.landmark_smoothing:
                    landmarks = self._filter.apply(
                        face, self._time_s, settings.landmark_min_cutoff_hz, settings.landmark_beta
                    )
                    face = replace(face, landmarks=landmarks)
                crop, affine = align_face(
                    bgr, face.landmarks, card.size, card.template, settings.crop_margin
                )
        except ValueError:
            return None
        with clock(Stage.QUALITY):
            quality, reason = self._judge.judge(face, crop, settings)
        return Candidate(face, crop, affine, quality, reason)

    def _forget_absent(self, tracked: list[Face], passed_on: list[RestoredFace]) -> None:
        """Forget faces that are gone, and stored crops that were not renewed."""
        present = [face.track_id for face in tracked]
        self._filter.keep(present)
        self._judge.keep(present)
        self._tracks.keep(present, passed_on)
