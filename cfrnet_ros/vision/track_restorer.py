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

"""Restores aligned faces, with what is remembered of each track."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.quality.eye_guard import OFF, REFUSE, EyeGuard
from cfrnet_ros.vision.quality.face_quality import EYES, IDENTITY, sharpness_of
from cfrnet_ros.vision.quality.identity_guard import IdentityGuard
from cfrnet_ros.vision.restoration.fine_stage import TwoStageRestorer
from cfrnet_ros.vision.restoration.fusion import FrameFusion
from cfrnet_ros.vision.restoration.grey import is_grey
from cfrnet_ros.vision.restoration.restorer import Restorer
from cfrnet_ros.vision.restoration.reuse import RestorationCache
from cfrnet_ros.vision.restoration.strength import mix
from cfrnet_ros.vision.restoration.temporal import TemporalSmoother
from cfrnet_ros.vision.settings import PipelineSettings
from cfrnet_ros.vision.stages import Stage, StageClock
from cfrnet_ros.vision.types import (
    EyeChange,
    Face,
    FaceQuality,
    FusedCrop,
    Restoration,
    RestoredFace,
)


@dataclass(frozen=True)
class Candidate:
    """A face that was aligned and measured, before restoration.

    Attributes:
        face: Face in the frame.
        crop: (N, N, 3) uint8 BGR aligned crop.
        affine: (2, 3) float64 matrix from frame pixels to crop pixels.
        quality: Measurements of the face.
        reason: Reason for not restoring the face, one of `face_quality.REASONS`; '' if it may be
            restored.

    """

    face: Face
    crop: NDArray[np.uint8]
    affine: NDArray[np.float64]
    quality: FaceQuality
    reason: str


@dataclass(frozen=True)
class _Outcome:
    """Result for a crop, as the cache stores it."""

    restoration: Restoration
    reason: str = ''
    drift_deg: float | None = None
    eyes: EyeChange | None = None


class TrackRestorer:
    """Fuses, restores, checks and smooths the crops of tracks.

    Not thread-safe.
    """

    def __init__(
        self, restorer: Restorer | TwoStageRestorer, identity: IdentityGuard, eyes: EyeGuard
    ) -> None:
        """Start without any tracks.

        Args:
            restorer: Restorer of the crops, with a fine stage or without.
            identity: Guard that is asked if `max_identity_drift` is above 0.
            eyes: Guard that is asked if `eye_guard` is not off.

        """
        self._restorer = restorer
        self._identity = identity
        self._eyes = eyes
        self._cache: RestorationCache[_Outcome] = RestorationCache()
        self._fusion = FrameFusion()
        self._smoother = TemporalSmoother()

    def reset(self) -> None:
        """Forget all tracks."""
        self._cache.clear()
        self._fusion.reset()
        self._smoother.reset()

    def keep(self, present: Collection[int], passed_on: Sequence[RestoredFace]) -> None:
        """Forget tracks that are gone, and stored crops that were not renewed.

        Args:
            present: Ids of the tracks that still exist.
            passed_on: Faces of the newest frame.

        """
        self._cache.keep(face.face.track_id for face in passed_on)
        self._fusion.keep(present)
        self._smoother.keep(face.face.track_id for face in passed_on if not face.reason)

    def restore(
        self,
        item: Candidate,
        settings: PipelineSettings,
        allowed: int,
        clock: StageClock,
        time_s: float,
        *,
        fine: bool = False,
    ) -> RestoredFace:
        """Restore a face, or pass it on unchanged.

        Args:
            item: Face to restore.
            settings: Settings of the frame.
            allowed: Number of cycles that the latency budget allows.
            clock: Clock of the frame.
            time_s: Time at which the frame was taken, in seconds.
            fine: Whether the latency budget allows the fine stage; without effect on a restorer
                that has none.

        Raises:
            ModelError: A model failed, or its output is not usable.

        """
        asis = Restoration(item.crop, 0, (), ())
        if item.reason:
            return RestoredFace(
                item.face, item.crop, item.affine, asis, item.reason, quality=item.quality
            )
        fused = self._fuse(item, settings, clock, time_s)
        # The key contains all settings, so that no old result is shown after a change of any.
        key = (settings, allowed, fine)
        track_id = item.face.track_id
        outcome = self._cache.find(track_id, fused.crop, key, settings.reuse_tolerance)
        reused = outcome is not None
        if outcome is None:
            outcome = self._apply_cycles(fused.crop, settings, allowed, clock, fine=fine)
            if settings.reuse_tolerance > 0:
                self._cache.store(track_id, fused.crop, key, outcome)
        else:
            untimed = replace(outcome.restoration, cycle_ms=(), fine_ms=())
            outcome = replace(outcome, restoration=untimed)
        if outcome.reason:
            # The crop of this frame is passed on, not that of the frame in which it was refused.
            spent = outcome.restoration
            timed = replace(asis, cycle_ms=spent.cycle_ms, fine_ms=spent.fine_ms)
            outcome, reused = replace(outcome, restoration=timed), False
        elif settings.temporal_smoothing > 0:
            outcome = self._smooth(track_id, fused, outcome, settings, clock, time_s)
        restoration = outcome.restoration
        if not outcome.reason:
            shown = mix(item.crop, restoration.crop, settings.strength)
            restoration = replace(restoration, crop=shown)
        with clock(Stage.QUALITY):
            sharpness = None if outcome.reason else sharpness_of(restoration.crop)
        return RestoredFace(
            item.face,
            item.crop,
            item.affine,
            restoration,
            outcome.reason,
            reused,
            item.quality,
            sharpness,
            outcome.drift_deg,
            fused if settings.fusion > 0 else None,
            outcome.eyes,
        )

    def _fuse(
        self, item: Candidate, settings: PipelineSettings, clock: StageClock, time_s: float
    ) -> FusedCrop:
        """Average the crop with the earlier ones of its track where nothing moved."""
        if settings.fusion <= 0:
            self._fusion.reset()
            return FusedCrop(item.crop)
        with clock(Stage.FUSE):
            return self._fusion.apply(
                item.face.track_id,
                item.crop,
                settings.fusion,
                settings.fusion_frames,
                (settings.crop_margin, item.crop.shape),
                time_s,
            )

    def _smooth(
        self,
        track_id: int,
        fused: FusedCrop,
        outcome: _Outcome,
        settings: PipelineSettings,
        clock: StageClock,
        time_s: float,
    ) -> _Outcome:
        with clock(Stage.SMOOTH):
            crop = self._smoother.apply(
                track_id,
                fused.crop,
                outcome.restoration.crop,
                settings.temporal_smoothing,
                # A camera that switches between infrared and colour shows another picture at once.
                (settings, is_grey(fused.crop)),
                time_s,
                fused.gain,
            )
        return replace(outcome, restoration=replace(outcome.restoration, crop=crop))

    def _apply_cycles(
        self,
        crop: NDArray[np.uint8],
        settings: PipelineSettings,
        allowed: int,
        clock: StageClock,
        *,
        fine: bool,
    ) -> _Outcome:
        """Restore a crop and ask the guards whether the result may be shown."""
        restoration = self._restorer.restore(crop, allowed, settings.convergence_tolerance)
        clock.add_cycles(restoration.cycle_ms, restoration.starts_s)
        if fine and isinstance(self._restorer, TwoStageRestorer):
            with clock(Stage.FINE):
                restoration = self._restorer.refine(restoration)
        outcome = _Outcome(restoration)
        template, margin = self._restorer.card.template, settings.crop_margin
        if settings.max_identity_drift > 0:
            with clock(Stage.IDENTITY):
                drift = self._identity.drift_deg(crop, restoration.crop, template, margin)
            refused = drift > settings.max_identity_drift
            outcome = replace(outcome, drift_deg=drift, reason=IDENTITY if refused else '')
        if settings.eye_guard != OFF:
            with clock(Stage.EYES):
                eyes = self._eyes.compare(
                    crop, restoration.crop, template, margin, settings.max_eye_change
                )
            refused = eyes.exceeded and settings.eye_guard == REFUSE and not outcome.reason
            outcome = replace(outcome, eyes=eyes, reason=EYES if refused else outcome.reason)
        return outcome
