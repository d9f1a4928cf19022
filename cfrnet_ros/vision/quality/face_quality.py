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

"""Measures size, brightness, sharpness, pose and symmetry of a face, and decides on restoration."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.settings import PipelineSettings
from cfrnet_ros.vision.types import Face, FaceQuality

#: Reasons for passing a face on unrestored. Diagnostics count faces by these names.
TOO_SMALL = 'too_small'
TOO_DARK = 'too_dark'
NOT_UPRIGHT = 'not_upright'
OVEREXPOSED = 'overexposed'
TURNED = 'turned'
LOW_SCORE = 'low_score'
COVERED = 'covered'
IDENTITY = 'identity_drift'
EYES = 'eyes_changed'
#: Names of the parameters whose limits give these reasons.
LIMITS: Mapping[str, str] = {
    TOO_SMALL: 'min_face_px',
    TOO_DARK: 'min_brightness',
    NOT_UPRIGHT: 'min_upright',
    OVEREXPOSED: 'max_overexposed',
    TURNED: 'max_yaw_deg',
    LOW_SCORE: 'min_score_restore',
    COVERED: 'min_symmetry',
    IDENTITY: 'max_identity_drift',
    EYES: 'max_eye_change',
}
REASONS: tuple[str, ...] = tuple(LIMITS)

#: Distance by which the tip of the nose stands out, in distances of the eyes. Fitted to the pose
#: of a 468-point face mesh on 154 faces of drivers, webcam clips and portraits with yaws up to
#: 60 degrees: median error 3 degrees, one error in ten above 9, correlation 0.95.
NOSE_DEPTH = 0.5

#: Side in pixels to which crops are scaled for measuring: at a higher resolution the face of a
#: driver camera contains only noise.
SIDE = 128

#: Grey value from which a pixel counts as burnt out: JPEG and noise move 255 by a few levels.
BURNT_OUT = 250

#: Part of the crop (rows, columns; fractions of its side) that lies inside every face.
_FACE = (slice(int(0.28 * SIDE), int(0.9 * SIDE)), slice(int(0.22 * SIDE), int(0.78 * SIDE)))

#: Share by which a refused face must pass a limit before it is restored again; without it a face
#: at the limit would flicker.
HYSTERESIS = 0.1


class QualityGate:
    """Decides which faces are restored, and remembers each track's decision to avoid flicker.

    Not thread-safe.
    """

    def __init__(self) -> None:
        """Start without any tracks."""
        self._refused: dict[int, str] = {}

    def reset(self) -> None:
        """Forget all tracks."""
        self._refused.clear()

    def keep(self, track_ids: Iterable[int]) -> None:
        """Forget all tracks except the given ones."""
        wanted = set(track_ids)
        self._refused = {i: reason for i, reason in self._refused.items() if i in wanted}

    def judge(self, track_id: int, quality: FaceQuality, settings: PipelineSettings) -> str:
        """Return the reason for not restoring a face.

        Args:
            track_id: Id of the face's track, below 0 for an untracked face.
            quality: Measurements of the face in this frame.
            settings: Limits, by the names of the node's parameters.

        Returns:
            Reason, one of `REASONS`, or '' if the face may be restored.

        """
        before = self._refused.get(track_id, '')
        least_score, most_burnt = settings.min_score_restore, settings.max_overexposed
        reason = ''
        upright = 1.0 if quality.upright is None else quality.upright
        checks = (
            (TOO_SMALL, quality.size_px, settings.min_face_px, True),
            (TOO_DARK, quality.brightness, settings.min_brightness, settings.min_brightness > 0),
            (NOT_UPRIGHT, upright, settings.min_upright, settings.min_upright > -1),
            (OVEREXPOSED, -quality.overexposed, -most_burnt, most_burnt < 1),
            (TURNED, -abs(quality.yaw_deg), -settings.max_yaw_deg, settings.max_yaw_deg < 180),
            (LOW_SCORE, quality.score, least_score, least_score > 0),
            (COVERED, quality.symmetry, settings.min_symmetry, settings.min_symmetry > -1),
        )
        for name, value, least, on in checks:
            stricter = abs(least) * HYSTERESIS if before == name else 0.0
            if name == LOW_SCORE:
                # Scores end at 1, and those of detections are close to it.
                stricter = min(stricter, (1.0 - least) / 2)
            if on and value < least + stricter:
                reason = name
                break
        if track_id >= 0:
            if reason:
                self._refused[track_id] = reason
            else:
                self._refused.pop(track_id, None)
        return reason


def measure_face(face: Face, crop: NDArray[np.uint8]) -> FaceQuality:
    """Measure a face before restoration.

    Args:
        face: Face in the frame.
        crop: (N, N, 3) uint8 BGR aligned crop before restoration.

    """
    gray = _small_gray(crop)
    return FaceQuality(
        size_px=min(face.width, face.height),
        brightness=float(gray[_FACE].mean()),
        sharpness=_sharpness(gray),
        yaw_deg=yaw_of(face.landmarks),
        symmetry=symmetry_of(gray),
        score=face.score,
        overexposed=overexposed_share(gray),
    )


def sharpness_of(crop: NDArray[np.uint8]) -> float:
    """Measure the sharpness of the face in an aligned crop.

    Sharpness is the variance of the Laplacian (Pech-Pacheco et al., "Diatom autofocusing in
    brightfield microscopy", ICPR 2000) of the face at 128 pixels a side, slightly smoothed
    against noise, divided by the variance of its grey values: without the division a brighter
    picture would count as sharper. The value is meant for comparing a face with itself, before
    and after restoration; other faces differ because beards and glasses have more edges.
    Noise that remains after the smoothing counts as sharpness.

    Args:
        crop: (N, N, 3) uint8 BGR crop.

    Returns:
        Sharpness, 0 for a flat or fully blurred face; most faces below 0.01 look soft, above
        0.02 sharp.

    """
    return _sharpness(_small_gray(crop))


def yaw_of(landmarks: NDArray[np.float32]) -> float:
    """Estimate the yaw of a face from five landmarks.

    The tip of the nose stands out, so turning the head moves it off the line from the middle
    of the eyes to the middle of the mouth, by `NOSE_DEPTH` x tan(yaw) distances of the eyes.
    The estimate is an indication and not an exact head pose, since faces differ.

    Args:
        landmarks: (5, 2) landmarks in the order of `types.Face`.

    Returns:
        Yaw in degrees, -90..90: 0 for a frontal face, above 0 for a nose that points to the
        image's right; 0 if the landmarks coincide.

    """
    points = np.asarray(landmarks, np.float64)
    eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    down, nose = mouth - eyes, points[2] - eyes
    length, apart = float(np.hypot(*down)), float(np.hypot(*(points[1] - points[0])))
    if length < 1e-6 or apart < 1e-6:
        return 0.0
    off = float(nose[0] * down[1] - nose[1] * down[0]) / length
    return math.degrees(math.atan2(off, NOSE_DEPTH * apart))


def overexposed_share(gray: NDArray[np.uint8]) -> float:
    """Measure how much of a face is burnt out, so that nothing of it was recorded.

    On 39 portraits, well exposed, 95% had a share below 0.01 and the largest was 0.16; on 45 faces
    of drivers the largest was 0.04. With the portraits' exposure raised up to 24 times, faces
    with a share above 0.6 were 48 degrees (SFace) and more from the person, and after two
    cycles no nearer: what is burnt out can only be invented.

    Args:
        gray: (128, 128) uint8 aligned crop.

    Returns:
        Share of the face's pixels at `BURNT_OUT` or above, 0..1.

    """
    return float((gray[_FACE] >= BURNT_OUT).mean())


def symmetry_of(gray: NDArray[np.uint8]) -> float:
    """Measure how much a face resembles its mirror image.

    An object that hides one half of a face, such as a phone or a hand, breaks the symmetry; but
    so do side light (in part, since the light is divided out), a turned head and hair. An
    object that hides both halves equally, such as a mask or sunglasses, does not show at all.
    On 50 portraits the median was 0.69 (5th percentile 0.01), with a phone held to the cheek
    0.36, with a hand over an eye 0.44, with a mask 0.65: the value is a hint and not a reliable
    test. The detector's score says even less (0.94 for a free face, 0.92 with any of these).

    Args:
        gray: (128, 128) uint8 aligned crop.

    Returns:
        Correlation of the two halves, -1..1; 0 for a face without contrast.

    """
    side = (SIDE // 2, SIDE // 2)
    half = np.asarray(cv2.resize(gray, side, interpolation=cv2.INTER_AREA)).astype(np.float32)
    detail = cv2.subtract(half, cv2.GaussianBlur(half, (0, 0), 8))
    contrast = np.sqrt(cv2.GaussianBlur(cv2.multiply(detail, detail), (0, 0), 8)) + 2.0
    middle = (detail / contrast)[18:58, 14:50]
    left, right = middle[:, :18], middle[:, :17:-1]
    left, right = left - left.mean(), right - right.mean()
    norm = float(np.linalg.norm(left) * np.linalg.norm(right))
    return float((left * right).sum()) / norm if norm > 1e-6 else 0.0


def _small_gray(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    small = cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)).astype(np.uint8, copy=False)


def _sharpness(gray: NDArray[np.uint8]) -> float:
    # Blurring and the Laplacian are computed on more than the face, whose border would
    # otherwise count as an edge.
    smooth = cv2.GaussianBlur(gray.astype(np.float32), (0, 0), 1.0)
    edges = np.asarray(cv2.Laplacian(smooth, cv2.CV_32F))[_FACE]
    variance = float(gray[_FACE].astype(np.float32).var())
    return float(edges.var()) / (variance + 4.0)
