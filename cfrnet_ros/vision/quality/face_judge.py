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

"""Measures a face and decides whether it is restored, with what is remembered of its track."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.quality.face_quality import QualityGate, measure_face
from cfrnet_ros.vision.quality.upright import LOOK_SIZE, UprightMeter
from cfrnet_ros.vision.settings import PipelineSettings
from cfrnet_ros.vision.types import Face, FaceQuality


class FaceJudge:
    """Measures faces and compares them with the limits.

    Not thread-safe.
    """

    def __init__(self, score: Callable[[NDArray[np.uint8]], float] | None) -> None:
        """Start without any tracks.

        Args:
            score: Function from a (96, 96, 3) uint8 picture to the detector's score of the surest
                face in it, 0..1; None if the detector is too slow for that, and faces count as
                upright.

        """
        self._gate = QualityGate()
        self._upright = None if score is None else UprightMeter(score)
        if score is not None:
            # The first call prepares the detector, which would otherwise delay the first face.
            score(np.zeros((LOOK_SIZE, LOOK_SIZE, 3), np.uint8))

    def reset(self) -> None:
        """Forget all tracks."""
        self.keep(())

    def keep(self, track_ids: Collection[int]) -> None:
        """Forget all tracks except the given ones."""
        self._gate.keep(track_ids)
        if self._upright is not None:
            self._upright.keep(track_ids)

    def judge(
        self, face: Face, crop: NDArray[np.uint8], settings: PipelineSettings
    ) -> tuple[FaceQuality, str]:
        """Measure a face before restoration.

        Args:
            face: Face in the frame.
            crop: (N, N, 3) uint8 BGR aligned crop.
            settings: Limits, by the names of the node's parameters.

        Returns:
            Measurements, and the reason for not restoring the face; '' if it may be restored.

        """
        quality = measure_face(face, crop)
        least = settings.min_upright
        # In smaller faces the scores are left to chance, and such faces are refused anyhow.
        if self._upright is not None and least > -1 and quality.size_px >= settings.min_face_px:
            upright = self._upright.measure(face.track_id, crop, least)
            quality = replace(quality, upright=upright)
        return quality, self._gate.judge(face.track_id, quality, settings)
