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

"""First step of the pipeline: finds the faces of a frame, and decides what is done with each."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.face_locator import FaceLocator
from cfrnet_ros.vision.frame_budget import FrameBudget
from cfrnet_ros.vision.frame_work import Candidate, FaceWork, FrameWork, OutcomeSlot
from cfrnet_ros.vision.preprocessing.align import align_face
from cfrnet_ros.vision.quality.face_judge import FaceJudge
from cfrnet_ros.vision.restoration.fine_stage import TwoStageRestorer
from cfrnet_ros.vision.restoration.fusion import FrameFusion
from cfrnet_ros.vision.restoration.restorer import Restorer
from cfrnet_ros.vision.restoration.reuse import RestorationCache
from cfrnet_ros.vision.settings import PipelineSettings
from cfrnet_ros.vision.stages import Stage, StageClock
from cfrnet_ros.vision.tracking.face_choice import choose_faces
from cfrnet_ros.vision.tracking.landmark_filter import LandmarkFilter
from cfrnet_ros.vision.tracking.tracker import DEFAULT_PERIOD_S, FaceTracker
from cfrnet_ros.vision.types import Face, FusedCrop


class FramePreparation:
    """Detects, tracks, aligns, measures and fuses the faces of one frame after another.

    All of its state is of the frames so far, so frames must come in their order, one at a time.
    Nothing here waits for the restoration of an earlier frame: a face that looks as it did before
    gets the slot in which that frame's outcome is, or will be. Not thread-safe.
    """

    def __init__(
        self,
        detector: YuNetDetector,
        tracker: FaceTracker,
        restorer: Restorer | TwoStageRestorer,
        budget: FrameBudget,
    ) -> None:
        """Start without any faces.

        Args:
            detector: Detector that finds the faces.
            tracker: Tracker that keeps the faces' identity from frame to frame.
            restorer: Restorer, whose card has the format of the crops; it is not run here.
            budget: Budget that is asked for the number of cycles.

        """
        self._locator = FaceLocator(detector, tracker)
        self._card = restorer.card
        self._budget = budget
        self._filter = LandmarkFilter()
        self._judge = FaceJudge(detector.score if detector.small_pictures_are_fast else None)
        self._fusion = FrameFusion()
        self._cache: RestorationCache[OutcomeSlot] = RestorationCache()
        self._time_s = 0.0
        self._scene = 0

    def reset(self) -> None:
        """Forget the faces of earlier frames, for a new scene."""
        self._locator.reset()
        self._filter.reset()
        self._judge.reset()
        self._fusion.reset()
        self._cache.clear()
        self._scene += 1

    def prepare(
        self,
        bgr: NDArray[np.uint8],
        settings: PipelineSettings,
        time_s: float | None,
        clock: StageClock,
    ) -> FrameWork:
        """Prepare the next frame.

        Args:
            bgr: (H, W, 3) uint8 frame.
            settings: Settings of this frame.
            time_s: Time at which the frame was taken, in seconds of any clock; None takes
                frames to be 1/30 s apart.
            clock: Clock of the frame.

        Raises:
            ValueError: The frame has another shape or type, or is empty.
            ModelError: The detector failed.

        """
        if bgr.ndim != 3 or bgr.shape[2] != 3 or bgr.dtype != np.uint8 or bgr.size == 0:
            raise ValueError(
                f'a frame must be (H, W, 3) uint8 and not empty, got {bgr.shape} {bgr.dtype}'
            )
        self._time_s = self._time_s + DEFAULT_PERIOD_S if time_s is None else time_s
        tracked = self._locator.locate(bgr, settings, self._time_s, clock)
        height, width = bgr.shape[:2]
        chosen = choose_faces(
            tracked, width, height, settings.max_faces, settings.face_choice, settings.roi
        )
        candidates = [item for face in chosen if (item := self._align(bgr, face, settings, clock))]
        asked = settings.cycles if self._card.iterative else 1
        wanted = sum(not item.reason for item in candidates)
        allowed, fine = self._budget.allow(asked, wanted, settings, clock)
        # The key contains all settings, so that no old result is shown after a change of any.
        key = (settings, allowed, fine)
        faces = tuple(self._fuse(item, settings, key, clock) for item in candidates)
        self._forget_absent(tracked, candidates)
        return FrameWork(
            settings, self._time_s, clock, faces, len(tracked), allowed, fine, self._scene
        )

    def _align(
        self, bgr: NDArray[np.uint8], face: Face, settings: PipelineSettings, clock: StageClock
    ) -> Candidate | None:
        """Steady the landmarks of a face, align and measure it.

        Returns None when the landmarks coincide, so no alignment exists.
        """
        card = self._card
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

    def _fuse(
        self, item: Candidate, settings: PipelineSettings, key: Hashable, clock: StageClock
    ) -> FaceWork:
        """Average the crop with the earlier ones of its track, and look whether it is new.

        Args:
            item: Face.
            settings: Settings of the frame.
            key: Everything besides the crop on which its outcome depends.
            clock: Clock of the frame.

        """
        if item.reason:
            return FaceWork(item, FusedCrop(item.crop), OutcomeSlot())
        track_id, tolerance = item.face.track_id, settings.reuse_tolerance
        fused = FusedCrop(item.crop)
        if settings.fusion > 0:
            with clock(Stage.FUSE):
                fused = self._fusion.apply(
                    track_id,
                    item.crop,
                    settings.fusion,
                    settings.fusion_frames,
                    (settings.crop_margin, item.crop.shape),
                    self._time_s,
                )
        else:
            self._fusion.reset()
        known = self._cache.find(track_id, fused.crop, key, tolerance)
        if known is not None:
            return FaceWork(item, fused, known, reused=True)
        slot = OutcomeSlot()
        if tolerance > 0:
            self._cache.store(track_id, fused.crop, key, slot)
        return FaceWork(item, fused, slot)

    def _forget_absent(self, tracked: list[Face], passed_on: list[Candidate]) -> None:
        """Forget faces that are gone, and stored crops that were not renewed."""
        present = [face.track_id for face in tracked]
        self._filter.keep(present)
        self._judge.keep(present)
        self._fusion.keep(present)
        self._cache.keep(item.face.track_id for item in passed_on)
