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

"""Locates the faces of a frame: detects them every few frames and follows them in between."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.settings import PipelineSettings
from cfrnet_ros.vision.stages import Stage, StageClock
from cfrnet_ros.vision.tracking.tracker import FaceTracker
from cfrnet_ros.vision.types import Face


class FaceLocator:
    """Runs the detector when it is due, and the tracker on every frame.

    Not thread-safe.
    """

    def __init__(self, detector: YuNetDetector, tracker: FaceTracker) -> None:
        """Start without known faces.

        Args:
            detector: Detector that finds the faces.
            tracker: Tracker that keeps their identity from frame to frame.

        """
        self._detector, self._tracker = detector, tracker
        self._since_detection: int | None = None

    def reset(self) -> None:
        """Forget the faces of the frames so far, for a new scene."""
        self._tracker.reset()
        self._since_detection = None

    def locate(
        self,
        bgr: NDArray[np.uint8],
        settings: PipelineSettings,
        time_s: float,
        clock: StageClock,
    ) -> list[Face]:
        """Find the faces of the next frame.

        The detector runs on every `detection_interval`-th frame, and also whenever no face is known
        or optical flow has just lost one.

        Args:
            bgr: (H, W, 3) uint8 frame.
            settings: Settings of the frame.
            time_s: Time at which the frame was taken, in seconds of any clock.
            clock: Clock of the frame; TRACK is timed, and DETECT if the detector runs.

        Returns:
            Faces with track ids.

        Raises:
            ModelError: The detector failed.

        """
        tracked: list[Face] = []
        with clock(Stage.TRACK):
            self._tracker.memory_s = settings.track_memory_s
            gray = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)).astype(np.uint8, copy=False)
            due = (
                self._since_detection is None
                or self._since_detection + 1 >= settings.detection_interval
                or self._tracker.active == 0
            )
            if not due:
                tracked = self._tracker.update(gray, None, time_s)
                due = self._tracker.lost > 0
        if due:
            with clock(Stage.DETECT):
                detections = self._detector.detect(bgr, settings.detection_threshold)
            with clock(Stage.TRACK):
                tracked = self._tracker.update(gray, detections, time_s)
        self._since_detection = 0 if due else (self._since_detection or 0) + 1
        return tracked
