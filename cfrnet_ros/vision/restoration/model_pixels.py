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

"""Copies crops into the tensors of a model and back, in the format that its card states."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.engine.model_card import ModelCard


class ModelPixels:
    """Converts between BGR crops and a model's tensors.

    Not thread-safe: calls share a buffer.

    Attributes:
        shape: Shape of the tensors, one crop each.
        dtype: Their type.

    """

    shape: tuple[int, int, int, int]
    dtype: np.dtype[np.generic]

    def __init__(self, card: ModelCard) -> None:
        """Read the format.

        Args:
            card: Card of the model, with the size at which it runs.

        """
        size = card.size
        self._card = card
        self.shape = (1, 3, size, size) if card.channels_first else (1, size, size, 3)
        self.dtype = np.dtype(card.dtype)
        # A model of bytes takes the camera's pixels unchanged: no arithmetic is needed.
        self._bytes = self.dtype == np.uint8 and card.value_range == (0.0, 255.0)
        self._scratch = np.empty((size, size), np.float32)

    def write(self, crop: NDArray[np.uint8], tensor: NDArray[np.generic]) -> None:
        """Copy a (N, N, 3) uint8 BGR crop into a tensor."""
        if self._bytes:
            self._copy_bytes(crop, tensor[0], to_model=True)
            return
        low, high = self._card.value_range
        scale = (high - low) / 255.0
        for index, plane in enumerate(self._channels(tensor)):
            np.multiply(crop[..., index], np.float32(scale), out=self._scratch)
            np.add(self._scratch, np.float32(low), out=self._scratch)
            if self.dtype == np.uint8:
                np.clip(np.rint(self._scratch, out=self._scratch), 0, 255, out=self._scratch)
            plane[...] = self._scratch

    def read(self, tensor: NDArray[np.generic]) -> NDArray[np.uint8]:
        """Return the crop in a tensor, (N, N, 3) uint8 BGR, rounded and saturated."""
        crop = np.empty((self._card.size, self._card.size, 3), np.uint8)
        if self._bytes:
            self._copy_bytes(tensor[0], crop, to_model=False)
            return crop
        low, high = self._card.value_range
        scale = 255.0 / (high - low)
        for index, plane in enumerate(self._channels(tensor)):
            np.subtract(plane, np.float32(low), out=self._scratch)
            np.multiply(self._scratch, np.float32(scale), out=self._scratch)
            np.rint(self._scratch, out=self._scratch)
            crop[..., index] = np.clip(self._scratch, 0, 255, out=self._scratch)
        return crop

    def _channels(self, tensor: NDArray[np.generic]) -> list[NDArray[np.generic]]:
        """Return three (N, N) views of a tensor, in the order blue, green, red."""
        image = tensor[0]
        planes = [image[i] if self._card.channels_first else image[..., i] for i in range(3)]
        return planes[::-1] if self._card.colour == 'RGB' else planes

    def _copy_bytes(
        self, source: NDArray[np.generic], target: NDArray[np.generic], *, to_model: bool
    ) -> None:
        """Copy an image once between BGR pixels and the layout of a model of bytes."""
        if self._card.channels_first:
            axes = (2, 0, 1) if to_model else (1, 2, 0)
            channels = 2 if to_model else 0
            ordered = np.flip(source, channels) if self._card.colour == 'RGB' else source
            np.copyto(target, ordered.transpose(axes))
        elif self._card.colour == 'RGB':
            cv2.cvtColor(np.asarray(source, np.uint8), cv2.COLOR_BGR2RGB, np.asarray(target))
        else:
            np.copyto(target, source)
