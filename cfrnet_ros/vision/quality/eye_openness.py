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

"""Measures how far the eyes in an aligned crop are open, and how surely the picture tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cfrnet_ros.vision.engine.providers import ProviderChoice, choose_providers
from cfrnet_ros.vision.engine.sessions import create_session
from cfrnet_ros.vision.errors import ModelError, reason_of
from cfrnet_ros.vision.preprocessing.align import DEFAULT_TEMPLATE
from cfrnet_ros.vision.quality.eye_patches import MODEL, eye_patches


@dataclass(frozen=True)
class EyeOpenness:
    """Openness of the two eyes of a face, the image-left one first.

    Attributes:
        ratio: (2,) float32 height over width of the opening: 0 for shut eyes, about 0.3 for open
            ones.
        sigma: (2,) float32 standard deviation of the error of `ratio`, as the network estimates
            it from the picture; above 0.

    """

    ratio: NDArray[np.float32]
    sigma: NDArray[np.float32]


class EyeOpennessMeter:
    """Small network that looks at the luma around each eye; thread-safe."""

    def __init__(
        self,
        model: str | Path | None = None,
        choice: ProviderChoice | None = None,
        threads: int = 1,
    ) -> None:
        """Load the network.

        Args:
            model: Path of the ONNX file; None takes the one of the package.
            choice: Execution providers; None for the CPU.
            threads: Number of CPU threads; more than 1 cost more than they save.

        Raises:
            ModelError: The file does not exist or cannot be loaded.

        """
        path = MODEL if model is None else Path(model)
        if not path.is_file():
            raise ModelError(
                f"the eye guard's network '{path}' is missing: install cfrnet_ros again, or set"
                ' eye_guard to off'
            )
        self._session = create_session(
            path.read_bytes(), choice or choose_providers('cpu'), threads
        ).session
        self._input = str(self._session.get_inputs()[0].name)

    def measure(
        self,
        crops: Sequence[NDArray[np.uint8]],
        template: ArrayLike = DEFAULT_TEMPLATE,
        margin: float = 1.0,
    ) -> list[EyeOpenness]:
        """Measure the eyes in several crops at once.

        Args:
            crops: (N, N, 3) uint8 BGR aligned crops.
            template: (5, 2) landmarks to which the crops were aligned, as fractions of their side.
            margin: Margin with which they were aligned, as in `align.similarity_transform`.

        Returns:
            Openness for each crop.

        Raises:
            ModelError: The network failed.

        """
        patches = np.concatenate([eye_patches(crop, template, margin) for crop in crops])
        try:
            output = self._session.run(None, {self._input: patches[:, None].astype(np.float32)})[0]
        except Exception as error:
            raise ModelError(
                f"the eye guard's network fails: {reason_of(error)}; set eye_guard to off"
            ) from error
        values = np.asarray(output, np.float32).reshape(-1, 2, 2)
        return [EyeOpenness(found[:, 0], found[:, 1]) for found in values]
