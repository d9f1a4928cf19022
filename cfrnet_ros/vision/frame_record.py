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

"""Record of a frame, which the monitor, diagnostics, `~/frame/status` and the replay read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cfrnet_ros.vision.stages import Stage
from cfrnet_ros.vision.types import EyeChange, FaceQuality, RestoredFace


@dataclass(frozen=True)
class FaceRecord:
    """Data about one face, without its pixels.

    Attributes:
        track_id: Id of the track, -1 for an untracked face.
        score: Detection confidence, 0..1.
        reason: Reason for not restoring the face, one of `face_quality.REASONS`; '' if it was
            restored.
        reused: Whether the restoration is that of an earlier, equal crop.
        cycles: Number of cycles applied to the crop, 0 for a face that is passed on unchanged.
        residuals: Mean absolute change of each cycle, 0..1 of the value range.
        quality: Measurements before restoration, None if there are none.
        sharpness: Sharpness after restoration, as `face_quality.sharpness_of` measures it; None
            if it was not measured.
        identity_drift_deg: Angle between the embeddings before and after restoration, in
            degrees; None if it was not measured.
        fused_frames: Effective number of frames in the crop, 1 or above, as `FusedCrop.frames`;
            None if fusion is off.
        fused_moving: Share of the crop, 0..1, in which the newest frame was passed through; None
            if fusion is off.
        eyes: Eyes before and after restoration; None if they were not measured.
        fine: Whether the fine stage followed the cycles; None if there is no such stage or the face
            was not restored.

    """

    track_id: int
    score: float
    reason: str
    reused: bool
    cycles: int
    residuals: tuple[float, ...]
    quality: FaceQuality | None
    sharpness: float | None
    identity_drift_deg: float | None
    fused_frames: float | None = None
    fused_moving: float | None = None
    eyes: EyeChange | None = None
    fine: bool | None = None

    @property
    def restored(self) -> bool:
        """Whether the crop was restored; False if it holds the camera's pixels."""
        return not self.reason

    @property
    def eyes_flagged(self) -> bool:
        """Whether the face was restored although its eyes changed more than allowed."""
        return self.restored and self.eyes is not None and self.eyes.exceeded

    @classmethod
    def of(cls, face: RestoredFace) -> FaceRecord:
        """Return the record of a face."""
        return cls(
            track_id=face.face.track_id,
            score=face.face.score,
            reason=face.reason,
            reused=face.reused,
            cycles=face.restoration.cycles,
            residuals=face.restoration.residuals,
            quality=face.quality,
            sharpness=face.sharpness,
            identity_drift_deg=face.identity_drift_deg,
            fused_frames=None if face.fusion is None else face.fusion.frames,
            fused_moving=None if face.fusion is None else face.fusion.moving,
            eyes=face.eyes,
            fine=face.restoration.fine,
        )


@dataclass(frozen=True)
class FrameRecord:
    """Record of one frame. A rejected frame has a record of its stages only.

    Attributes:
        stages_ms: Wall time by stage in milliseconds, only of the stages that ran, in the
            order of `Stage`.
        found: Number of faces in the frame, passed on or not; None if it is not known.
        passed_on: Number of faces passed on, restored or not.
        restored: Number of faces that were restored, in this frame or an equal earlier one.
        reused: Number of faces that show the restoration of an earlier frame.
        refused: Number of faces passed on unrestored, by reason.
        eyes_flagged: Number of restored faces whose eyes changed more than allowed.
        cycles_asked: Number of cycles that the settings ask for.
        cycles_allowed: Number of cycles that the latency budget allowed each face.
        cycles_used: Largest number of cycles applied to any face, 0 if none was restored.
        budget_ms: Latency budget of the frame in milliseconds, 0 for none.
        residuals: Mean absolute change of each cycle, 0..1, averaged over the faces that had
            that cycle.
        fine: Number of faces that had the fine stage; None if there is no such stage or no face
            was restored.
        faces: Records of the faces passed on, in the order of `face_choice`; empty if only their
            numbers are known.

    """

    stages_ms: Mapping[Stage, float]
    found: int | None = None
    passed_on: int = 0
    restored: int = 0
    reused: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    eyes_flagged: int = 0
    cycles_asked: int = 0
    cycles_allowed: int = 0
    cycles_used: int = 0
    budget_ms: float = 0.0
    residuals: tuple[float, ...] = ()
    fine: int | None = None
    faces: tuple[FaceRecord, ...] = ()

    @property
    def detected(self) -> bool:
        """Whether the detector ran; False if the faces were followed from the previous frame."""
        return Stage.DETECT in self.stages_ms


def record_frame(
    stages_ms: Mapping[Stage, float],
    faces: Sequence[RestoredFace],
    *,
    found: int,
    cycles_asked: int,
    cycles_allowed: int,
    budget_ms: float,
) -> FrameRecord:
    """Return the record of a frame; the arguments are those of `FrameRecord`."""
    records = tuple(FaceRecord.of(face) for face in faces)
    return FrameRecord(
        stages_ms=stages_ms,
        found=found,
        passed_on=len(records),
        restored=sum(face.restored for face in records),
        reused=sum(face.reused for face in records),
        refused=Counter(face.reason for face in records if face.reason),
        eyes_flagged=sum(face.eyes_flagged for face in records),
        cycles_asked=cycles_asked,
        cycles_allowed=cycles_allowed,
        cycles_used=max((face.cycles for face in records), default=0),
        budget_ms=budget_ms,
        residuals=_mean_residuals(records),
        fine=sum(staged) if (staged := [f.fine for f in records if f.fine is not None]) else None,
        faces=records,
    )


def _mean_residuals(faces: Sequence[FaceRecord]) -> tuple[float, ...]:
    """Return the residual of each cycle, averaged over the faces that had that cycle."""
    most = max((len(face.residuals) for face in faces), default=0)
    by_cycle = [[f.residuals[k] for f in faces if k < len(f.residuals)] for k in range(most)]
    return tuple(sum(values) / len(values) for values in by_cycle)
