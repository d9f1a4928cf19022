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

"""Keeps the faces of infrared and other grey cameras without colour.

A network that has been trained on many faces knows the colours of lips and irises and begins to add
them where none were recorded: by the third cycle an infrared face had blue eyes.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

#: Levels of 255 by which the channels of a grey picture may differ, because of rounding and of
#: the coding of its empty chroma.
GREY_LEVELS = 2


def is_grey(crop: NDArray[np.uint8]) -> bool:
    """Return whether a picture has no colour.

    Args:
        crop: (H, W, 3) uint8 picture.

    """
    blue, green, red = cv2.split(crop)
    return bool(
        cv2.norm(blue, green, cv2.NORM_INF) <= GREY_LEVELS
        and cv2.norm(green, red, cv2.NORM_INF) <= GREY_LEVELS
    )


def take_colour_away(image: NDArray[np.generic], axis: int) -> None:
    """Replace the channels of an image by their mean, in place.

    Args:
        image: Image with three channels along the axis; integers are rounded.
        axis: Index of the channel axis.

    """
    planes = np.moveaxis(image, axis, 0)
    mean = planes[0].astype(np.float32)
    mean += planes[1]
    mean += planes[2]
    mean /= 3
    if np.issubdtype(image.dtype, np.integer):
        np.rint(mean, out=mean)
    planes[...] = mean
