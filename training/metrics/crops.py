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

"""What the metrics on faces take: the restorer's aligned crop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Side of the crop in pixels.
CROP_SIZE = 256


def check_crop(crop_bgr: NDArray[np.uint8]) -> None:
    """Refuse what is not a crop.

    Raises:
        ValueError: The crop is not (256, 256, 3) uint8.

    """
    wanted = (CROP_SIZE, CROP_SIZE, 3)
    if crop_bgr.shape != wanted or crop_bgr.dtype != np.uint8:
        raise ValueError(
            f'a crop must be {wanted} uint8 BGR, got {crop_bgr.shape} {crop_bgr.dtype}; '
            'cut it with cfrnet_ros.vision.preprocessing.align.align_face'
        )
