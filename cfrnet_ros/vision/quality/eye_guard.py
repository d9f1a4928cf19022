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

"""Tells whether the eyes came out of restoration more open or more shut than they went in."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cfrnet_ros.vision.quality.eye_openness import EyeOpenness, EyeOpennessMeter
from cfrnet_ros.vision.quality.loaded_once import LoadedOnce
from cfrnet_ros.vision.types import EyeChange

#: Values of the parameter `eye_guard`.
OFF, FLAG, REFUSE = 'off', 'flag', 'refuse'

#: Number of standard deviations of a difference that count as noise, if the two measurements were
#: independent. Within one face they are not: on 60 validation faces, the differences between eyes
#: of one openness in pictures of different quality had 0.58 of that deviation, and 1% were above 2.
CERTAINTY = 1.0


class EyeGuard:
    """Compares the openness of the eyes before and after restoration; thread-safe."""

    def __init__(self, load: Callable[[], EyeOpennessMeter] = EyeOpennessMeter) -> None:
        """Keep the loader.

        Args:
            load: Function that loads the network; it is called once, by the first `compare`.

        """
        self._meter = LoadedOnce(load)

    def compare(
        self,
        before: NDArray[np.uint8],
        after: NDArray[np.uint8],
        template: ArrayLike,
        margin: float,
        limit: float,
    ) -> EyeChange:
        """Compare the eyes in two crops of one face.

        Args:
            before: (N, N, 3) uint8 BGR crop before restoration.
            after: (N, N, 3) uint8 BGR restored crop.
            template: (5, 2) landmarks to which the crops were aligned, as fractions of their side.
            margin: Margin with which they were aligned.
            limit: Value of the parameter `max_eye_change`.

        Raises:
            ModelError: The network cannot be loaded, or failed.

        """
        one, other = self._meter.get().measure([before, after], template, margin)
        change = certain_change(one, other)
        return EyeChange(
            before=float(one.ratio.mean()),
            after=float(other.ratio.mean()),
            change=change,
            exceeded=abs(change) > limit,
        )


def certain_change(before: EyeOpenness, after: EyeOpenness) -> float:
    """Return by how much the eyes changed beyond doubt.

    The network says how sure it is of each eye. Of the difference of an eye, `CERTAINTY` standard
    deviations count as noise. An eye of which a bad picture shows nothing has a large deviation,
    so whatever restoration makes of it is no change beyond doubt.

    Args:
        before: Openness before restoration.
        after: Openness after it.

    Returns:
        Change of the eye that changed more, in height over width: above 0 for an eye that came out
        more open, below 0 for one that came out more shut, and 0 within the noise.

    """
    difference = after.ratio - before.ratio
    noise = CERTAINTY * np.hypot(before.sigma, after.sigma)
    certain = np.sign(difference) * np.maximum(np.abs(difference) - noise, 0.0)
    return float(certain[np.argmax(np.abs(certain))])
