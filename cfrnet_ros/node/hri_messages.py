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

"""Converts faces to messages of hri_msgs, the package of REP-155, if it is installed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from std_msgs.msg import Header

from cfrnet_ros.vision.types import Face

try:
    from hri_msgs.msg import (
        FacialLandmarks,
        IdsList,
        NormalizedPointOfInterest2D,
        NormalizedRegionOfInterest2D,
    )
except ImportError:  # hri_msgs is optional: Kilted and the Python package index lack it.
    IdsList = None

#: Number of landmarks of a hri_msgs/FacialLandmarks, those of dlib and OpenPose.
LANDMARKS = 70

#: Names of the constants of hri_msgs/FacialLandmarks for the five landmarks of `types.Face`. Right
#: and left are those of the person, whose right eye is at the image's left.
FIVE = ('RIGHT_PUPIL', 'LEFT_PUPIL', 'NOSE', 'MOUTH_OUTER_RIGHT', 'MOUTH_OUTER_LEFT')


def available() -> bool:
    """Return whether hri_msgs is installed."""
    return IdsList is not None


def ids_msg(ids: Sequence[str], header: Header) -> Any:
    """Return a hri_msgs/IdsList.

    Args:
        ids: Ids of the faces.
        header: Header of the source image.

    """
    return IdsList(header=header, ids=list(ids))


def roi_msg(face: Face, width: int, height: int, header: Header) -> Any:
    """Describe the region of a face in the image.

    Args:
        face: Face with its box in pixels of the image; pixel centres have whole coordinates.
        width: Width of the image in pixels.
        height: Height of the image in pixels.
        header: Header of the image.

    Returns:
        hri_msgs/NormalizedRegionOfInterest2D: the part of the box inside the image, as fractions
        (0..1) of its sides; `c` is the detection score.

    """
    left, top, right, bottom = (float(value) for value in face.box)
    return NormalizedRegionOfInterest2D(
        header=header,
        xmin=fraction(left, width),
        ymin=fraction(top, height),
        xmax=fraction(right, width),
        ymax=fraction(bottom, height),
        c=min(max(float(face.score), 0.0), 1.0),
    )


def landmarks_msg(face: Face, width: int, height: int, header: Header) -> Any:
    """Describe the five landmarks of a face in the image.

    Args:
        face: Face with its landmarks in pixels of the image; pixel centres have whole coordinates.
        width: Width of the image in pixels.
        height: Height of the image in pixels.
        header: Header of the image.

    Returns:
        hri_msgs/FacialLandmarks: the pupils, the tip of the nose and the corners of the mouth, as
        fractions (0..1) of the image's sides, with the detection score as their confidence `c`.
        The other landmarks, and those outside the image, are at 0 with confidence 0.

    """
    points = [NormalizedPointOfInterest2D() for _ in range(LANDMARKS)]
    for name, (x, y) in zip(FIVE, face.landmarks):
        if -0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5:
            points[getattr(FacialLandmarks, name)] = NormalizedPointOfInterest2D(
                x=fraction(float(x), width),
                y=fraction(float(y), height),
                c=min(max(float(face.score), 0.0), 1.0),
            )
    return FacialLandmarks(header=header, landmarks=points, height=height, width=width)


def fraction(position: float, length: int) -> float:
    """Convert a position in pixels to a fraction of the image's side, limited to 0..1.

    Args:
        position: Position in pixels, 0 at the centre of the first one.
        length: Side of the image in pixels.

    """
    return min(max((position + 0.5) / length, 0.0), 1.0)
