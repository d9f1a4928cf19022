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

"""Enlarges a quantised tensor by two with copies of whole pixels.

ONNX Runtime's kernel for it interpolates byte by byte. Measured for 16 channels at 256 x 256
pixels: 0.95 ms, and 0.14 ms by copies.
"""

from __future__ import annotations

import numpy as np
from onnx import NodeProto

from cfrnet_ros.vision.engine.onnx_graph import (
    Graph,
    Step,
    as_pixels,
    attributes,
    is_operator,
    read_only_by,
)


def by_copies(graph: Graph, resize: NodeProto) -> bool:
    """Enlarge by two with copies of whole pixels, and return whether that was possible.

    Args:
        graph: Model, which is changed.
        resize: Node that enlarges.

    """
    dequantize = graph.producer.get(resize.input[0])
    quantize = graph.only_reader(resize.output[0])
    if not is_operator(dequantize, 'DequantizeLinear'):
        return False
    if not is_operator(quantize, 'QuantizeLinear'):
        return False
    told = attributes(resize)
    nearest = (
        told.get('mode', b'nearest') == b'nearest'
        and told.get('coordinate_transformation_mode') == b'asymmetric'
        and told.get('nearest_mode') == b'floor'
    )
    before, after = (graph.shapes.get(name, ()) for name in (resize.input[0], resize.output[0]))
    twice = len(before) == 4 and after == (*before[:2], 2 * before[2], 2 * before[3])
    # With another scale the bytes themselves would change.
    same = [*dequantize.input[1:]] == [*quantize.input[1:]]
    if not (nearest and twice and same and before[0] == 1 and 0 not in before):
        return False
    _, channels, height, width = before
    # Copies of pixels beside them, then of rows below them.
    steps: list[Step] = [
        ('Reshape', np.array([height * width, channels], np.int64)),
        ('Concat', 1),
        ('Reshape', np.array([height, 2 * width * channels], np.int64)),
        ('Concat', 1),
        ('Reshape', np.array([1, 2 * height, 2 * width, channels], np.int64)),
    ]
    old = [resize, quantize, *read_only_by(graph, resize, [dequantize])]
    graph.replace(old, as_pixels(graph, dequantize.input[0], quantize.output[0], steps))
    return True
