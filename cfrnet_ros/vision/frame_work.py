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

"""What the three steps of the pipeline hand on: a frame and its faces on the way.

Each of these objects belongs to the thread that works on its frame. Only an `OutcomeSlot` is shared
between frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.settings import PipelineSettings
from cfrnet_ros.vision.stages import StageClock
from cfrnet_ros.vision.types import EyeChange, Face, FaceQuality, FusedCrop, Restoration


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
class Outcome:
    """What the networks made of a crop.

    Attributes:
        restoration: Restored crop, with its cycles.
        reason: Reason for which a guard refuses the restored crop; '' if it may be shown.
        drift_deg: Angle of the identity guard in degrees, None if it was not asked.
        eyes: Eyes before and after restoration, None if they were not measured.

    """

    restoration: Restoration
    reason: str = ''
    drift_deg: float | None = None
    eyes: EyeChange | None = None


@dataclass
class OutcomeSlot:
    """Place for the outcome of a crop, shared by the frames that show that crop again.

    Attributes:
        outcome: Outcome; None until the first of these frames has been restored.

    """

    outcome: Outcome | None = None


@dataclass(frozen=True)
class FaceWork:
    """A face on its way through the pipeline.

    Attributes:
        candidate: Face with its crop.
        fused: Crop that is restored; the candidate's own if the face may not be restored.
        slot: Place for the outcome.
        reused: Whether the outcome is that of an earlier frame.

    """

    candidate: Candidate
    fused: FusedCrop
    slot: OutcomeSlot
    reused: bool = False


@dataclass(frozen=True)
class FrameWork:
    """A frame on its way through the pipeline.

    Attributes:
        settings: Settings of the frame.
        time_s: Time at which the frame was taken, in seconds of any clock.
        clock: Clock of the frame.
        faces: Faces that are passed on, in the order of `face_choice`.
        found: Number of faces in the frame, passed on or not.
        allowed: Number of cycles that the latency budget allows each face.
        fine: Whether the budget allows the fine stage.
        scene: Number of resets of the pipeline before the frame.

    """

    settings: PipelineSettings
    time_s: float
    clock: StageClock
    faces: tuple[FaceWork, ...]
    found: int
    allowed: int
    fine: bool
    scene: int
