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

"""A second identity to train with: dlib's face descriptor, differentiable in its input.

dlib_face_recognition_resnet_model_v1 (King, 2017; public domain), a residual network of 29
convolutions trained by a metric loss, not by a classifier as MobileFaceNet was: what pleases the
one without being more like the person rarely pleases the other. The weights are those that
``training.tools.fetch_identity`` takes from face-api, 0.04 from dlib's own where people are 0.8
apart.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.critics.face_view import STRAIGHT, FaceView, View
from training.critics.mobilefacenet import identity_file, load_arrays

#: The weights' file, beside MobileFaceNet's.
FILE = 'dlib_descriptor.npz'

#: Side of the face that the network sees, pixels, and where our two eyes are in it: the middles
#: of the eye corners in dlib's chips (`get_face_chip_details`, size 150, padding 0.25).
FACE_SIZE = 150
EYES = np.array([[47.73, 47.14], [100.28, 47.12]])
#: Length of a descriptor.
DIMENSIONS = 128
#: Mean squared distance between the descriptors of two of our 60 validation people.
STRANGERS = 0.67

# Mean colours of the training faces, 0..255, as dlib subtracts them.
_MEAN = (122.782, 117.001, 104.298)
# Channels of the residual blocks after the first convolution, and whether they halve the sides.
_BLOCKS = (
    *((32, False),) * 3,
    (64, True),
    *((64, False),) * 3,
    (128, True),
    *((128, False),) * 2,
    (256, True),
    *((256, False),) * 2,
    (256, True),
)


class _Block(nn.Module):
    """Residual block; where it halves the sides, the shortcut is an average, padded with zeros."""

    def __init__(self, inputs: int, channels: int, halve: bool) -> None:
        super().__init__()
        self.halve = halve
        first = nn.Conv2d(inputs, channels, 3, 2 if halve else 1, padding=0 if halve else 1)
        self.conv1, self.conv2 = first, nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = cast(Tensor, self.conv2(F.relu(self.conv1(x))))
        if self.halve:
            x = F.avg_pool2d(x, 2)
            y = F.pad(y, (0, x.shape[3] - y.shape[3], 0, x.shape[2] - y.shape[2]))
            x = F.pad(x, (0, 0, 0, 0, 0, y.shape[1] - x.shape[1]))
        return F.relu(x + y)


class DescriptorNet(nn.Module):
    """(B, 3, 150, 150) RGB in 0..1 to (B, 128) descriptors.

    dlib's scale layers are folded into the convolutions before them.
    """

    def __init__(self) -> None:
        """Build the network, without weights."""
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 7, stride=2)
        widths = (32, *(width for width, _ in _BLOCKS))
        self.blocks = nn.Sequential(
            *(_Block(width, *block) for width, block in zip(widths, _BLOCKS, strict=False))
        )
        self.embed = nn.Linear(256, DIMENSIONS, bias=False)

    def forward(self, face: Tensor) -> Tensor:
        """Return the descriptors."""
        mean = torch.tensor(_MEAN, device=face.device)[:, None, None]
        x = ((face * 255.0 - mean) / 256.0).contiguous(memory_format=torch.channels_last)
        x = F.max_pool2d(F.relu(self.stem(x)), 3, 2)
        return cast(Tensor, self.embed(self.blocks(x).mean(dim=(2, 3))))


class FaceDescriptor(nn.Module):
    """Describes aligned crops; frozen, differentiable in its input.

    Under autocast the network runs in half precision.
    """

    def __init__(self, weights: Path | None = None) -> None:
        """Load the network.

        Args:
            weights: Path of the file that ``training.tools.fetch_identity`` made; None for the
                place where that command puts it.

        Raises:
            FileNotFoundError: The file is missing.
            RuntimeError: The file holds another network's weights.

        """
        super().__init__()
        self.network = DescriptorNet()
        load_arrays(self.network, identity_file(FILE, weights))
        self.face = FaceView(EYES, FACE_SIZE, landmarks=(0, 1))
        self.requires_grad_(False)

    def forward(self, crop: Tensor, view: View = STRAIGHT) -> Tensor:
        """Describe crops; arguments and errors as `FaceView.forward`.

        Returns:
            (B, 128) float32 descriptors, scaled so that `identity_distance` is 1 in the mean
            between two people.

        """
        descriptor: Tensor = self.network(self.face(crop, view))
        return descriptor.float() * (2.0 / STRANGERS) ** 0.5
