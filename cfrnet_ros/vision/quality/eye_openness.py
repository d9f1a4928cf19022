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

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from cfrnet_ros.vision.engine.providers import ProviderChoice, choose_providers
from cfrnet_ros.vision.engine.sessions import create_session
from cfrnet_ros.vision.errors import ModelError, reason_of
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
