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

"""The network that measures how far an eye is open, and how sure that is."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cfrnet_ros.vision.quality.eye_patches import PATCH_SIZE

#: Least and greatest logarithm of the standard deviation: 0.007 and 0.6 of an eye's width.
_LOG_SIGMA = (-5.0, -0.5)

#: Contrast in grey values below which a patch is not stretched further.
_LEAST_CONTRAST = 2.0


class EyeNetwork(nn.Module):
    """Convolutions on the luma around one eye, with light and contrast divided out."""

    def __init__(self, channels: tuple[int, int, int, int] = (8, 16, 32, 48)) -> None:
        """Create the network with random weights.

        Args:
            channels: Number of channels of each convolution; all but the first halve the picture.

        """
        super().__init__()
        layers: list[nn.Module] = []
        width, height, before = *PATCH_SIZE, 1
        for count in channels:
            stride = 1 if before == 1 else 2
            layers += [nn.Conv2d(before, count, 3, stride, padding=1), nn.ReLU()]
            width, height, before = -(-width // stride), -(-height // stride), count
        self.features = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(width * height * before, 48), nn.ReLU(), nn.Linear(48, 2)
        )

    def forward(self, patches: Tensor) -> Tensor:
        """Measure eyes.

        Args:
            patches: (N, 1, 40, 56) luma 0..255 of image-left eyes, and of mirrored image-right
                ones.

        Returns:
            (N, 2): height over width of the opening, and the standard deviation of that value.

        """
        mean = patches.mean(dim=(2, 3), keepdim=True)
        centred = patches - mean
        spread = (centred * centred).mean(dim=(2, 3), keepdim=True).sqrt()
        values = self.head(self.features(centred / (spread + _LEAST_CONTRAST)))
        least, greatest = _LOG_SIGMA
        # Not clamped, since no gradient leads back from beyond a bound.
        log_sigma = least + (greatest - least) * values[:, 1:].sigmoid()
        return torch.cat([values[:, :1], log_sigma.exp()], dim=1)
