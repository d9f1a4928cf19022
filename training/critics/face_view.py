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

"""Aligned crops as face embeddings want them: resampled differentiably, in changing views."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cfrnet_ros.vision.preprocessing.align import DEFAULT_TEMPLATE

#: Side of the aligned crop that is embedded, pixels.
CROP_SIZE = 256
#: How a face is looked at: enlarged by a factor about the landmarks' mean, and moved by shares
#: of its side in x and y.
View = tuple[float, float, float]
STRAIGHT: View = (1.0, 0.0, 0.0)


class FaceView(nn.Module):
    """Brings our aligned crop onto another network's face: face = rows @ crop @ columns.T.

    The best similarity between the templates used here turns by 0.01 degrees at most (0.02 px at
    the crop's border). Without that turn the axes separate, and antialiased resampling is two
    small matrix products: cheap, differentiable, and deterministic on a GPU too.
    """

    rows: Tensor
    columns: Tensor

    def __init__(
        self, template: NDArray[np.float64], side: int, landmarks: Sequence[int] = (0, 1, 2, 3, 4)
    ) -> None:
        """Prepare the straight view.

        Args:
            template: (N, 2) places of landmarks in the network's face, pixels, pixel centres at
                halves.
            side: Side of the face that the network sees, in pixels.
            landmarks: Indices of those points among our five landmarks
                (`cfrnet_ros.vision.preprocessing.align.DEFAULT_TEMPLATE`).

        """
        super().__init__()
        self.side = side
        self._target = template
        self._source = DEFAULT_TEMPLATE[list(landmarks)] * CROP_SIZE
        rows, columns = (torch.from_numpy(matrix) for matrix in self.matrices())
        self.register_buffer('rows', rows, persistent=False)
        self.register_buffer('columns', columns, persistent=False)

    def matrices(self, view: View = STRAIGHT) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the (side, 256) float32 weights of rows and columns; each row sums to 1."""
        source, target = self._source, self._target
        spread = source - source.mean(axis=0)
        scale = float((spread * (target - target.mean(axis=0))).sum() / (spread**2).sum())
        scale *= view[0]
        # A triangle as wide as a face pixel on both sides of it: no aliasing.
        reach = max(1.0, 1.0 / scale)
        matrices = []
        for axis in (1, 0):
            middle = target[:, axis].mean() + view[1 + axis] * self.side
            places = source[:, axis].mean() + (np.arange(self.side) + 0.5 - middle) / scale
            matrices.append(resampling(places, reach))
        return matrices[0], matrices[1]

    def forward(self, crop: Tensor, view: View = STRAIGHT) -> Tensor:
        """Resample crops.

        Args:
            crop: (B, 3, 256, 256) RGB in 0..1, aligned to
                `cfrnet_ros.vision.preprocessing.align.DEFAULT_TEMPLATE`; whole crops, not windows.
            view: Departure from the network's alignment.

        Returns:
            (B, 3, side, side) float32 faces.

        Raises:
            ValueError: The crop has another shape.

        """
        check_whole(crop, 'identity')
        rows, columns = self.rows, self.columns
        if view != STRAIGHT:
            rows, columns = (torch.from_numpy(m).to(crop.device) for m in self.matrices(view))
        with torch.autocast(crop.device.type, enabled=False):
            return rows @ crop.float().contiguous() @ columns.T


def resampling(places: NDArray[np.float64], reach: float = 1.0) -> NDArray[np.float32]:
    """Return the weights of a crop's rows or columns at some places.

    Args:
        places: (n,) places in pixels, pixel centres at halves. Beyond the crop its last row or
            column goes on.
        reach: Half the width of the triangle of weights, in pixels; 1 interpolates linearly.

    Returns:
        (n, 256) float32; each row sums to 1.

    """
    places = np.clip(places, 0.5, CROP_SIZE - 0.5)
    distance = np.abs(places[:, None] - np.arange(CROP_SIZE) - 0.5)
    weights = np.maximum(0.0, 1.0 - distance / reach)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def check_whole(crop: Tensor, what: str) -> None:
    """Refuse windows where places in the face matter.

    Args:
        crop: Tensor that must be (B, 3, 256, 256).
        what: What is measured, for the message.

    Raises:
        ValueError: The crop has another shape.

    """
    if crop.ndim != 4 or crop.shape[1:] != (3, CROP_SIZE, CROP_SIZE):
        raise ValueError(
            f'{what} needs whole aligned crops, (B, 3, {CROP_SIZE}, {CROP_SIZE}); '
            f'got {tuple(crop.shape)}'
        )
