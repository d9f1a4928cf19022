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

"""Restores large crops at the model's own size first, and refines them at full size if time allows.

The coarse stage costs what a crop of the model's size costs. What it cannot see, the part of the
crop that is lost by reducing it, is added to its result where it is detail and not noise. The fine
stage is one cycle at the size of the crop.
"""

from __future__ import annotations

import time
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.engine.model_card import ModelCard
from cfrnet_ros.vision.engine.sessions import EngineSession
from cfrnet_ros.vision.errors import ModelError
from cfrnet_ros.vision.preprocessing.exposure import face_exposure_gain
from cfrnet_ros.vision.restoration.camera_noise import median_of
from cfrnet_ros.vision.restoration.restorer import Restorer
from cfrnet_ros.vision.types import Restoration

#: Side in pixels of the crops that a fine stage makes of a model's own.
FINE_SIZE = 512

#: Median of the square of a normal variable, as a multiple of its variance: 0.6745 squared.
MEDIAN_SQUARE = 0.455

#: Side in pixels of the window in which the energy of the fine detail is averaged.
WINDOW = 9


class TwoStageRestorer:
    """A restorer of large crops in two stages.

    The class is not thread-safe, except for `interrupt`.

    Attributes:
        card: Card of the model, with the size of the large crops.
        engine: Session of the coarse stage.
        fine_engine: Session of the fine stage.
        fine_ratio: Duration of the fine stage, as a multiple of that of a coarse cycle: the ratio
            of the numbers of pixels until `warm_up` has measured it.

    """

    card: ModelCard
    engine: EngineSession
    fine_engine: EngineSession
    fine_ratio: float

    def __init__(self, coarse: Restorer, fine: Restorer) -> None:
        """Join two restorers of one model.

        Args:
            coarse: Restorer at the model's own size.
            fine: Restorer at a larger size. It must not be used elsewhere: it no longer brightens
                underexposed crops, because the coarse stage does so.

        Raises:
            ModelError: The model may not be applied to its own output, or is not smaller than the
                large crops.

        """
        if not coarse.card.iterative:
            raise ModelError(
                f"'{coarse.card.file}' may be applied once only, and a fine stage applies it to"
                ' its own output; set fine_stage to false, or name an iterative model'
            )
        if coarse.card.size >= fine.card.size:
            raise ModelError(
                f"'{coarse.card.file}' works at {coarse.card.size} px already, so that a fine"
                f' stage at {fine.card.size} px adds nothing; set fine_stage to false'
            )
        fine.card = replace(fine.card, expose=False)
        self.card, self.engine, self.fine_engine = fine.card, coarse.engine, fine.engine
        self.fine_ratio = (fine.card.size / coarse.card.size) ** 2
        self._coarse, self._fine = coarse, fine

    def clone(self) -> TwoStageRestorer:
        """Return a restorer for another thread, as `Restorer.clone` does."""
        other = TwoStageRestorer(self._coarse.clone(), self._fine.clone())
        other.fine_ratio = self.fine_ratio
        return other

    def warm_up(self) -> None:
        """Run both stages, so that the first frame does not wait, and measure `fine_ratio`.

        Raises:
            ModelError: The model does not run at one of the sizes.

        """
        self._coarse.warm_up()
        self._fine.warm_up()
        side = self.card.size
        grey = np.full((side, side, 3), 127, np.uint8)
        # The fastest of three: another process that takes the processor only adds time.
        coarse_ms = min(self.restore(grey, 1).cycle_ms[0] for _ in range(3))
        fine_ms = min(self._fine.restore(grey, 1).cycle_ms[0] for _ in range(3))
        self.fine_ratio = fine_ms / max(coarse_ms, 1e-6)

    def interrupt(self) -> None:
        """End a running cycle of either stage, and refuse further ones; any thread may call it."""
        self._coarse.interrupt()
        self._fine.interrupt()

    def prepared(self, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a large crop as the coarse stage gets it, see `Restorer.prepared`."""
        return self._coarse.prepared(crop)

    def restore(self, crop: NDArray[np.uint8], cycles: int, tolerance: float = 0.0) -> Restoration:
        """Apply the coarse stage to one aligned crop.

        Args:
            crop: (N, N, 3) uint8 BGR crop, where N is the card's size.
            cycles: Largest number of cycles, 1..8.
            tolerance: Residual, 0..1, below which no further cycle is applied; 0 for no such limit.

        Returns:
            Restored (N, N, 3) crop, with times and residuals of the cycles at the model's size.

        Raises:
            ValueError: The crop or the number of cycles is not as described above.
            ModelError: The model failed, or its output has NaN or infinite values.

        """
        if crop.shape != (self.card.size,) * 2 + (3,) or crop.dtype != np.uint8:
            raise ValueError(
                f'the crop must be ({self.card.size}, {self.card.size}, 3) uint8, got '
                f'{crop.shape} {crop.dtype}'
            )
        small = _scaled(crop, self._coarse.card.size, cv2.INTER_AREA)
        restoration = self._coarse.restore(small, cycles, tolerance)
        gain = face_exposure_gain(crop) if self._coarse.card.expose else 1.0
        large = _scaled(restoration.crop, self.card.size, cv2.INTER_CUBIC)
        detailed = cv2.add(large, gain * fine_detail(crop, small), dtype=cv2.CV_8U)
        return replace(restoration, crop=np.asarray(detailed, np.uint8), fine=False)

    def refine(self, restoration: Restoration) -> Restoration:
        """Apply the fine stage to a result of `restore`.

        Args:
            restoration: Result of the coarse stage.

        Returns:
            Restoration with the refined crop, and with `fine` and `fine_ms` of this stage.

        Raises:
            ModelError: The model failed, or its output has NaN or infinite values.

        """
        start_s = time.perf_counter()
        refined = self._fine.restore(restoration.crop, 1)
        fine_ms = (time.perf_counter() - start_s) * 1e3
        return replace(restoration, crop=refined.crop, fine=True, fine_ms=(fine_ms,))


def fine_detail(crop: NDArray[np.uint8], small: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the part of a crop that reducing it took away, where it is detail and not noise.

    Noise is everywhere and detail is sparse, so the median of the squares measures the noise; where
    the local mean of the squares exceeds it, the excess is detail. The weight is that of a Wiener
    filter, 1 - noise / energy.

    Args:
        crop: (N, N, 3) uint8 BGR crop.
        small: (n, n, 3) uint8 BGR crop, reduced.

    Returns:
        (N, N, 3) float32 difference, to be added to an enlarged crop.

    """
    enlarged = _scaled(small, crop.shape[0], cv2.INTER_CUBIC)
    band = np.asarray(cv2.subtract(crop, enlarged, dtype=cv2.CV_32F), np.float32)
    mean = np.full((1, 3), 1 / 3)
    squares = np.asarray(cv2.transform(cv2.multiply(band, band), mean), np.float32)
    energy = np.asarray(cv2.blur(squares, (WINDOW, WINDOW)), np.float32)
    # Of three channels alike, as of a grey camera, the mean square is that of one; of three
    # independent ones its median is higher, and the weight lower: the estimate errs towards noise.
    noise = median_of(squares[::3, ::3].ravel()) / MEDIAN_SQUARE
    weight = np.clip(1.0 - noise / np.maximum(energy, 1e-3), 0.0, 1.0)
    return np.asarray(band * weight[..., np.newaxis], np.float32)


def _scaled(picture: NDArray[np.uint8], side: int, how: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(picture, (side, side), interpolation=how), np.uint8)
