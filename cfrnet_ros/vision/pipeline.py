"""One frame in, restored faces out: detector, tracker, aligner and restorer in a row."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.quality.face_embedder import FaceEmbedder, angle_deg
from cfrnet_ros.vision.quality.face_quality import (
    IDENTITY,
    QualityGate,
    measure_face,
    sharpness_of,
)
from cfrnet_ros.vision.restoration.align import align_face
from cfrnet_ros.vision.restoration.budget import CycleBudget
from cfrnet_ros.vision.restoration.restorer import Restorer
from cfrnet_ros.vision.restoration.reuse import RestorationCache
from cfrnet_ros.vision.restoration.temporal import TemporalSmoother
from cfrnet_ros.vision.settings import PipelineSettings
from cfrnet_ros.vision.tracking.face_choice import choose_faces
from cfrnet_ros.vision.tracking.landmark_filter import LandmarkFilter
from cfrnet_ros.vision.tracking.tracker import DEFAULT_PERIOD_S, FaceTracker
from cfrnet_ros.vision.types import Face, FaceQuality, Restoration, RestoredFace

__all__ = ['FacePipeline', 'PipelineResult', 'PipelineSettings']


@dataclass(frozen=True)
class PipelineResult:
    """What came of a frame.

    Attributes:
        faces: the faces passed on, restored or not, in the order of `face_choice`.
        timings_ms: wall times in ms: 'detect' (float; absent when the detector did not
            run), 'track', 'align', 'quality', 'identity', 'smooth' (float; the last two
            only where the guard and the smoothing are on) and 'cycles' (a float per cycle,
            each summed over the faces).
        detected: whether the detector ran.
        found: how many faces there are in the frame, passed on or not.
        cycles_asked: what the settings asked for.
        cycles_allowed: what the latency budget allowed each face.

    """

    faces: list[RestoredFace]
    timings_ms: dict[str, float | list[float]] = field(default_factory=dict)
    detected: bool = True
    found: int = 0
    cycles_asked: int = 0
    cycles_allowed: int = 0

    @property
    def cycles_used(self) -> int:
        """Most cycles that any face has behind it, 0 if none was restored."""
        return max((face.restoration.cycles for face in self.faces), default=0)

    @property
    def reused(self) -> int:
        """How many faces show the restoration of an earlier frame."""
        return sum(face.reused for face in self.faces)

    @property
    def refused(self) -> Mapping[str, int]:
        """How many faces were passed on unrestored, by reason."""
        return Counter(face.reason for face in self.faces if face.reason)


@dataclass(frozen=True)
class _Outcome:
    """What was made of a crop, as the cache keeps it."""

    restoration: Restoration
    reason: str
    drift_deg: float | None


@dataclass(frozen=True)
class _Candidate:
    """A face cut out and judged, before restoration."""

    face: Face
    crop: NDArray[np.uint8]
    affine: NDArray[np.float64]
    quality: FaceQuality
    reason: str


class _Times:
    """Adds up wall times in milliseconds by stage."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}

    def since(self, start: float, stage: str) -> float:
        """Add the time since `start` to a stage and return the time now."""
        now = time.perf_counter()
        self.ms[stage] = self.ms.get(stage, 0.0) + (now - start) * 1e3
        return now


