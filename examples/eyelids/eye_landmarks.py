"""Where the eyelids are in an aligned crop.

Two networks of MediaPipe in a row, as its iris pipeline has them (Ablavatski et al.,
"Real-time pupil tracking from monocular video for digital puppetry", 2020; Apache-2.0): the
face mesh finds the corners of the eyes, and a second network looks at each eye by itself.
The mesh alone hardly follows the lids, since an eye is a few pixels wide in what it sees.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from examples.eyelids.network_files import load_interpreter, network_path

#: Presence at or above which MediaPipe takes the mesh for a face.
PRESENCE = 0.5

#: Points of an eye's outline: 9 of the lower lid from the outer corner to the inner one,
#: then 7 of the upper lid between the corners, each above its partner on the lower.
OUTLINE_POINTS = 16
OUTER, INNER = 0, 8

#: Upper and lower points across the middle of the eye, where the lids part most.
_UPPER, _LOWER = (11, 12, 13), (3, 4, 5)

#: Corners of the image-left and the image-right eye in the mesh: outer, inner.
_MESH_CORNERS = ((33, 133), (263, 362))
_MESH_POINTS = 468

# The part of the crop that the mesh sees, as fractions of its side. Aligned crops show the
# forehead and cut the chin; the mesh wants the face in the middle, a little below theirs.
_MESH_CENTRE = (0.5, 0.548)

# The eye network wants the eye in a square of this many times its width (MediaPipe's
# iris_landmark_landmarks_to_roi: 25 % of margin around a square of the eye's region).
_EYE_ROI = 2.3


@dataclass(frozen=True)
class Eyes:
    """The eyes found in one crop.

    Attributes:
        outlines: (2, 16, 2) float64 x, y in pixels of the crop of the image-left and the
            image-right eye, see `OUTLINE_POINTS`.
        presence: how sure the mesh is that there is a face, 0..1.

    """

    outlines: NDArray[np.float64]
    presence: float

    @property
    def found(self) -> bool:
        """Whether MediaPipe would take this for a face."""
        return self.presence >= PRESENCE

    @property
    def openness(self) -> float:
        """Eye aspect ratio, 0 and above: see `eye_aspect_ratio`."""
        return eye_aspect_ratio(self.outlines)


def eye_aspect_ratio(outlines: NDArray[np.float64]) -> float:
    """Return the height of the eyes over their width, both eyes together.

    After Soukupova and Cech, "Real-time eye blink detection using facial landmarks", 2016,
    with three pairs of lid points in place of two. Heights and widths are added up over the
    eyes before they are divided, so that the eye that is turned away, narrow and uncertain,
    counts less. People blink with both eyes; a wink counts half.

    Args:
        outlines: (2, 16, 2) as in `Eyes`.

    Returns:
        About 0.3 for open eyes, less for narrow ones, near 0.1 for shut ones.

    Raises:
        ValueError: another shape, or eyes without width.

    """
    if outlines.shape != (2, OUTLINE_POINTS, 2):
        raise ValueError(f'outlines must be (2, {OUTLINE_POINTS}, 2), got {outlines.shape}')
    widths = np.linalg.norm(outlines[:, OUTER] - outlines[:, INNER], axis=-1)
    if not widths.sum() > 1e-6:
        raise ValueError('the corners of the eyes coincide')
    gaps = np.linalg.norm(outlines[:, _UPPER] - outlines[:, _LOWER], axis=-1)
    return float(gaps.mean(axis=1).sum() / widths.sum())


class EyeLandmarker:
    """Finds the eyelids in crops aligned as `~/face/image` has them.

    Not thread-safe.
    """

    def __init__(self, threads: int = 1) -> None:
        """Load both networks.

        Args:
            threads: CPU threads, 1 or more.

        Raises:
            MissingNetworkError: a package is not installed.

        """
        self._mesh = _Network('face_landmark.tflite', threads)
        self._eye = _Network('iris_landmark.tflite', threads)

    def __call__(self, crop_bgr: NDArray[np.uint8]) -> Eyes:
        """Find the eyes of one crop.

        Args:
            crop_bgr: (N, N, 3) uint8, aligned.

        Returns:
            The eyes; look at `found` before you use them.

        Raises:
            ValueError: another shape or type.

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
        """Find the outline of one eye; the network knows image-left eyes only."""
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
    """A TFLite file with one picture in and two vectors out."""

    def __init__(self, name: str, threads: int) -> None:
        self._interpreter: Any = load_interpreter(network_path(name), threads)
        entry = self._interpreter.get_input_details()[0]
        self._input = int(entry['index'])
        self.size = int(entry['shape'][1])
        self._outputs = [int(output['index']) for output in self._interpreter.get_output_details()]

    def __call__(
        self, crop: NDArray[np.uint8], affine: NDArray[np.float64], sizes: tuple[int, int]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Run on the part of a crop that `affine` maps to the input; outputs by their sizes."""
        scale = math.sqrt(abs(float(np.linalg.det(affine[:, :2]))))
        picture = cv2.warpAffine(
            # Where the input is coarser than the crop, sampling alone would alias.
            crop if scale > 0.6 else cv2.GaussianBlur(crop, (0, 0), 0.4 / scale),
            affine,
            (self.size, self.size),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        rgb = np.ascontiguousarray(picture[None, ..., ::-1]).astype(np.float32) / 255.0
        self._interpreter.set_tensor(self._input, rgb)
        self._interpreter.invoke()
        # Told apart by their size, not by their order.
        found = {
            values.size: values.ravel().astype(np.float64)
            for values in map(self._interpreter.get_tensor, self._outputs)
        }
        return found[sizes[0]], found[sizes[1]]


def _square(
    centre: NDArray[np.float64], side: float, angle: float, size: int
) -> NDArray[np.float64]:
    """Return the (2, 3) matrix that maps a turned square of the crop to `size` pixels."""
    scale = size / side
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    turn = np.array([[cosine, sine], [-sine, cosine]])
    return np.hstack([turn, ((size - 1) / 2 - turn @ centre)[:, None]])


def _to_crop(points: NDArray[np.float64], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    inverse = np.asarray(cv2.invertAffineTransform(affine), np.float64)
    return np.asarray(points @ inverse[:, :2].T + inverse[:, 2])


def _sigmoid(logit: float) -> float:
    # Written so that neither branch overflows.
    if logit >= 0:
        return 1.0 / (1.0 + math.exp(-logit))
    return math.exp(logit) / (1.0 + math.exp(logit))
