"""Plain data that the pieces of this room hand to each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Most cycles of one restoration.
MAX_CYCLES = 8

#: What becomes of an engine that fails its self-test: another one is taken, it is used with a
#: warning, or it is an error; or no engine is tested at all.
FALLBACK, WARN, FAIL, OFF = SELF_TEST_MODES = ('fallback', 'warn', 'fail', 'off')


@dataclass(frozen=True)
class Face:
    """A face found in a frame.

    Attributes:
        box: (4,) float32, left, top, right, bottom in pixels of the frame; may
            reach beyond its border.
        landmarks: (5, 2) float32 x, y in pixels of the frame: image-left eye,
            image-right eye, nose tip, image-left and image-right mouth corner.
        score: detection confidence, 0..1.
        track_id: 0 or above for a tracked face, -1 for one that is not.

    """

    box: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    score: float
    track_id: int = -1

    @property
    def width(self) -> float:
        """Width of the box in pixels."""
        return float(self.box[2] - self.box[0])

    @property
    def height(self) -> float:
        """Height of the box in pixels."""
        return float(self.box[3] - self.box[1])

    @property
    def area(self) -> float:
        """Area of the box in square pixels, 0 for an inverted box."""
        return max(0.0, self.width) * max(0.0, self.height)


@dataclass(frozen=True)
class FaceQuality:
    """Measurements of one face before restoration.

    Attributes:
        size_px: shorter side of the box in pixels of the frame.
        brightness: mean grey value of the face, 0..255.
        sharpness: see `face_quality.sharpness_of`.
        yaw_deg: see `face_quality.yaw_of`.
        symmetry: see `face_quality.symmetry_of`.
        score: of the detection, 0..1.

    """

    size_px: float
    brightness: float
    sharpness: float
    yaw_deg: float
    symmetry: float
    score: float


@dataclass(frozen=True)
class Restoration:
    """What the restorer made of one aligned crop.

    Attributes:
        crop: (N, N, 3) uint8 BGR, restored.
        cycles: how often the network was really applied; 0 for a face that is passed on
            as it is.
        cycle_ms: wall time of each application in milliseconds; empty where an earlier
            restoration is used again.
        residuals: of each application the mean absolute change |y_k - y_(k-1)|,
            as a fraction (0..1) of the value range; y_0 is the input.

    """

    crop: NDArray[np.uint8]
    cycles: int
    cycle_ms: tuple[float, ...]
    residuals: tuple[float, ...]


@dataclass(frozen=True)
class RestoredFace:
    """A face, its crop before and after restoration, and where the crop came from.

    Attributes:
        face: the face in the frame.
        aligned: (N, N, 3) uint8 BGR crop before restoration.
        affine: (2, 3) float64 matrix from frame pixels to crop pixels.
        restoration: the restored crop with cycles, times and residuals. Of a face that is
            not to be restored it holds `aligned` and no cycles.
        reason: why the face was not restored, one of `face_quality.REASONS`; '' if it was.
        reused: whether the restoration is that of an earlier, equal crop.
        quality: what was measured before restoration, None where nothing was.
        sharpness: of the crop after restoration, see `face_quality.sharpness_of`; None
            where it was not measured.
        identity_drift_deg: angle between the embeddings of the crop before and after
            restoration, see `face_embedder.FaceEmbedder`; None where it was not measured.

    """

    face: Face
    aligned: NDArray[np.uint8]
    affine: NDArray[np.float64]
    restoration: Restoration
    reason: str = ''
    reused: bool = False
    quality: FaceQuality | None = None
    sharpness: float | None = None
    identity_drift_deg: float | None = None

    @property
    def crop(self) -> NDArray[np.uint8]:
        """(N, N, 3) uint8 BGR restored crop, or the aligned one if it was not restored."""
        return self.restoration.crop

    @property
    def restored(self) -> bool:
        """Whether `crop` is more than the camera's pixels."""
        return not self.reason
