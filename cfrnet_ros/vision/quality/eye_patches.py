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

"""What the eye guard's network sees of a crop: the luma around each eye. Needs no ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from cfrnet_ros.vision.preprocessing.align import DEFAULT_TEMPLATE

#: Network that comes with the package; `training.eyes` makes it.
MODEL = Path(__file__).resolve().parents[2] / 'models' / 'eyes' / 'eye_openness.onnx'

#: Width and height in pixels of the part of a crop that shows one eye, at the scale of a crop of
#: 256 px that is aligned to `DEFAULT_TEMPLATE`.
PATCH_SIZE = (56, 40)

#: Distance of the eyes in pixels at that scale.
_EYE_DISTANCE = float(np.hypot(*(DEFAULT_TEMPLATE[1] - DEFAULT_TEMPLATE[0]))) * 256

#: Number of crop pixels for each pixel of the patch above which the crop is blurred first, so that
#: sampling does not alias.
_COARSE = 1.3


def eye_patches(
    crop: NDArray[np.uint8], template: ArrayLike = DEFAULT_TEMPLATE, margin: float = 1.0
) -> NDArray[np.uint8]:
    """Cut both eyes out of an aligned crop.

    Args:
        crop: (N, N, 3) uint8 BGR crop.
        template: (5, 2) landmarks to which the crop was aligned, as fractions of its side.
        margin: Margin with which it was aligned.

    Returns:
        (2, 40, 56) uint8 luma of the image-left eye, and of the image-right eye mirrored.

    """
    size = crop.shape[0]
    eyes = np.asarray(template, np.float64)[:2]
    centres = ((eyes - 0.5) / margin + 0.5) * size - 0.5
    scale = max(float(np.hypot(*(centres[1] - centres[0]))) / _EYE_DISTANCE, 1e-3)
    gray = np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY))
    if scale > _COARSE:
        gray = np.asarray(cv2.GaussianBlur(gray, (0, 0), 0.4 * scale))
    middle = (np.array(PATCH_SIZE) - 1) / 2
    patches = []
    for centre, turn in zip(centres, (1.0, -1.0)):
        to_crop = np.array(
            [
                [turn * scale, 0.0, centre[0] - turn * scale * middle[0]],
                [0.0, scale, centre[1] - scale * middle[1]],
            ]
        )
        patches.append(
            cv2.warpAffine(
                gray,
                to_crop,
                PATCH_SIZE,
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            )
        )
    return np.stack(patches).astype(np.uint8, copy=False)
