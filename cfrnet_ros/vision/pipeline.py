"""One frame in, restored faces out: detector, tracker, aligner and restorer in a row."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.align import align_face
from cfrnet_ros.vision.detector import YuNetDetector
from cfrnet_ros.vision.restorer import MAX_CYCLES, Restorer
from cfrnet_ros.vision.tracker import FaceTracker
from cfrnet_ros.vision.types import Face, RestoredFace


@dataclass(frozen=True)
class PipelineSettings:
    """What may change from frame to frame.

    Attributes:
        cycles: applications of the restorer, 1..8.
        max_faces: most faces restored in a frame, the largest ones, 0 or above.
        detection_threshold: lowest detection score, 0..1.
        detection_interval: the detector runs on every n-th frame, 1 or above; between,
            faces are followed by optical flow.
        min_face_px: faces whose box's shorter side is below this are left out, 0 or above.
        crop_margin: above 1 the crop shows more of the surroundings, 0.5..3.

    Raises:
        ValueError: a value is out of range.

    """

    cycles: int = 2
    max_faces: int = 1
    detection_threshold: float = 0.6
    detection_interval: int = 3
    min_face_px: int = 24
    crop_margin: float = 1.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, low, high in (
            ('cycles', 1, MAX_CYCLES),
            ('max_faces', 0, 1000),
            ('detection_threshold', 0, 1),
            ('detection_interval', 1, 1_000_000),
            ('min_face_px', 0, 1_000_000),
            ('crop_margin', 0.5, 3),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f'{name} must be from {low} to {high}, got {value}')


@dataclass(frozen=True)
class PipelineResult:
    """What came of a frame.

    Attributes:
        faces: restored faces, largest first.
        timings_ms: wall times in ms: 'detect' (float; absent when the detector did not
            run), 'track', 'align' (float) and 'cycles' (a float per cycle, each summed
            over the faces).
        detected: whether the detector ran.
        found: how many faces of sufficient size there are, restored or not.

    """

    faces: list[RestoredFace]
    timings_ms: dict[str, float | list[float]] = field(default_factory=dict)
    detected: bool = True
    found: int = 0


class FacePipeline:
    """Detector, tracker, aligner and restorer, fed frame by frame.

    Not thread-safe: one pipeline belongs to one thread.

    Attributes:
        detector: finds faces.
        restorer: restores them.
        tracker: keeps them apart.

    """

    def __init__(self, detector: YuNetDetector, restorer: Restorer, tracker: FaceTracker) -> None:
        """Put the pieces together.

        Args:
            detector: see `detector.YuNetDetector`.
            restorer: see `restorer.Restorer`.
            tracker: see `tracker.FaceTracker`.

        """
        self.detector, self.restorer, self.tracker = detector, restorer, tracker
        self._since_detection: int | None = None

    def reset(self) -> None:
        """Forget the faces of the frames so far, for a new scene."""
        self.tracker.reset()
        self._since_detection = None

    def process(self, bgr: NDArray[np.uint8], settings: PipelineSettings) -> PipelineResult:
        """Find and restore the faces of the next frame.

        The detector runs on every `detection_interval`-th frame, and besides whenever no
        face is known or optical flow has just lost one.

        Args:
            bgr: (H, W, 3) uint8 frame.
            settings: see `PipelineSettings`.

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
        timings: dict[str, float | list[float]] = {}
        tracked, detected = self._locate(bgr, settings, timings)
        large = [face for face in tracked if min(face.width, face.height) >= settings.min_face_px]

        align_ms = 0.0
        cycles_ms: list[float] = []
        restored = []
        for face in large[: settings.max_faces]:
            start = time.perf_counter()
            card = self.restorer.card
            try:
                crop, affine = align_face(
                    bgr, face.landmarks, card.size, card.template, settings.crop_margin
                )
            except ValueError:
                # Landmarks that coincide: a detection that is not a face.
                continue
            finally:
                align_ms += (time.perf_counter() - start) * 1e3
            restoration = self.restorer.restore(crop, settings.cycles)
            restored.append(RestoredFace(face, crop, affine, restoration))
            for cycle, ms in enumerate(restoration.cycle_ms):
                if cycle == len(cycles_ms):
                    cycles_ms.append(0.0)
                cycles_ms[cycle] += ms
        timings['align'] = align_ms
        timings['cycles'] = cycles_ms
        return PipelineResult(restored, timings, detected, len(large))

    def _locate(
        self,
        bgr: NDArray[np.uint8],
        settings: PipelineSettings,
        timings: dict[str, float | list[float]],
    ) -> tuple[list[Face], bool]:
        """Detect or follow; return the tracked faces and whether the detector ran."""
        start = time.perf_counter()
        gray = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)).astype(np.uint8, copy=False)
        due = (
            self._since_detection is None
            or self._since_detection + 1 >= settings.detection_interval
            or self.tracker.active == 0
        )
        tracked: list[Face] = []
        if not due:
            tracked = self.tracker.update(gray, None)
            due = self.tracker.lost > 0
        detect_s = 0.0
        if due:
            before = time.perf_counter()
            detections = self.detector.detect(bgr, settings.detection_threshold)
            detect_s = time.perf_counter() - before
            timings['detect'] = detect_s * 1e3
            tracked = self.tracker.update(gray, detections)
        timings['track'] = (time.perf_counter() - start - detect_s) * 1e3
        self._since_detection = 0 if due else (self._since_detection or 0) + 1
        return tracked, due
