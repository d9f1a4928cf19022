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

"""Third step of the pipeline: steadies the restored faces, and makes the record of the frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.frame_budget import FrameBudget
from cfrnet_ros.vision.frame_record import FrameRecord, record_frame
from cfrnet_ros.vision.frame_work import FaceWork, FrameWork, Outcome
from cfrnet_ros.vision.quality.face_quality import sharpness_of
from cfrnet_ros.vision.restoration.grey import is_grey
from cfrnet_ros.vision.restoration.strength import mix
from cfrnet_ros.vision.restoration.temporal import TemporalSmoother
from cfrnet_ros.vision.stages import Stage
from cfrnet_ros.vision.types import Restoration, RestoredFace


@dataclass(frozen=True)
class PipelineResult:
    """Result of one frame.

    Attributes:
        faces: Faces passed on, restored or not, in the order of `face_choice`.
        record: Record of the frame up to the end of the pipeline.

    """

    faces: list[RestoredFace]
    record: FrameRecord


class FrameCompletion:
    """Turns the outcomes of one frame after another into what is shown.

    Frames must come in their order, one at a time. Not thread-safe.
    """

    def __init__(
        self,
        budget: FrameBudget,
        prepared: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
    ) -> None:
        """Start without any faces.

        Args:
            budget: Budget that is told what each frame took.
            prepared: Function that makes a crop as the network gets it, such as
                `Restorer.prepared`.

        """
        self._budget, self._prepared = budget, prepared
        self._smoother = TemporalSmoother()
        self._scene = 0

    def complete(self, work: FrameWork, restore: Callable[[FaceWork], Outcome]) -> PipelineResult:
        """Complete the next frame.

        Args:
            work: Frame whose faces have been restored.
            restore: Function that restores a face whose outcome was to come from an earlier frame,
                if the restoration of that frame failed.

        Raises:
            ModelError: A model failed, or its output is not usable.

        """
        if work.scene != self._scene:
            self._smoother.reset()
            self._scene = work.scene
        faces = [self._show(face, work, restore) for face in work.faces]
        self._smoother.keep(face.face.track_id for face in faces if not face.reason)
        record = record_frame(
            work.clock.stages_ms,
            faces,
            found=work.found,
            cycles_asked=work.settings.cycles,
            cycles_allowed=work.allowed,
            budget_ms=work.settings.latency_budget_ms,
        )
        self._budget.observe(work, faces)
        return PipelineResult(faces, record)

    def _show(
        self, face: FaceWork, work: FrameWork, restore: Callable[[FaceWork], Outcome]
    ) -> RestoredFace:
        item, settings = face.candidate, work.settings
        asis = Restoration(item.crop, 0, (), ())
        if item.reason:
            return RestoredFace(
                item.face, item.crop, item.affine, asis, item.reason, quality=item.quality
            )
        outcome, reused = face.slot.outcome, face.reused
        if outcome is None:
            outcome = face.slot.outcome = restore(face)
            reused = False
        elif reused:
            untimed = replace(outcome.restoration, cycle_ms=(), fine_ms=())
            outcome = replace(outcome, restoration=untimed)
        if outcome.reason:
            # The crop of this frame is passed on, not that of the frame in which it was refused.
            spent = outcome.restoration
            timed = replace(asis, cycle_ms=spent.cycle_ms, fine_ms=spent.fine_ms)
            outcome, reused = replace(outcome, restoration=timed), False
        elif settings.temporal_smoothing > 0:
            outcome = self._smooth(face, outcome, work)
        restoration = outcome.restoration
        if not outcome.reason and settings.strength < 1:
            # What the camera measured, in this frame and before, and as bright as the restored
            # crop: the newest frame alone would bring back the noise that fusion took away.
            measured = self._prepared(face.fused.crop)
            shown = mix(measured, restoration.crop, settings.strength)
            restoration = replace(restoration, crop=shown)
        with work.clock(Stage.QUALITY):
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
            face.fused if settings.fusion > 0 else None,
            outcome.eyes,
        )

    def _smooth(self, face: FaceWork, outcome: Outcome, work: FrameWork) -> Outcome:
        """Limit the change of the restored crop from the frame before to that of its input."""
        fused = face.fused
        with work.clock(Stage.SMOOTH):
            crop = self._smoother.apply(
                face.candidate.face.track_id,
                fused.crop,
                outcome.restoration.crop,
                work.settings.temporal_smoothing,
                # A camera that switches between infrared and colour shows another picture at once.
                (work.settings, is_grey(fused.crop)),
                work.time_s,
                fused.gain,
            )
        return replace(outcome, restoration=replace(outcome.restoration, crop=crop))
