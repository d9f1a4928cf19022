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
from cfrnet_ros.vision.quality.face_embedder import FaceEmbedder, angle_deg
from cfrnet_ros.vision.quality.face_judge import FaceJudge
from cfrnet_ros.vision.quality.face_quality import IDENTITY, sharpness_of
from cfrnet_ros.vision.restoration.budget import CycleBudget
from cfrnet_ros.vision.restoration.fusion import FrameFusion
from cfrnet_ros.vision.restoration.grey import is_grey
from cfrnet_ros.vision.restoration.restorer import Restorer
from cfrnet_ros.vision.restoration.reuse import RestorationCache
from cfrnet_ros.vision.restoration.strength import mix
from cfrnet_ros.vision.restoration.temporal import TemporalSmoother
from cfrnet_ros.vision.settings import PipelineSettings
from cfrnet_ros.vision.stages import Stage, StageClock
from cfrnet_ros.vision.tracking.face_choice import choose_faces
from cfrnet_ros.vision.tracking.landmark_filter import LandmarkFilter
from cfrnet_ros.vision.tracking.tracker import DEFAULT_PERIOD_S, FaceTracker
from cfrnet_ros.vision.types import Face, FaceQuality, FusedCrop, Restoration, RestoredFace

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


@dataclass(frozen=True)
class _Outcome:
    """Result for a crop, as the cache stores it."""

    restoration: Restoration
    reason: str
    drift_deg: float | None


@dataclass(frozen=True)
class _Candidate:
    """A face that was aligned and measured, before restoration."""

    face: Face
    crop: NDArray[np.uint8]
    affine: NDArray[np.float64]
    quality: FaceQuality
    reason: str


