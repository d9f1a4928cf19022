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

"""Restoring a crop as the node does, keeping what every cycle gives."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.restoration.restorer import Restorer
from training.data.crops import SIZE


class CycleRunner:
    """A shipped ONNX file on the CPU.

    Attributes:
        card: Card of the model.

    """

    def __init__(self, model: Path, threads: int = 1) -> None:
        """Load a model.

        Args:
            model: Path of the ONNX file, its card beside it.
            threads: Number of CPU threads.

        Raises:
            ModelError: The file or its card is missing, damaged or not a restorer.
            ValueError: The model is not one that is applied again and again to 256 px.

        """
        self._restorer = Restorer(model, choose_providers('cpu'), threads)
        self.card = self._restorer.card
        if not self.card.iterative or self.card.size != SIZE:
            raise ValueError(
                f"'{model}' cannot be measured for k = 1, 2...: it must be iterative and of "
                f'{SIZE} px, its card says iterative {self.card.iterative}, {self.card.size} px'
            )

    def start(self, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return what enters the first cycle, see `Restorer.prepared`."""
        return self._restorer.prepared(crop)

    def __call__(
        self, crop: NDArray[np.uint8], cycles: int
    ) -> tuple[list[NDArray[np.uint8]], list[float]]:
        """Restore one crop.

        Args:
            crop: (256, 256, 3) uint8 BGR.
            cycles: Number of cycles.

        Returns:
            The (256, 256, 3) uint8 BGR output of each cycle, and each cycle's mean absolute
            change as a fraction of the value range, 0..1.

        """
        pictures, residuals = [], []
        for cycle in islice(self._restorer.cycles(crop), cycles):
            pictures.append(cycle.crop())
            residuals.append(cycle.residual)
        return pictures, residuals
