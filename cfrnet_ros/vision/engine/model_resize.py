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

"""Runs a restorer at another size than its own, by rewriting the shapes in its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

try:
    import onnx
except ImportError:  # the restorer then works at the file's own size
    onnx = None

from cfrnet_ros.vision.engine.external_data import check_external_data
from cfrnet_ros.vision.errors import ModelError

#: Operators whose constants may hold sizes; a file with such constants works at one size only.
_SIZED = ('Reshape', 'Expand', 'Slice', 'Gemm', 'MatMul', 'ConstantOfShape', 'Flatten')


def resized_model(model: str | Path, size: int, layout: str) -> bytes:
    """Return a restorer with another input and output size.

    Convolutions, activations and upsampling by a factor work at any size; the file fixes one
    only because accelerators want static shapes. Two copies for 256 and 512 pixels would store
    the same weights twice.

    Args:
        model: Path of the ONNX file, whose input is one image and whose output is one of the same
            size.
        size: Wanted side of the square image in pixels.
        layout: Memory layout, 'NCHW' or 'NHWC'.

    Returns:
        Bytes of the ONNX file, with static shapes of that size.

    Raises:
        ModelError: The Python package onnx is not installed, the file cannot be read, or it has
            an operator or a constant that works at one size only.

    """
    remedy = "set crop_size to 0 for the model's own size, or export the model at that size"
    if onnx is None:
        raise ModelError(
            f"'{model}' has another size than {size}, and adapting it needs the Python package"
            f' onnx: pip install onnx, or {remedy}'
        )
    check_external_data(model)
    try:
        proto = onnx.load(str(model))
    except Exception as error:
        raise ModelError(f"'{model}' cannot be read as ONNX: {error}; {remedy}") from error
    graph = proto.graph
    for node in graph.node:
        # The fourth input of Resize is a size in pixels, the third is a factor.
        by_pixels = node.op_type == 'Resize' and len(node.input) > 3 and node.input[3]
        if node.op_type in _SIZED or by_pixels:
            raise ModelError(
                f"'{model}' cannot be run at {size} pixels: its operator {node.op_type} works at"
                f' one'
                f' size only; {remedy}'
            )
    sides = (2, 3) if layout == 'NCHW' else (1, 2)
    constants = {item.name for item in graph.initializer}
    images = [value for value in graph.input if value.name not in constants]
    for value in [*images, *graph.output]:
        dims = value.type.tensor_type.shape.dim
        if len(dims) != 4:
            raise ModelError(
                f"'{model}' does not have one image as input and one as output; {remedy}"
            )
        own = dims[sides[0]].dim_value
        for axis in sides:
            dims[axis].dim_value = size
    for name in _added(graph) & constants:
        if not _repeat(graph, name, size, own):
            raise ModelError(
                f"'{model}' cannot be run at {size} pixels: its constant {name} fits one size"
                f' only; {remedy}'
            )
    # Shapes that were inferred for the old size would contradict the new one.
    del graph.value_info[:]
    return bytes(proto.SerializeToString())


def _added(graph: Any) -> set[str]:
    """Return the names of the inputs of additions, and of the constants dequantised for them."""
    added = {name for node in graph.node if node.op_type == 'Add' for name in node.input}
    stored = {
        node.input[0]
        for node in graph.node
        if node.op_type == 'DequantizeLinear' and node.output[0] in added
    }
    return added | stored


def _repeat(graph: Any, name: str, size: int, own: int) -> bool:
    """Adapt a constant to another size if it repeats in every 2x2, as the plain CNN's masks do.

    Args:
        graph: ONNX graph, changed in place.
        name: Name of the constant; in ONNX's convolutions and resizes the channels come first.
        size: Wanted side of the image in pixels.
        own: Side in pixels of the image for which the constant was made.

    Returns:
        Whether the constant fits the wanted size now.

    """
    stored = next(item for item in graph.initializer if item.name == name)
    values = onnx.numpy_helper.to_array(stored)
    for axis in (2, 3) if values.ndim == 4 else ():
        side = values.shape[axis]
        if side == 1:
            continue
        if side * size % (2 * own) or not np.array_equal(values, np.roll(values, 2, axis)):
            return False
        values = values.take(np.arange(side * size // own) % 2, axis)
    stored.CopyFrom(onnx.numpy_helper.from_array(values, name))
    return True