class FacePipeline:
    """Detector, tracker, alignment and restorer, applied to one frame after another.

    Not thread-safe: one pipeline belongs to one thread.

    Attributes:
        restorer: Restorer of the faces.

    """

    def __init__(
        self,
        detector: YuNetDetector,
        restorer: Restorer,
        tracker: FaceTracker,
        load_embedder: Callable[[], FaceEmbedder] = FaceEmbedder,
    ) -> None:
        """Create the pipeline from its parts.

        Args:
            detector: Detector that finds the faces.
            restorer: Restorer of their crops.
            tracker: Tracker that keeps the faces' identity from frame to frame.
            load_embedder: Function that loads the network of the identity guard; it is called
                once, when `max_identity_drift` is first above 0.

        """
        self.restorer = restorer
        self._locator = FaceLocator(detector, tracker)
        self._budget = CycleBudget()
        self._load_embedder = load_embedder
        self._embedder: FaceEmbedder | None = None
        self._filter = LandmarkFilter()
        self._judge = FaceJudge(detector.score if detector.small_pictures_are_fast else None)
        self._cache: RestorationCache[_Outcome] = RestorationCache()
        self._fusion = FrameFusion()
        self._smoother = TemporalSmoother()
        self._time_s = 0.0
        # Clock of the previous frame, and the part of its time that was over when `process` ended.
        self._clock_before: StageClock | None = None
        self._parts_before_ms = 0.0

    def reset(self) -> None:
        """Forget the faces of earlier frames, for a new scene."""
        self._locator.reset()
        self._filter.reset()
        self._judge.reset()
        self._cache.clear()
        self._fusion.reset()
        self._smoother.reset()

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
        allowed = self._budget.allow(
            settings.cycles if self.restorer.card.iterative else 1,
            sum(not item.reason for item in candidates),
            settings.latency_budget_ms,
            clock.elapsed_ms,
        )
        faces = [self._finish(item, settings, allowed, clock) for item in candidates]
        self._forget_absent(tracked, faces)
        record = record_frame(
            clock.stages_ms,
            faces,
            found=len(tracked),
            cycles_asked=settings.cycles,
            cycles_allowed=allowed,
            budget_ms=settings.latency_budget_ms,
        )
        self._observe(clock, [ms for face in faces for ms in face.restoration.cycle_ms])
        return PipelineResult(faces, record)

    def _observe(self, clock: StageClock, cycle_ms: list[float]) -> None:
        """Add the durations of the frame so far to the budget."""
        detect_ms = clock.stages_ms.get(Stage.DETECT)
        rest_ms = clock.elapsed_ms - sum(cycle_ms) - (detect_ms or 0.0)
        self._budget.observe(cycle_ms, detect_ms, max(0.0, rest_ms))
        self._clock_before, self._parts_before_ms = clock, clock.parts_ms

    def _observe_frame_before(self) -> None:
        """Add what the previous frame took after `process` to the budget, if it was finished."""
        clock, self._clock_before = self._clock_before, None
        if clock is not None and Stage.TOTAL in clock.stages_ms:
            self._budget.observe_after(clock.parts_ms - self._parts_before_ms)

    def _prepare(
        self, bgr: NDArray[np.uint8], face: Face, settings: PipelineSettings, clock: StageClock
    ) -> _Candidate | None:
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
        return _Candidate(face, crop, affine, quality, reason)

    def _finish(
        self, item: _Candidate, settings: PipelineSettings, allowed: int, clock: StageClock
    ) -> RestoredFace:
        """Restore a face, or pass it on unchanged."""
        asis = Restoration(item.crop, 0, (), ())
        if item.reason:
            return RestoredFace(
                item.face, item.crop, item.affine, asis, item.reason, quality=item.quality
            )
        fused = self._fuse(item, settings, clock)
        # The key contains all settings, so that no old result is shown after a change of any.
        key = (settings, allowed)
        track_id = item.face.track_id
        outcome = self._cache.find(track_id, fused.crop, key, settings.reuse_tolerance)
        reused = outcome is not None
        if outcome is None:
            outcome = self._restore(fused.crop, settings, allowed, clock)
            if settings.reuse_tolerance > 0:
                self._cache.store(track_id, fused.crop, key, outcome)
        else:
            outcome = replace(outcome, restoration=replace(outcome.restoration, cycle_ms=()))
        if outcome.reason:
            # The crop of this frame is passed on, not that of the frame in which it was refused.
            timed = replace(asis, cycle_ms=outcome.restoration.cycle_ms)
            outcome, reused = replace(outcome, restoration=timed), False
        elif settings.temporal_smoothing > 0:
            outcome = self._smooth(track_id, fused, outcome, settings, clock)
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
        )

    def _fuse(self, item: _Candidate, settings: PipelineSettings, clock: StageClock) -> FusedCrop:
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
                self._time_s,
            )

    def _smooth(
        self,
        track_id: int,
        fused: FusedCrop,
        outcome: _Outcome,
        settings: PipelineSettings,
        clock: StageClock,
    ) -> _Outcome:
        with clock(Stage.SMOOTH):
            crop = self._smoother.apply(
                track_id,
                fused.crop,
                outcome.restoration.crop,
                settings.temporal_smoothing,
                # A camera that switches between infrared and colour shows another picture at once.
                (settings, is_grey(fused.crop)),
                self._time_s,
                fused.gain,
            )
        return replace(outcome, restoration=replace(outcome.restoration, crop=crop))

    def _restore(
        self,
        crop: NDArray[np.uint8],
        settings: PipelineSettings,
        allowed: int,
        clock: StageClock,
    ) -> _Outcome:
        restoration = self.restorer.restore(crop, allowed, settings.convergence_tolerance)
        clock.add_cycles(restoration.cycle_ms, restoration.starts_s)
        if settings.max_identity_drift <= 0:
            return _Outcome(restoration, '', None)
        with clock(Stage.IDENTITY):
            if self._embedder is None:
                self._embedder = self._load_embedder()
            template, margin = self.restorer.card.template, settings.crop_margin
            before, after = (
                self._embedder.embed(picture, template, margin)
                for picture in (crop, restoration.crop)
            )
            drift = angle_deg(before, after)
        refused = drift > settings.max_identity_drift
        return _Outcome(restoration, IDENTITY if refused else '', drift)

    def _forget_absent(self, tracked: list[Face], passed_on: list[RestoredFace]) -> None:
        """Forget faces that are gone, and stored crops that were not renewed."""
        present = [face.track_id for face in tracked]
        self._filter.keep(present)
        self._judge.keep(present)
        self._cache.keep(face.face.track_id for face in passed_on)
        self._fusion.keep(present)
        self._smoother.keep(face.face.track_id for face in passed_on if not face.reason)