class FacePipeline:
    """Detector, tracker, aligner and restorer, fed frame by frame.

    Not thread-safe: one pipeline belongs to one thread.

    Attributes:
        detector: finds faces.
        restorer: restores them.
        tracker: keeps them apart.
        budget: keeps to `latency_budget_ms`; whoever spends time on the frame after
            `process` tells it by `budget.observe_after`.

    """

    def __init__(
        self,
        detector: YuNetDetector,
        restorer: Restorer,
        tracker: FaceTracker,
        load_embedder: Callable[[], FaceEmbedder] = FaceEmbedder,
    ) -> None:
        """Put the pieces together.

        Args:
            detector: see `detector.YuNetDetector`.
            restorer: see `restorer.Restorer`.
            tracker: see `tracker.FaceTracker`.
            load_embedder: called once, when `max_identity_drift` first asks for it.

        """
        self.detector, self.restorer, self.tracker = detector, restorer, tracker
        self.budget = CycleBudget()
        self._load_embedder = load_embedder
        self._embedder: FaceEmbedder | None = None
        self._filter = LandmarkFilter()
        self._gate = QualityGate()
        self._cache: RestorationCache[_Outcome] = RestorationCache()
        self._smoother = TemporalSmoother()
        self._since_detection: int | None = None
        self._time_s = 0.0

    def reset(self) -> None:
        """Forget the faces of the frames so far, for a new scene."""
        self.tracker.reset()
        self._filter.reset()
        self._gate.reset()
        self._cache.clear()
        self._smoother.reset()
        self._since_detection = None

    def process(
        self,
        bgr: NDArray[np.uint8],
        settings: PipelineSettings,
        time_s: float | None = None,
        spent_ms: float = 0.0,
    ) -> PipelineResult:
        """Find and restore the faces of the next frame.

        The detector runs on every `detection_interval`-th frame, and besides whenever no
        face is known or optical flow has just lost one.

        Args:
            bgr: (H, W, 3) uint8 frame.
            settings: see `PipelineSettings`.
            time_s: when the frame was taken, in seconds of any clock; None takes frames
                to be 1/30 s apart.
            spent_ms: time already spent on this frame, which counts for the budget.

        Returns:
            Restored faces and times.

        Raises:
            ValueError: the frame has another shape or type, or is empty.
            ModelError: a model failed or gave unusable numbers.

        """
        if bgr.ndim != 3 or bgr.shape[2] != 3 or bgr.dtype != np.uint8 or bgr.size == 0:
            raise ValueError(
                f'a frame must be (H, W, 3) uint8 and not empty, got {bgr.shape} {bgr.dtype}'
            )
        start = time.perf_counter()
        self._time_s = self._time_s + DEFAULT_PERIOD_S if time_s is None else time_s
        timings: dict[str, float | list[float]] = {}
        tracked, detected = self._locate(bgr, settings, timings)
        height, width = bgr.shape[:2]
        chosen = choose_faces(
            tracked, width, height, settings.max_faces, settings.face_choice, settings.roi
        )
        times = _Times()
        candidates = [
            item for face in chosen if (item := self._prepare(bgr, face, settings, times))
        ]
        allowed = self.budget.allow(
            settings.cycles if self.restorer.card.iterative else 1,
            sum(not item.reason for item in candidates),
            settings.latency_budget_ms,
            spent_ms + (time.perf_counter() - start) * 1e3,
        )
        cycles: list[float] = []
        each: list[float] = []
        faces = []
        for item in candidates:
            face = self._finish(item, settings, allowed, times)
            faces.append(face)
            each += face.restoration.cycle_ms
            for cycle, ms in enumerate(face.restoration.cycle_ms):
                if cycle == len(cycles):
                    cycles.append(0.0)
                cycles[cycle] += ms
        self._forget_absent(tracked, faces)
        timings |= {'align': 0.0, **times.ms, 'cycles': cycles}
        detect_ms = timings.get('detect')
        total_ms = spent_ms + (time.perf_counter() - start) * 1e3
        detect = float(detect_ms) if isinstance(detect_ms, float) else None
        self.budget.observe(each, detect, max(0.0, total_ms - sum(each) - (detect or 0.0)))
        return PipelineResult(faces, timings, detected, len(tracked), settings.cycles, allowed)

    def _locate(
        self,
        bgr: NDArray[np.uint8],
        settings: PipelineSettings,
        timings: dict[str, float | list[float]],
    ) -> tuple[list[Face], bool]:
        """Detect or follow; return the tracked faces and whether the detector ran."""
        start = time.perf_counter()
        self.tracker.memory_s = settings.track_memory_s
        gray = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)).astype(np.uint8, copy=False)
        due = (
            self._since_detection is None
            or self._since_detection + 1 >= settings.detection_interval
            or self.tracker.active == 0
        )
        tracked: list[Face] = []
        if not due:
            tracked = self.tracker.update(gray, None, self._time_s)
            due = self.tracker.lost > 0
        detect_s = 0.0
        if due:
            before = time.perf_counter()
            detections = self.detector.detect(bgr, settings.detection_threshold)
            detect_s = time.perf_counter() - before
            timings['detect'] = detect_s * 1e3
            tracked = self.tracker.update(gray, detections, self._time_s)
        timings['track'] = (time.perf_counter() - start - detect_s) * 1e3
        self._since_detection = 0 if due else (self._since_detection or 0) + 1
        return tracked, due

    def _prepare(
        self, bgr: NDArray[np.uint8], face: Face, settings: PipelineSettings, times: _Times
    ) -> _Candidate | None:
        """Steady, cut out and judge a face; None for a detection that is none."""
        start = time.perf_counter()
        card = self.restorer.card
        if settings.landmark_smoothing:
            landmarks = self._filter.apply(
                face, self._time_s, settings.landmark_min_cutoff_hz, settings.landmark_beta
            )
            face = replace(face, landmarks=landmarks)
        try:
            crop, affine = align_face(
                bgr, face.landmarks, card.size, card.template, settings.crop_margin
            )
        except ValueError:
            # Landmarks that coincide.
            return None
        finally:
            start = times.since(start, 'align')
        quality = measure_face(face, crop)
        reason = self._gate.judge(face.track_id, quality, settings)
        times.since(start, 'quality')
        return _Candidate(face, crop, affine, quality, reason)

    def _finish(
        self, item: _Candidate, settings: PipelineSettings, allowed: int, times: _Times
    ) -> RestoredFace:
        """Restore a face, or pass it on as it is."""
        asis = Restoration(item.crop, 0, (), ())
        if item.reason:
            return RestoredFace(
                item.face, item.crop, item.affine, asis, item.reason, quality=item.quality
            )
        # The whole settings: whatever parameter is changed, nothing old is shown again.
        key = (settings, allowed)
        track_id = item.face.track_id
        outcome = self._cache.find(track_id, item.crop, key, settings.reuse_tolerance)
        reused = outcome is not None
        if outcome is None:
            outcome = self._restore(item, settings, allowed, times)
            if settings.reuse_tolerance > 0:
                self._cache.store(track_id, item.crop, key, outcome)
        else:
            outcome = replace(outcome, restoration=replace(outcome.restoration, cycle_ms=()))
        if outcome.reason:
            # The crop of this frame, not of the one that was judged.
            timed = replace(asis, cycle_ms=outcome.restoration.cycle_ms)
            outcome, reused = replace(outcome, restoration=timed), False
        elif settings.temporal_smoothing > 0:
            outcome = self._smooth(item, outcome, settings, times)
        start = time.perf_counter()
        sharpness = None if outcome.reason else sharpness_of(outcome.restoration.crop)
        times.since(start, 'quality')
        return RestoredFace(
            item.face,
            item.crop,
            item.affine,
            outcome.restoration,
            outcome.reason,
            reused,
            item.quality,
            sharpness,
            outcome.drift_deg,
        )

    def _smooth(
        self, item: _Candidate, outcome: _Outcome, settings: PipelineSettings, times: _Times
    ) -> _Outcome:
        start = time.perf_counter()
        crop = self._smoother.apply(
            item.face.track_id,
            item.crop,
            outcome.restoration.crop,
            settings.temporal_smoothing,
            settings,
            self._time_s,
        )
        times.since(start, 'smooth')
        return replace(outcome, restoration=replace(outcome.restoration, crop=crop))

    def _restore(
        self, item: _Candidate, settings: PipelineSettings, allowed: int, times: _Times
    ) -> _Outcome:
        restoration = self.restorer.restore(item.crop, allowed, settings.convergence_tolerance)
        if settings.max_identity_drift <= 0:
            return _Outcome(restoration, '', None)
        start = time.perf_counter()
        if self._embedder is None:
            self._embedder = self._load_embedder()
        template, margin = self.restorer.card.template, settings.crop_margin
        before, after = (
            self._embedder.embed(crop, template, margin) for crop in (item.crop, restoration.crop)
        )
        drift = angle_deg(before, after)
        times.since(start, 'identity')
        refused = drift > settings.max_identity_drift
        return _Outcome(restoration, IDENTITY if refused else '', drift)

    def _forget_absent(self, tracked: list[Face], passed_on: list[RestoredFace]) -> None:
        """Drop what is remembered of faces that are gone, and crops that were not renewed."""
        present = [face.track_id for face in tracked]
        self._filter.keep(present)
        self._gate.keep(present)
        self._cache.keep(face.face.track_id for face in passed_on)
        self._smoother.keep(face.face.track_id for face in passed_on if not face.reason)
