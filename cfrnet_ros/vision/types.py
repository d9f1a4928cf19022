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

"""Data classes that the modules of `cfrnet_ros.vision` exchange."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Largest number of cycles of one restoration.
MAX_CYCLES = 8

#: Largest number of frames that are restored at once.
MAX_PARALLEL_FRAMES = 8

#: What happens if an engine fails its self-test: another engine is used, it is used with a
#: warning, or an error is raised. With the last mode no engine is tested.
FALLBACK, WARN, FAIL, OFF = SELF_TEST_MODES = ('fallback', 'warn', 'fail', 'off')


@dataclass(frozen=True)
class Face:
    """A face found in a frame.

    Attributes:
        box: (4,) float32 left, top, right, bottom in pixels of the frame; may reach beyond its
            border.
        landmarks: (5, 2) float32 x, y in pixels of the frame: image-left eye,
            image-right eye, nose tip, image-left and image-right mouth corner.
        score: Detection confidence, 0..1.
        track_id: Id of the track, 0 or above; -1 for a face that is not tracked.

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
        size_px: Shorter side of the box in pixels of the frame.
        brightness: Mean grey value of the face, 0..255.
        sharpness: Sharpness, as `face_quality.sharpness_of` measures it.
        yaw_deg: Yaw in degrees, as `face_quality.yaw_of` estimates it.
        symmetry: Symmetry, as `face_quality.symmetry_of` measures it.
        score: Detection score, 0..1.
        overexposed: Share of the face that is burnt out, 0..1, as
            `face_quality.overexposed_share` measures it.
        upright: Uprightness, as `upright.uprightness` measures it; None if it was not measured.

    """

    size_px: float
    brightness: float
    sharpness: float
    yaw_deg: float
    symmetry: float
    score: float
    overexposed: float
    upright: float | None = None


@dataclass(frozen=True)
class FusedCrop:
    """A crop after fusion with the earlier crops of its track.

    Attributes:
        crop: (N, N, 3) uint8 BGR fused crop; the camera's crop itself if nothing was fused.
        frames: Effective number of frames in the crop, 1 or above: the factor by which the
            variance of its noise fell, averaged over the crop.
        moving: Share of the crop, 0..1, in which the newest frame was passed through.
        gain: (N/2, N/2) float32 weight of the newest frame, 0..1; None if nothing was fused.

    """

    crop: NDArray[np.uint8]
    frames: float = 1.0
    moving: float = 1.0
    gain: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Restoration:
    """Result of restoring one aligned crop.

    Attributes:
        crop: (N, N, 3) uint8 BGR restored crop.
        cycles: Number of times that the network was applied; 0 for a face that is passed on
            unchanged.
        cycle_ms: Wall time of each application in milliseconds; empty if an earlier
            restoration is used again.
        residuals: Mean of abs(y_k - y_(k-1)) for each application, as a fraction
            (0..1) of the value range; y_0 is the input.
        starts_s: Start of each application in seconds, by `time.perf_counter`; empty if the times
            are not known.
        fine: Whether the fine stage followed the cycles; None where there is no such stage.
        fine_ms: Wall time of the fine stage in milliseconds; empty if it did not run, or if an
            earlier restoration is used again.

    """

    crop: NDArray[np.uint8]
    cycles: int
    cycle_ms: tuple[float, ...]
    residuals: tuple[float, ...]
    starts_s: tuple[float, ...] = ()
    fine: bool | None = None
    fine_ms: tuple[float, ...] = ()


@dataclass(frozen=True)
class EyeChange:
    """Openness of the eyes before and after restoration, in height over width.

    Attributes:
        before: Openness before restoration, both eyes together; 0 for shut eyes, about 0.3 for
            open ones.
        after: Openness after restoration.
        change: Change beyond doubt of the eye that changed more, as `eye_guard.certain_change`
            computes it; above 0 if it came out more open.
        exceeded: Whether the change is above `max_eye_change`.

    """

    before: float
    after: float
    change: float
    exceeded: bool


@dataclass(frozen=True)
class RestoredFace:
    """A face, its crop before and after restoration, and where the crop came from.

    Attributes:
        face: Face in the frame.
        aligned: (N, N, 3) uint8 BGR crop before restoration.
        affine: (2, 3) float64 matrix from frame pixels to crop pixels.
        restoration: Restored crop with cycles, times and residuals. For a face that is not
            restored it holds `aligned` and no cycles.
        reason: Reason for not restoring the face, one of `face_quality.REASONS`; '' if it was
            restored.
        reused: Whether the restoration is that of an earlier, equal crop.
        quality: Measurements before restoration, None if there are none.
        sharpness: Sharpness of the crop after restoration, as `face_quality.sharpness_of`
            measures it; None if it was not measured.
        identity_drift_deg: Angle in degrees between the embeddings of the crop before and after
            restoration by `face_embedder.FaceEmbedder`; None if it was not measured.
        fusion: Crop after fusion over time; None if fusion is off or the face was not restored.
        eyes: Eyes before and after restoration; None if they were not measured.

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
    fusion: FusedCrop | None = None
    eyes: EyeChange | None = None

    @property
    def fused(self) -> NDArray[np.uint8]:
        """(N, N, 3) uint8 BGR crop that was restored: the fused one, or `aligned`."""
        return self.aligned if self.fusion is None else self.fusion.crop

    @property
    def crop(self) -> NDArray[np.uint8]:
        """(N, N, 3) uint8 BGR restored crop, or the aligned one if the face was not restored."""
        return self.restoration.crop

    @property
    def restored(self) -> bool:
        """Whether `crop` was restored; False if it holds the camera's pixels."""
        return not self.reason
