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

"""Tells whether a face is still the same person after restoration."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cfrnet_ros.vision.quality.face_embedder import FaceEmbedder, angle_deg
from cfrnet_ros.vision.quality.loaded_once import LoadedOnce


class IdentityGuard:
    """Compares the embeddings of a face before and after restoration; thread-safe."""

    def __init__(self, load: Callable[[], FaceEmbedder]) -> None:
        """Keep the loader.

        Args:
            load: Function that loads the network; it is called once, by the first `drift_deg`.

        """
        self._embedder = LoadedOnce(load)

    def drift_deg(
        self,
        before: NDArray[np.uint8],
        after: NDArray[np.uint8],
        template: ArrayLike,
        margin: float,
    ) -> float:
        """Return the angle between the embeddings of two crops in degrees, 0..180.

        Args:
            before: (N, N, 3) uint8 BGR crop before restoration.
            after: (N, N, 3) uint8 BGR restored crop.
            template: (5, 2) landmarks to which the crops were aligned, as fractions of their side.
            margin: Margin with which they were aligned.

        Raises:
            ModelError: The network cannot be loaded, or failed.

        """
        embed = self._embedder.get().embed
        return angle_deg(embed(before, template, margin), embed(after, template, margin))
