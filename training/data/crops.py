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

"""Aligned crops as arrays and as tensors."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cfrnet_ros.vision.preprocessing.align import DEFAULT_TEMPLATE, similarity_transform, warp_crop
from cfrnet_ros.vision.preprocessing.colour_noise import FIRST_GAIN, smooth_colour_noise
from cfrnet_ros.vision.preprocessing.exposure import face_exposure_gain
from training.data.images import load_image
from training.data.manifest import FaceRecord

#: Side of a crop in pixels.
SIZE = 256


def to_tensor(bgr: NDArray[np.uint8]) -> Tensor:
    """Turn (H, W, 3) uint8 BGR into (1, 3, H, W) float32 RGB in 0..1."""
    return torch.from_numpy(np.ascontiguousarray(bgr[..., ::-1])).permute(2, 0, 1)[None] / 255.0


def to_image(rgb: Tensor) -> NDArray[np.uint8]:
    """Turn (1, 3, H, W) or (3, H, W) RGB in 0..1 into (H, W, 3) uint8 BGR."""
    array = rgb.detach().float().cpu().reshape(3, *rgb.shape[-2:]).clamp(0, 1)
    bytes_ = (array * 255.0).round().to(torch.uint8).permute(1, 2, 0).numpy()
    return np.ascontiguousarray(bytes_[..., ::-1])


def prepare(face: Tensor) -> Tensor:
    """Prepare a face as the node does before restoring it.

    Args:
        face: (1, 3, N, N) RGB in 0..1.

    Returns:
        The face itself if it is well exposed, otherwise a brightened one of the same shape and
        range, of which the colours are smoothed if it was very dark. No gradient flows through it.

    """
    gain = face_exposure_gain(to_image(face))
    bright = face if gain <= 1.0 else (face * gain).clamp(0.0, 1.0)
    if gain <= FIRST_GAIN:
        return bright
    return to_tensor(smooth_colour_noise(to_image(bright), gain)).to(face)


def aligned(record: FaceRecord, size: int = SIZE) -> NDArray[np.uint8]:
    """Return a record's face as the restorer's (size, size, 3) uint8 BGR crop."""
    affine = similarity_transform(record.landmarks, size, DEFAULT_TEMPLATE)
    return warp_crop(load_image(record.path), affine, size)
