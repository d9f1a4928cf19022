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

"""Tiny ONNX models with a known effect, for tests of the restorer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

#: Versions that onnxruntime 1.23, the last for Python 3.10, can read.
IR_VERSION, OPSET = 10, 17


def save_model(
    path: Path,
    nodes: list[onnx.NodeProto],
    shape: list[int | str],
    *,
    dtype: int = TensorProto.FLOAT,
    out_shape: list[int | str] | None = None,
    constants: dict[str, Any] | None = None,
    card: dict[str, Any] | None = None,
    metadata: dict[str, str] | None = None,
) -> Path:
    """Write a graph from `face` to `restored`, and its card if one is given."""
    graph = helper.make_graph(
        nodes,
        'test',
        [helper.make_tensor_value_info('face', dtype, shape)],
        [helper.make_tensor_value_info('restored', dtype, out_shape or shape)],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in (constants or {}).items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid('', OPSET)], ir_version=IR_VERSION
    )
    if metadata:
        helper.set_model_props(model, metadata)
    onnx.save(model, str(path))
    if card is not None:
        path.with_suffix('.json').write_text(json.dumps(card), encoding='utf-8')
    return path


def scale_model(path: Path, factor: float, size: int = 64, **card: Any) -> Path:
    """Write a float NCHW RGB 0..1 model that multiplies by a factor; iterative by default."""
    return save_model(
        path,
        [helper.make_node('Mul', ['face', 'factor'], ['restored'])],
        [1, 3, size, size],
        constants={'factor': np.float32(factor)},
        card={
            'name': 'scale',
            'value_range': [0, 1],
            'colour': 'RGB',
            'iterative': True,
            'template': [[0.35, 0.46], [0.65, 0.46], [0.5, 0.63], [0.37, 0.77], [0.63, 0.77]],
            **card,
        },
    )


def invert_channel_model(path: Path, size: int = 512) -> Path:
    """Write a float NHWC BGR -1..1 model with an open batch axis that negates a channel."""
    return save_model(
        path,
        [helper.make_node('Mul', ['face', 'signs'], ['restored'])],
        ['batch', size, size, 3],
        constants={'signs': np.array([-1, 1, 1], np.float32)},
        card={'value_range': [-1, 1], 'colour': 'BGR', 'iterative': False},
    )


def uint8_model(path: Path, size: int = 48) -> Path:
    """Write a uint8 NHWC RGB 0..255 model that exchanges the first and the last channel."""
    return save_model(
        path,
        [helper.make_node('Gather', ['face', 'order'], ['restored'], axis=3)],
        [1, size, size, 3],
        dtype=TensorProto.UINT8,
        constants={'order': np.array([2, 1, 0], np.int64)},
        card={'colour': 'RGB', 'iterative': True},
    )


def rolled_bytes_model(path: Path, layout: str, colour: str, size: int = 48) -> Path:
    """Write a uint8 0..255 model whose output channel i is its input channel i + 1."""
    return save_model(
        path,
        [helper.make_node('Gather', ['face', 'order'], ['restored'], axis=layout.index('C'))],
        [1, 3, size, size] if layout == 'NCHW' else [1, size, size, 3],
        dtype=TensorProto.UINT8,
        constants={'order': np.array([1, 2, 0], np.int64)},
        card={'layout': layout, 'colour': colour, 'iterative': True},
    )


def nan_model(path: Path, size: int = 64) -> Path:
    """Write a float model whose second application gives NaN: sqrt(x - 0.3)."""
    return save_model(
        path,
        [
            helper.make_node('Sub', ['face', 'shift'], ['low']),
            helper.make_node('Sqrt', ['low'], ['root']),
            helper.make_node('Mul', ['root', 'small'], ['restored']),
        ],
        [1, 3, size, size],
        constants={'shift': np.float32(0.3), 'small': np.float32(0.1)},
        card={'value_range': [0, 1], 'colour': 'RGB', 'iterative': True},
    )
