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

"""The node's brightening of underexposed faces, for a batch on any device."""

from __future__ import annotations

import torch
from torch import Tensor

from cfrnet_ros.vision.preprocessing.exposure import (
    FACE_HIGHLIGHT,
    MAX_FACE_GAIN,
    UNDEREXPOSED,
    WELL_EXPOSED,
)
from training.degradation.resize import shrink_matrices

# OpenCV's fixed-point weights of red, green and blue for eight-bit grey, of 2^15.
_GREY = (9798.0, 19235.0, 3735.0)

#: Side to which a crop is averaged, and the part of that in which the face is.
_SIDE, _ROWS, _COLUMNS = 32, slice(4, 28), slice(6, 26)


def exposure_gains(images: Tensor) -> Tensor:
    """Tell by how much each face has to be multiplied.

    The same as `cfrnet_ros.vision.preprocessing.exposure.face_exposure_gain` gives for the images
    in eight bits, but for rounding in OpenCV's averaging.

    Args:
        images: (B, 3, H, W) RGB in 0..1.

    Returns:
        (B, 1, 1, 1), 1..`MAX_FACE_GAIN`.

    """
    with torch.no_grad(), torch.autocast(images.device.type, enabled=False):
        full = (images.detach().float().clamp(0.0, 1.0) * 255.0).round_()
        height, width = full.shape[-2:]
        if height % _SIDE or width % _SIDE:
            one = torch.ones(1, device=full.device)
            down, across = (
                shrink_matrices(_SIDE, side, one * _SIDE, one * 0) for side in (height, width)
            )
            small = down @ full @ across.transpose(-1, -2)
        else:
            cells = full.reshape(-1, 3, _SIDE, height // _SIDE, _SIDE, width // _SIDE)
            small = cells.mean(dim=(3, 5))
        # In eight bits and whole weights, so that the highlight falls on the same number.
        red, green, blue = small.round().unbind(1)
        grey = red * _GREY[0] + green * _GREY[1] + blue * _GREY[2]
        grey = ((grey + 2.0**14) / 2.0**15).floor()[:, _ROWS, _COLUMNS].flatten(1)
        # The 98th percentile, interpolated as numpy does.
        place = 0.98 * (grey.shape[1] - 1)
        above = grey.shape[1] - int(place)
        top = grey.topk(above, dim=1).values
        share = place - int(place)
        highlight = top[:, above - 1] * (1.0 - share) + top[:, above - 2] * share
        highlight = highlight.clamp(min=1.0)
        gain = (FACE_HIGHLIGHT / highlight).clamp(1.0, MAX_FACE_GAIN)
        fade = ((WELL_EXPOSED - highlight) / (WELL_EXPOSED - UNDEREXPOSED)).clamp(0.0, 1.0)
        return (1.0 + (gain - 1.0) * fade).view(-1, 1, 1, 1)


def expose_batch(images: Tensor) -> Tensor:
    """Brighten underexposed faces as the node does before restoring them.

    The gain is measured, not learned from: no gradient flows through it. Nothing waits
    for the device.

    Args:
        images: (B, 3, H, W) RGB in 0..1.

    Returns:
        The same shape, type and range.

    """
    gains = exposure_gains(images)
    bright = images * gains.to(images.dtype)
    # A well exposed face stays as it is, whatever lies outside 0..1 in it.
    return torch.where(gains > 1.0, bright.clamp(0.0, 1.0), images)
