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

"""Critic that tells how far eyes are open, so that restored eyes open as far as the true ones.

The network is the eye guard's (`training.eyes`), frozen; the file that ships is read. Unlike
`cfrnet_ros.vision.quality.eye_patches`, which uses OpenCV, the eyes are cut out differentiably.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from cfrnet_ros.vision.preprocessing.align import DEFAULT_TEMPLATE
from cfrnet_ros.vision.quality.eye_patches import MODEL, PATCH_SIZE
from training.critics.eye_network import EyeNetwork
from training.critics.face_view import CROP_SIZE, check_whole, resampling

#: Share of red, green and blue in the luma (ITU-R BT.601, as OpenCV converts to grey).
_LUMA = (0.299, 0.587, 0.114)

#: Horizontal and vertical shift of the patches, in pixels of the crop.
EyeShift = tuple[float, float]


class EyeOpennessCritic(nn.Module):
    """Frozen network that measures the openness of both eyes of whole aligned crops."""

    luma: Tensor

    def __init__(self) -> None:
        """Load the weights.

        Raises:
            FileNotFoundError: The model is missing.

        """
        super().__init__()
        self.network = EyeNetwork()
        self.network.load_state_dict(_weights(MODEL))
        self.requires_grad_(False).eval()
        self.register_buffer('luma', torch.tensor(_LUMA).view(1, 3, 1, 1), persistent=False)

    def forward(self, crop: Tensor, shift: EyeShift = (0.0, 0.0)) -> Tensor:
        """Measure eyes.

        Args:
            crop: (B, 3, 256, 256) RGB in 0..1, aligned to
                `cfrnet_ros.vision.preprocessing.align.DEFAULT_TEMPLATE`; whole crops, not windows.
            shift: Departure from where the eyes are expected.

        Returns:
            (B, 2) float32 height over width of the opening of the image-left and the image-right
            eye: 0 for shut eyes, about 0.3 for open ones.

        Raises:
            ValueError: The crop has another shape.

        """
        check_whole(crop, 'eye openness')
        with torch.autocast(crop.device.type, enabled=False):
            grey = (crop.float() * self.luma).sum(dim=1, keepdim=True) * 255.0
            patches = []
            for side, centre in enumerate(DEFAULT_TEMPLATE[:2] * CROP_SIZE):
                columns, rows = (
                    torch.from_numpy(resampling(_around(middle + moved, length))).to(crop.device)
                    for middle, moved, length in zip(centre, shift, PATCH_SIZE, strict=True)
                )
                patch = rows @ grey @ columns.T
                patches.append(patch if side == 0 else patch.flip(-1))
            measured = self.network(torch.cat(patches))
        return measured[:, 0].view(2, -1).T


def _around(middle: float, length: int) -> NDArray[np.float64]:
    """Return the places of (length,) pixels around a middle."""
    return np.arange(length, dtype=np.float64) + (middle - (length - 1) / 2)


def _weights(model: Path) -> dict[str, Tensor]:
    """Return the weights of a shipped file by the names of `EyeNetwork.state_dict`."""
    if not model.is_file():
        raise FileNotFoundError(
            f"the eye guard's network '{model}' is missing: make it by "
            '`python -m training.tools.train_eyes`, or set eyes to 0 in the config'
        )
    return {
        tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy())
        for tensor in onnx.load(model).graph.initializer
    }
