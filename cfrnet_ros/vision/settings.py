"""Settings of a frame: every parameter that concerns the picture, declared once.

What each parameter means, and which values it can have, stands here alone; see `declaration`.
Nothing of the wings is imported that loads ONNX Runtime: launch files read this as well.
"""

from __future__ import annotations

from dataclasses import dataclass

from cfrnet_ros.vision.declaration import convert_fields, parameter
from cfrnet_ros.vision.errors import VisionError
from cfrnet_ros.vision.tracking.face_choice import (
    CHOICES,
    LARGEST,
    WHOLE_FRAME,
    Region,
    check_region,
)
from cfrnet_ros.vision.types import MAX_CYCLES


def _check_identity(limit: float) -> None:
    """Refuse to guard the identity where its network is not installed."""
    if limit > 0:
        # Imports onnx, which takes a while.
        from cfrnet_ros.vision.engine.sface_file import check_sface

        try:
            check_sface()
        except VisionError as error:
            raise ValueError(f'max_identity_drift cannot be above 0: {error}') from error


@dataclass(frozen=True)
class PipelineSettings:
    """Settings of one frame.

    Raises:
        ValueError: A value is not of the declared type or range; the text tells of all such
            values.

    """

    cycles: int = parameter(
        2,
        'How often the restorer is applied, each time to its own output. More restores more and'
        ' takes proportionally longer.',
        dynamic=True,
        low=1,
        high=MAX_CYCLES,
    )
    latency_budget_ms: float = parameter(
        0.0,
        'Time for a frame, from decoding to the last message. Of `cycles` as many are applied as'
        ' fit, at least 1; 0 for no limit.',
        dynamic=True,
        low=0,
        high=60000,
        unit='ms',
    )
    convergence_tolerance: float = parameter(
        0.0,
        'A face is not restored further once a cycle changed it by less than this (mean absolute'
        ' change, as a fraction of the value range); 0 for never.',
        dynamic=True,
        low=0,
        high=1,
    )
    reuse_tolerance: float = parameter(
        0.0,
        'A face keeps its restoration while no part of its crop changed by more than this; 0 for'
        " never. Must be above the camera's noise to have an effect.",
        dynamic=True,
        low=0,
        high=64,
        unit='grey values',
    )
    temporal_smoothing: float = parameter(
        0.4,
        'Against flicker: where the camera sees no motion, a restored crop changes from frame to'
        " frame by at most this share less than the camera's picture does; 0 for no smoothing.",
        dynamic=True,
        low=0,
        high=1,
    )
    max_faces: int = parameter(
        4,
        'Most faces of a frame that are passed on, in the order of `face_choice`. 1 for the'
        ' driver only.',
        dynamic=True,
        low=1,
        high=64,
    )
    face_choice: str = parameter(
        LARGEST,
        "Which faces come first: 'largest', or 'driver', those nearest to the centre of `roi`.",
        dynamic=True,
        choices=CHOICES,
    )
    roi: Region = parameter(
        WHOLE_FRAME,
        'Left, top, right and bottom of the region of interest as fractions of the frame. Faces'
        ' whose centre lies outside are left out.',
        dynamic=True,
        check=check_region,
    )
    detection_threshold: float = parameter(
        0.6,
        'Least detection score of a face.',
        dynamic=True,
        low=0.05,
        high=1,
    )
    detection_interval: int = parameter(
        3,
        'The detector runs in every n-th processed frame, and faces are tracked between; 1 runs it'
        ' in every frame.',
        dynamic=True,
        low=1,
        high=100,
    )
    track_memory_s: float = parameter(
        2.0,
        'A face that is lost for no longer than this gets its track id back.',
        dynamic=True,
        low=0,
        high=60,
        unit='s',
    )
    landmark_smoothing: bool = parameter(
        True,
        'Filter the landmarks over time (one-euro filter), so that a still face gives a still'
        ' crop.',
        dynamic=True,
    )
    landmark_min_cutoff_hz: float = parameter(
        1.0,
        "The landmark filter's cut-off for a face at rest. Lower is steadier.",
        dynamic=True,
        low=0.01,
        high=100,
        unit='Hz',
    )
    landmark_beta: float = parameter(
        8.0,
        "How much the landmark filter's cut-off rises with the face's speed, in Hz per face width"
        ' a second. Higher lags less behind motion.',
        dynamic=True,
        low=0,
        high=1000,
    )
    min_face_px: int = parameter(
        24,
        'Faces whose box is smaller than this (shorter side) are passed on unrestored.',
        dynamic=True,
        low=4,
        high=4096,
        unit='px',
    )
    min_brightness: float = parameter(
        5.0,
        'Faces whose mean grey value is below this are passed on unrestored; 0 for none.',
        dynamic=True,
        low=0,
        high=255,
    )
    max_yaw_deg: float = parameter(
        60.0,
        'Faces that are turned away by more than this (estimated from the landmarks) are passed'
        ' on unrestored; 180 for none.',
        dynamic=True,
        low=0,
        high=180,
        unit='degrees',
    )
    min_score_restore: float = parameter(
        0.0,
        'Faces with a lower detection score than this are passed on unrestored; 0 for none.',
        dynamic=True,
        low=0,
        high=1,
    )
    min_symmetry: float = parameter(
        -1.0,
        'Faces that resemble their mirror image less than this (correlation) count as covered and'
        ' are passed on unrestored; -1 for none. Side light and turning lower it too.',
        dynamic=True,
        low=-1,
        high=1,
    )
    max_identity_drift: float = parameter(
        0.0,
        'Restorations that move the face further than this from itself (angle between SFace'
        ' embeddings) are refused, and the face is passed on unrestored; 0 for no check.',
        dynamic=True,
        low=0,
        high=180,
        unit='degrees',
        check=_check_identity,
    )
    crop_margin: float = parameter(
        1.0,
        'Scale of the crop around the face. 1 is what the network was trained on; above 1 shows'
        ' more of the surroundings.',
        dynamic=True,
        low=0.5,
        high=3,
    )

    def __post_init__(self) -> None:
        """Check and convert the values."""
        convert_fields(self)
