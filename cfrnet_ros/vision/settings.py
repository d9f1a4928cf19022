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

"""Settings of a frame: every parameter that concerns the picture, declared once.

Meaning and allowed values of these parameters are stated here only; `declaration` explains how.
The module imports nothing that loads ONNX Runtime, because launch files read it as well.
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
    """Refuse the identity guard if its network is not installed."""
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
        ValueError: Values do not have the declared type or range; the text names all of them.

    """

    cycles: int = parameter(
        2,
        'Number of times that the restorer is applied, each time to its own output. More cycles'
        ' restore more and take proportionally longer.',
        dynamic=True,
        low=1,
        high=MAX_CYCLES,
    )
    strength: float = parameter(
        1.0,
        'Share of the restored crop in what is passed on; the rest is the crop as the network got'
        ' it: fused over the frames before, and brightened where the face is underexposed. 0 shows'
        ' that crop alone, 1 the restored one alone.',
        dynamic=True,
        low=0,
        high=1,
    )
    latency_budget_ms: float = parameter(
        0.0,
        'Time for a frame, from decoding to the last message. As many of the `cycles` are applied'
        ' as'
        ' fit, at least 1; 0 for no limit.',
        dynamic=True,
        low=0,
        high=60000,
        unit='ms',
    )
    convergence_tolerance: float = parameter(
        0.0,
        'Restoration of a face stops after a cycle that changed it by less than this (mean absolute'
        ' change, as a fraction of the value range); 0 for no such limit.',
        dynamic=True,
        low=0,
        high=1,
    )
    reuse_tolerance: float = parameter(
        0.0,
        'The latest restoration of a face is shown again while no part of its crop changed by more'
        " than this; 0 for never. Only values above the camera's noise have an effect.",
        dynamic=True,
        low=0,
        high=64,
        unit='grey values',
    )
    fusion: float = parameter(
        1.0,
        'Weight of what the frames before have measured of a face in the crop that is restored: it'
        ' is averaged over the frames wherever nothing moved, which takes away noise and adds real'
        ' detail; 0 to restore each frame alone.',
        dynamic=True,
        low=0,
        high=1,
    )
    fusion_frames: int = parameter(
        16,
        'Largest effective number of frames in the average of `fusion`. Higher values take away'
        ' more noise of a face at rest.',
        dynamic=True,
        low=1,
        high=64,
        unit='frames',
    )
    temporal_smoothing: float = parameter(
        0.4,
        'Reduces flicker: where the camera sees no motion, the change of a restored crop from frame'
        " to frame is limited to the change of the camera's picture times (1 - this value); 0 for"
        ' no'
        ' smoothing.',
        dynamic=True,
        low=0,
        high=1,
    )
    max_faces: int = parameter(
        4,
        'Largest number of faces per frame that are passed on, in the order of `face_choice`; 1 for'
        ' the driver only.',
        dynamic=True,
        low=1,
        high=64,
    )
    face_choice: str = parameter(
        LARGEST,
        "Order of the faces: 'largest' first, or 'driver': those nearest to the centre of `roi`"
        ' first.',
        dynamic=True,
        choices=CHOICES,
    )
    roi: Region = parameter(
        WHOLE_FRAME,
        'Left, top, right and bottom of the region of interest as fractions of the frame. Faces'
        ' whose centre lies outside are ignored.',
        dynamic=True,
        check=check_region,
    )
    detection_threshold: float = parameter(
        0.6,
        'Lowest detection score of a face.',
        dynamic=True,
        low=0.05,
        high=1,
    )
    detection_interval: int = parameter(
        3,
        'The detector runs in every n-th processed frame, and faces are tracked in between; 1'
        ' runs it'
        ' in every frame.',
        dynamic=True,
        low=1,
        high=100,
    )
    track_memory_s: float = parameter(
        2.0,
        'Longest time for which a lost face is remembered; when it returns in time, it keeps its'
        ' track id.',
        dynamic=True,
        low=0,
        high=60,
        unit='s',
    )
    landmark_smoothing: bool = parameter(
        True,
        'Whether the landmarks are filtered over time (one-euro filter), so that a still face gives'
        ' a still crop.',
        dynamic=True,
    )
    landmark_min_cutoff_hz: float = parameter(
        1.0,
        'Cut-off frequency of the landmark filter for a face at rest. Lower values are steadier.',
        dynamic=True,
        low=0.01,
        high=100,
        unit='Hz',
    )
    landmark_beta: float = parameter(
        8.0,
        "Increase of the landmark filter's cut-off frequency with the speed of the face, in Hz per"
        ' face width per second. Higher values lag less behind motion.',
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
        'Faces whose mean grey value is below this are passed on unrestored; 0 for no limit.',
        dynamic=True,
        low=0,
        high=255,
    )
    max_overexposed: float = parameter(
        0.6,
        'Faces of which a larger share than this is burnt out (grey value 250 or above) are passed'
        ' on unrestored; 1 for no limit.',
        dynamic=True,
        low=0,
        high=1,
    )
    max_yaw_deg: float = parameter(
        60.0,
        'Faces that are turned away by more than this (yaw, estimated from the landmarks) are'
        ' passed'
        ' on unrestored; 180 for no limit.',
        dynamic=True,
        low=0,
        high=180,
        unit='degrees',
    )
    min_score_restore: float = parameter(
        0.0,
        'Faces with a lower detection score than this are passed on unrestored; 0 for no limit.',
        dynamic=True,
        low=0,
        high=1,
    )
    min_symmetry: float = parameter(
        -1.0,
        'Faces that resemble their mirror image less than this (correlation) count as covered and'
        ' are passed on unrestored; -1 for no limit. Side light and a turned head lower the'
        ' correlation, too.',
        dynamic=True,
        low=-1,
        high=1,
    )
    min_upright: float = parameter(
        -0.03,
        'Least difference between the detection scores of a crop and of the same crop turned by 90,'
        ' 180 or 270 degrees. Faces below it, as of a camera that is mounted upside down, are'
        ' passed on unrestored; -1 for no limit. Such a camera needs `camera_rotation`.',
        dynamic=True,
        low=-1,
        high=1,
    )
    max_identity_drift: float = parameter(
        0.0,
        'Largest angle between the SFace embeddings of a face before and after restoration. Above'
        ' it the face is passed on unrestored; 0 for no check.',
        dynamic=True,
        low=0,
        high=180,
        unit='degrees',
        check=_check_identity,
    )
    eye_guard: str = parameter(
        'off',
        'What happens to a face whose eyes came out of restoration more open or more shut than they'
        " went in, by more than `max_eye_change`: 'refuse' passes it on unrestored, 'flag' restores"
        " it and says so in its status and in the diagnostics, 'off' measures nothing.",
        dynamic=True,
        choices=('off', 'flag', 'refuse'),
    )
    max_eye_change: float = parameter(
        0.1,
        'Largest change of the opening of an eye (height over width: 0 for shut eyes, about 0.3 for'
        ' open ones) that `eye_guard` lets pass, beyond what the measurement is unsure of.',
        dynamic=True,
        low=0,
        high=1,
    )
    crop_margin: float = parameter(
        1.0,
        'Scale of the crop around the face. The network was trained at 1; larger values show more'
        ' of'
        ' the surroundings.',
        dynamic=True,
        low=0.5,
        high=3,
    )

    def __post_init__(self) -> None:
        """Check and convert the values."""
        convert_fields(self)
