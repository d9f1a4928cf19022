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

"""Mixes a restored crop with what restoration began from."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def mix(
    measured: NDArray[np.uint8], restored: NDArray[np.uint8], strength: float
) -> NDArray[np.uint8]:
    """Return the weighted mean of a crop before and after restoration.

    Args:
        measured: (N, N, 3) uint8 BGR crop before restoration.
        restored: (N, N, 3) uint8 BGR crop after restoration.
        strength: Weight of `restored`, 0..1; `measured` has the rest.

    Returns:
        (N, N, 3) uint8 BGR crop; `restored` itself for a strength of 1.

    """
    if strength >= 1.0:
        return restored
    mixed = cv2.addWeighted(restored, strength, measured, 1.0 - strength, 0.0)
    return np.asarray(mixed).astype(np.uint8, copy=False)
