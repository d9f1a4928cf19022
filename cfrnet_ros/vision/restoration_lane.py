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

"""Second step of the pipeline: the networks restore the faces of a frame, and guards check them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.frame_work import FrameWork, Outcome
from cfrnet_ros.vision.quality.eye_guard import OFF, REFUSE, EyeGuard
from cfrnet_ros.vision.quality.face_quality import EYES, IDENTITY
from cfrnet_ros.vision.quality.identity_guard import IdentityGuard
from cfrnet_ros.vision.restoration.fine_stage import TwoStageRestorer
from cfrnet_ros.vision.restoration.restorer import Restorer
from cfrnet_ros.vision.stages import Stage


class RestorationLane:
    """Restores the faces of one frame at a time; several lanes may work at once.

    A lane remembers nothing of earlier frames, so that it does not matter which lane restores a
    frame. One lane belongs to one thread at a time, since its restorer has buffers.
    """

    def __init__(
        self, restorer: Restorer | TwoStageRestorer, identity: IdentityGuard, eyes: EyeGuard
    ) -> None:
        """Keep the parts.

        Args:
            restorer: Restorer of the crops, with a fine stage or without, of this lane alone.
            identity: Guard that is asked if `max_identity_drift` is above 0.
            eyes: Guard that is asked if `eye_guard` is not off.

        """
        self._restorer = restorer
        self._identity = identity
        self._eyes = eyes

    def interrupt(self) -> None:
        """End a running cycle, and refuse further cycles; any thread may call it."""
        self._restorer.interrupt()

    def restore(self, work: FrameWork) -> None:
        """Fill the slots of all faces that are to be restored and have no earlier outcome.

        Args:
            work: Frame that has been prepared.

        Raises:
            ModelError: A model failed, or its output is not usable.

        """
        for face in work.faces:
            if not face.candidate.reason and not face.reused:
                face.slot.outcome = self.outcome_of(face.fused.crop, work)

    def outcome_of(self, crop: NDArray[np.uint8], work: FrameWork) -> Outcome:
        """Restore a crop and ask the guards whether the result may be shown.

        Args:
            crop: (N, N, 3) uint8 BGR aligned crop.
            work: Frame of the crop.

        Raises:
            ModelError: A model failed, or its output is not usable.

        """
        settings, clock = work.settings, work.clock
        restoration = self._restorer.restore(crop, work.allowed, settings.convergence_tolerance)
        clock.add_cycles(restoration.cycle_ms, restoration.starts_s)
        if work.fine and isinstance(self._restorer, TwoStageRestorer):
            with clock(Stage.FINE):
                restoration = self._restorer.refine(restoration)
        outcome = Outcome(restoration)
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
