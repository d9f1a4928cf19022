"""What may change from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass

from cfrnet_ros.vision.quality.face_quality import QualityLimits
from cfrnet_ros.vision.tracking.face_choice import (
    CHOICES,
    LARGEST,
    WHOLE_FRAME,
    Region,
    check_region,
)
from cfrnet_ros.vision.types import MAX_CYCLES


@dataclass(frozen=True)
class PipelineSettings:
    """Settings of one frame.

    Attributes:
        cycles: applications of the restorer, 1..8, at most where a budget or a tolerance
            is set.
        latency_budget_ms: time for the whole frame in milliseconds; cycles are given up
            to keep it, down to one. 0 for no limit.
        convergence_tolerance: a face is not restored further once a cycle changed it by
            less than this (mean absolute change, 0..1 of the value range). 0 for never.
        reuse_tolerance: a face whose crop changed less than this since it was restored
            (see `reuse.RestorationCache.find`, grey values) keeps that restoration. 0 for
            never.
        temporal_smoothing: 0 for none, up to 1: how much of the change from frame to frame
            is held back where the camera's picture changed less, see `temporal`.
        max_faces: most faces passed on from a frame, 0 or above.
        face_choice: 'largest' or 'driver', see `face_choice.choose_faces`.
        roi: left, top, right, bottom as fractions of the frame; faces whose centre lies
            outside are left out.
        detection_threshold: lowest detection score, 0..1.
        detection_interval: the detector runs on every n-th frame, 1 or above; between,
            faces are followed by optical flow.
        track_memory_s: seconds after which a lost face's track id is given up, 0..60.
        landmark_smoothing: whether landmarks are filtered over time.
        landmark_min_cutoff_hz: cut-off of that filter for a face at rest, above 0.
        landmark_beta: Hz per face width a second that the cut-off rises by, 0 or above.
        min_face_px: faces whose box's shorter side is below this are not restored, nor
            are those that miss one of the next four; 0 or above.
        min_brightness: least mean grey value of the face, 0..255; 0 for any.
        max_yaw_deg: largest turn of the head, 0..180 degrees; 180 for any.
        min_score_restore: least detection score, 0..1; 0 for any.
        min_symmetry: least resemblance to the face's mirror image, -1..1; -1 for any.
        max_identity_drift: restorations that take the face's embedding further away than
            this are refused, 0..180 degrees; 0 for not looking.
        crop_margin: above 1 the crop shows more of the surroundings, 0.5..3.

    Raises:
        ValueError: a value is out of range.

    """

    cycles: int = 2
    latency_budget_ms: float = 0.0
    convergence_tolerance: float = 0.0
    reuse_tolerance: float = 0.0
    temporal_smoothing: float = 0.0
    max_faces: int = 1
    face_choice: str = LARGEST
    roi: Region = WHOLE_FRAME
    detection_threshold: float = 0.6
    detection_interval: int = 3
    track_memory_s: float = 2.0
    landmark_smoothing: bool = True
    landmark_min_cutoff_hz: float = 1.0
    landmark_beta: float = 8.0
    min_face_px: int = 24
    min_brightness: float = 5.0
    max_yaw_deg: float = 60.0
    min_score_restore: float = 0.0
    min_symmetry: float = -1.0
    max_identity_drift: float = 0.0
    crop_margin: float = 1.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, low, high in (
            ('cycles', 1, MAX_CYCLES),
            ('latency_budget_ms', 0, 1e6),
            ('convergence_tolerance', 0, 1),
            ('reuse_tolerance', 0, 255),
            ('temporal_smoothing', 0, 1),
            ('max_faces', 0, 1000),
            ('detection_threshold', 0, 1),
            ('detection_interval', 1, 1_000_000),
            ('track_memory_s', 0, 60),
            ('landmark_min_cutoff_hz', 0.001, 1000),
            ('landmark_beta', 0, 1000),
            ('min_face_px', 0, 1_000_000),
            ('min_brightness', 0, 255),
            ('max_yaw_deg', 0, 180),
            ('min_score_restore', 0, 1),
            ('min_symmetry', -1, 1),
            ('max_identity_drift', 0, 180),
            ('crop_margin', 0.5, 3),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f'{name} must be from {low} to {high}, got {value}')
        if self.face_choice not in CHOICES:
            raise ValueError(
                f'face_choice must be {" or ".join(CHOICES)}, got {self.face_choice!r}'
            )
        check_region(self.roi)

    @property
    def limits(self) -> QualityLimits:
        """What a face must have to be restored."""
        return QualityLimits(
            min_face_px=self.min_face_px,
            min_brightness=self.min_brightness,
            max_yaw_deg=self.max_yaw_deg,
            min_score=self.min_score_restore,
            min_symmetry=self.min_symmetry,
        )
