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

"""Moves sharp portraits as people move in clips, for `benchmarks.fusion_portraits`.

A face in a webcam's clip is some 60 pixels wide, so that a truth cut out of the clip is soft. A
portrait is several times as large. It takes the place of the face in each frame of a clip and is
filmed at the size of the clip's face, while its truth stays as sharp as the portrait. It moves
rigidly: it shifts, turns in the plane and comes nearer, and neither blinks nor speaks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.fusion_clips import Camera, Filmed, clips_in, film, read_clip
from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.preprocessing.align import similarity_transform
from demo import bad_camera
from training.data.images import load_image
from training.data.manifest import FaceRecord

Picture = NDArray[np.uint8]

#: Size of a frame, width and height in pixels: half a webcam's width, with the face in its middle.
FRAME = (320, 240)

#: Size of the truth as a factor of the frame's. A face of 60 px is enlarged 2.7 times in a crop of
#: 256 px, so that the truth has a pixel for each of the crop's.
ZOOM = 3

#: Standard deviation, in frames, of the window that takes the detector's jitter out of a motion.
_STEADY = 2.0

#: Width of the border, in pixels of the portrait, over which it passes into its surroundings.
_EDGE = 16

#: Score from which the detector's landmarks are followed.
_SURE = 0.8


@dataclass(frozen=True)
class Portrait:
    """A portrait that is moved.

    Attributes:
        name: Name that seeds the camera's noise.
        picture: (H, W, 3) uint8 BGR picture of one face.
        landmarks: (5, 2) float64 pixels, in the template's order.

    """

    name: str
    picture: Picture
    landmarks: NDArray[np.float64]


def read_portrait(record: FaceRecord) -> Portrait:
    """Read a face of the manifest.

    Raises:
        ValueError: The picture cannot be decoded.

    """
    return Portrait(record.path.stem, load_image(record.path), record.landmarks)


def motion_of(pictures: Sequence[Picture]) -> NDArray[np.float64]:
    """Return how a face moves through a clip.

    Args:
        pictures: (H, W, 3) uint8 BGR frames that show one person.

    Returns:
        (F, 2, 3) float64 matrices from pixels of an aligned crop of one pixel a side to pixels of
        the frame, one for each frame from the first that shows a face. They are smoothed over time,
        and moved so that the mean place of the crop's middle is the middle of a frame of `FRAME`.

    Raises:
        ValueError: No frame shows a face.

    """
    detector = YuNetDetector(None, choose_providers('cpu'), 640, 1)
    paths: list[NDArray[np.float64]] = []
    for picture in pictures:
        faces = detector.detect(picture, _SURE)
        if faces:
            best = max(faces, key=lambda face: face.score)
            inverse = cv2.invertAffineTransform(similarity_transform(best.landmarks, 1))
            paths.append(np.asarray(inverse, np.float64))
        elif paths:
            paths.append(paths[-1])
    if not paths:
        raise ValueError('no frame of the clip shows a face')
    path = np.asarray(paths, np.float64)
    smooth = np.asarray(
        cv2.GaussianBlur(
            path.reshape(len(path), 6),
            (1, 0),
            sigmaX=0.1,
            sigmaY=_STEADY,
            borderType=cv2.BORDER_REPLICATE,
        ),
        np.float64,
    ).reshape(path.shape)
    smooth[:, :, 2] += (np.array(FRAME) - 1) / 2 - smooth[:, :, 2].mean(axis=0)
    return smooth


def motions_in(folder: Path, frames: int) -> list[NDArray[np.float64]]:
    """Return how the face of each clip in a folder moves through the clip's first frames.

    Raises:
        FileNotFoundError: A clip cannot be read.
        ValueError: A clip shows no face in them.

    """
    return [motion_of(read_clip(clip)[:frames]) for clip in clips_in(folder)]


def move(portrait: Portrait, motion: NDArray[np.float64]) -> Iterator[Picture]:
    """Yield the frames of a perfect camera, `ZOOM` times as large as `FRAME`.

    Around the portrait, its border goes on out of focus.

    Args:
        portrait: Portrait that moves.
        motion: (F, 2, 3) matrices as of `motion_of`.

    """
    aligned = np.vstack([similarity_transform(portrait.landmarks, 1), [0.0, 0.0, 1.0]])
    size = (ZOOM * FRAME[0], ZOOM * FRAME[1])
    inside = _soft_square(*portrait.picture.shape[:2])
    for place in motion:
        affine = ZOOM * (place @ aligned)
        affine[:, 2] += (ZOOM - 1) / 2
        sharp = cv2.warpAffine(
            portrait.picture, affine, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        # The blur is wide, so it is computed on a small copy.
        small = cv2.resize(sharp, None, fx=0.1, fy=0.1, interpolation=cv2.INTER_AREA)
        soft = cv2.resize(cv2.GaussianBlur(small, (0, 0), 6.0), size)
        share = cv2.warpAffine(inside, affine, size)[..., None]
        yield np.asarray(np.rint(soft + share * (sharp.astype(np.float32) - soft)), np.uint8)


def _soft_square(height: int, width: int) -> NDArray[np.float32]:
    """Return (height, width) weights: 1 inside, falling to 0 at the border."""
    near = [np.minimum(np.arange(n), np.arange(n)[::-1]) / _EDGE for n in (height, width)]
    return np.asarray(np.clip(np.minimum(*np.ix_(*near)), 0.0, 1.0), np.float32)


def film_portrait(
    camera: Camera, portrait: Portrait, motion: NDArray[np.float64]
) -> Iterator[Filmed]:
    """Film a portrait that moves.

    Args:
        camera: Camera that films it.
        portrait: Portrait that moves.
        motion: (F, 2, 3) matrices as of `motion_of`.

    Yields:
        Frames of `FRAME` times the camera's scale, with truths of `ZOOM` times `FRAME`.

    """
    truths = list(move(portrait, motion))
    frames = [
        np.asarray(cv2.resize(one, FRAME, interpolation=cv2.INTER_AREA), np.uint8) for one in truths
    ]
    for truth, shot in zip(truths, film(camera, portrait.name, frames), strict=True):
        yield replace(shot, truth=bad_camera.perfect_infrared(truth) if camera.grey else truth)
