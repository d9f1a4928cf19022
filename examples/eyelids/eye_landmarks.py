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

"""Finds the eyelids in an aligned crop.

Two networks of MediaPipe are applied one after the other, as in its iris pipeline (Ablavatski et
al., "Real-time pupil tracking from monocular video for digital puppetry", 2020; Apache-2.0): the
face mesh finds the corners of the eyes, and a second network examines each eye. The mesh alone
hardly follows the lids, because an eye is only a few pixels wide in its input.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from examples.eyelids.network_files import load_interpreter, network_path

#: Presence at or above which MediaPipe accepts the mesh as a face.
PRESENCE = 0.5

#: Points of an eye's outline: 9 of the lower lid from the outer corner to the inner one, then 7 of
#: the upper lid between the corners, each above its partner on the lower lid.
OUTLINE_POINTS = 16
OUTER, INNER = 0, 8

#: Upper and lower points at the middle of the eye, where the distance of the lids is largest.
_UPPER, _LOWER = (11, 12, 13), (3, 4, 5)

#: Corners of the image-left and the image-right eye in the mesh: outer, inner.
_MESH_CORNERS = ((33, 133), (263, 362))
_MESH_POINTS = 468

# Part of the crop that the mesh gets, as fractions of its side. Aligned crops show the forehead
# and cut the chin; the mesh expects the face in the middle, a little below its place there.
_MESH_CENTRE = (0.5, 0.548)

# Side of the square that the eye network expects, in widths of the eye (MediaPipe's
# iris_landmark_landmarks_to_roi: 25 % of margin around a square of the eye's region).
_EYE_ROI = 2.3


@dataclass(frozen=True)
class Eyes:
    """Eyes found in one crop.

    Attributes:
        outlines: (2, 16, 2) float64 x, y in pixels of the crop: the image-left and the image-right
            eye, each with the points that `OUTLINE_POINTS` describes.
        presence: Confidence of the mesh that there is a face, 0..1.

    """

    outlines: NDArray[np.float64]
    presence: float

    @property
    def found(self) -> bool:
        """Whether MediaPipe would accept the crop as a face."""
        return self.presence >= PRESENCE

    @property
    def openness(self) -> float:
        """Eye aspect ratio, 0 or above, as `eye_aspect_ratio` computes it."""
        return eye_aspect_ratio(self.outlines)


def eye_aspect_ratio(outlines: NDArray[np.float64]) -> float:
    """Return the height of the eyes divided by their width, for both eyes together.

    The ratio is that of Soukupova and Cech, "Real-time eye blink detection using facial
    landmarks", 2016, with three pairs of lid points instead of two. Heights and widths are added
    up over both eyes before they are divided, so that the eye that is turned away, narrow and
    uncertain, has less weight. People blink with both eyes; a wink has half the effect.

    Args:
        outlines: (2, 16, 2) outlines as in `Eyes`.

    Returns:
        Ratio of about 0.3 for open eyes, less for narrow ones, near 0.1 for shut ones.

    Raises:
        ValueError: The outlines have another shape, or the eyes have no width.

    """
    if outlines.shape != (2, OUTLINE_POINTS, 2):
        raise ValueError(f'outlines must be (2, {OUTLINE_POINTS}, 2), got {outlines.shape}')
    widths = np.linalg.norm(outlines[:, OUTER] - outlines[:, INNER], axis=-1)
    if not widths.sum() > 1e-6:
        raise ValueError('the corners of the eyes coincide')
    gaps = np.linalg.norm(outlines[:, _UPPER] - outlines[:, _LOWER], axis=-1)
    return float(gaps.mean(axis=1).sum() / widths.sum())


class EyeLandmarker:
    """Finds the eyelids in crops that are aligned like those of `~/face/image`.

    Not thread-safe.
    """

    def __init__(self, threads: int = 1) -> None:
        """Load both networks.

        Args:
            threads: Number of CPU threads, 1 or more.

        Raises:
            MissingNetworkError: A package is not installed.

        """
        self._mesh = _Network('face_landmark.tflite', threads)
        self._eye = _Network('iris_landmark.tflite', threads)

    def __call__(self, crop_bgr: NDArray[np.uint8]) -> Eyes:
        """Find the eyes in one crop.

        Args:
            crop_bgr: (N, N, 3) uint8 aligned crop.

        Returns:
            Eyes; they are only valid if `found` is true.

        Raises:
            ValueError: The crop has another shape or type.

        """
        if (
            crop_bgr.ndim != 3
            or crop_bgr.shape[2] != 3
            or crop_bgr.shape[0] != crop_bgr.shape[1]
            or crop_bgr.dtype != np.uint8
        ):
            raise ValueError(
                f'a crop must be (N, N, 3) uint8, got {crop_bgr.shape} {crop_bgr.dtype}'
            )
        side = crop_bgr.shape[0]
        centre = np.array(_MESH_CENTRE) * side - 0.5
        square = _square(centre, float(side), 0.0, self._mesh.size)
        coordinates, presence = self._mesh(crop_bgr, square, (3 * _MESH_POINTS, 1))
        mesh = _to_crop(coordinates.reshape(_MESH_POINTS, 3)[:, :2], square)
        outlines = [
            self._outline(crop_bgr, mesh[outer], mesh[inner], mirrored)
            for (outer, inner), mirrored in zip(_MESH_CORNERS, (False, True))
        ]
        return Eyes(np.stack(outlines), _sigmoid(float(presence[0])))

    def _outline(
        self,
        crop: NDArray[np.uint8],
        outer: NDArray[np.float64],
        inner: NDArray[np.float64],
        mirrored: bool,
    ) -> NDArray[np.float64]:
        """Find the outline of one eye; the network was trained on image-left eyes only."""
        across = outer - inner if mirrored else inner - outer
        angle = math.atan2(across[1], across[0])
        width = max(float(np.linalg.norm(across)), 1.0)
        square = _square((outer + inner) / 2, _EYE_ROI * width, angle, self._eye.size)
        if mirrored:
            flip = np.array([[-1.0, 0.0, self._eye.size - 1.0], [0.0, 1.0, 0.0]])
            square = flip @ np.vstack([square, [0.0, 0.0, 1.0]])
        coordinates, _ = self._eye(crop, square, (213, 15))
        return _to_crop(coordinates.reshape(-1, 3)[:OUTLINE_POINTS, :2], square)


class _Network:
    """TFLite file whose input is one picture and whose outputs are two vectors."""

    def __init__(self, name: str, threads: int) -> None:
        self._interpreter: Any = load_interpreter(network_path(name), threads)
        entry = self._interpreter.get_input_details()[0]
        self._input = int(entry['index'])
        self.size = int(entry['shape'][1])
        self._outputs = [int(output['index']) for output in self._interpreter.get_output_details()]

    def __call__(
        self, crop: NDArray[np.uint8], affine: NDArray[np.float64], sizes: tuple[int, int]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Run on the part of a crop that `affine` maps to the input; return outputs by size."""
        scale = math.sqrt(abs(float(np.linalg.det(affine[:, :2]))))
        picture = cv2.warpAffine(
            # If the input is coarser than the crop, sampling alone would alias.
            crop if scale > 0.6 else cv2.GaussianBlur(crop, (0, 0), 0.4 / scale),
            affine,
            (self.size, self.size),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        rgb = np.ascontiguousarray(picture[None, ..., ::-1]).astype(np.float32) / 255.0
        self._interpreter.set_tensor(self._input, rgb)
        self._interpreter.invoke()
        # The outputs are identified by their sizes, not by their order.
        found = {
            values.size: values.ravel().astype(np.float64)
            for values in map(self._interpreter.get_tensor, self._outputs)
        }
        return found[sizes[0]], found[sizes[1]]


def _square(
    centre: NDArray[np.float64], side: float, angle: float, size: int
) -> NDArray[np.float64]:
    """Return the (2, 3) matrix that maps a rotated square of the crop to `size` pixels."""
    scale = size / side
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    turn = np.array([[cosine, sine], [-sine, cosine]])
    return np.hstack([turn, ((size - 1) / 2 - turn @ centre)[:, None]])


def _to_crop(points: NDArray[np.float64], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    inverse = np.asarray(cv2.invertAffineTransform(affine), np.float64)
    return np.asarray(points @ inverse[:, :2].T + inverse[:, 2])


def _sigmoid(logit: float) -> float:
    # In this form neither branch can overflow.
    if logit >= 0:
        return 1.0 / (1.0 + math.exp(-logit))
    return math.exp(logit) / (1.0 + math.exp(logit))
