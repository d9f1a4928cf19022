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

"""Computes a quantised convolution of few channels in blocks of several pixels of a row.

The sums are the same integers. Two kinds of convolutions gain by it:

* 3 x 3 convolutions to a few channels: their matrix product is as narrow as their channels, while
  the kernels of ONNX Runtime work on 16 at a time. A wider convolution with a stride gives several
  pixels as that many times the channels.
* 3 x 3 convolutions from a few channels: the kernels fetch the channels of one pixel at a time.
  Several pixels are read as one with that many times the channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

from cfrnet_ros.vision.engine.onnx_graph import (
    Graph,
    Step,
    as_pixels,
    attributes,
    is_operator,
    read_only_by,
)

#: Largest number of channels that are few.
FEW_CHANNELS = 4

#: Pixels of a row that a convolution to few channels gives at once, the first that divides the
#: width. Measured for 16 to 3 channels at 256 x 256 pixels: 2.5 ms as it is, 0.7 ms in eights.
WRITTEN = (8, 4, 2)

#: Pixels of a row that a convolution from few channels reads and gives at once. Measured for 3 to
#: 16 channels at 256 x 256 pixels: 1.6 ms as it is, 0.6 ms in fours, 0.9 ms in eights.
READ = 4

#: Largest number of output channels of a convolution whose input is read in several pixels: as
#: many times as many must still be a small matrix product.
MOST_WRITTEN = 32

#: Largest size of a weight if the order of a convolution's sums changes: with it, two products
#: with bytes fit into the 16 bits in which CPUs without VNNI add them.
MOST_IN_ANY_PAIR = 64


def in_blocks(graph: Graph, convolution: NodeProto) -> bool:
    """Compute a convolution of few channels in blocks, and return whether that was possible.

    Args:
        graph: Model, which is changed.
        convolution: Node of a convolution.

    """
    quantize = graph.only_reader(convolution.output[0])
    sources = [graph.producer.get(name) for name in convolution.input]
    if not is_operator(quantize, 'QuantizeLinear') or not _is_plain(convolution):
        return False
    dequantised = [source for source in sources if is_operator(source, 'DequantizeLinear')]
    if not len(dequantised) == len(sources) == 3:
        return False
    given, *constant = [[*source.input] for source in dequantised]
    found = [[graph.array(name) for name in names] for names in constant]
    weight, bias = ([array for array in part if array is not None] for part in found)
    # Weights beside the 3 x 3 ones are zero, so that zero must stand for zero.
    if len(given) != 3 or not len(weight) == len(bias) == 3 or weight[2].any():
        return False
    if weight[0].dtype != np.int8 or weight[0].shape[2:] != (3, 3):
        return False
    shape = graph.shapes.get(convolution.output[0], ())
    if len(shape) != 4 or shape[0] != 1 or 0 in shape:
        return False
    _, channels, height, width = shape
    blocks = _to_few(weight[0], width) or _from_few(weight[0], width)
    if blocks is None:
        return False
    name = convolution.output[0]
    made = []
    # Where several pixels are read as one, they contain the border beside the picture.
    beside = 1 if blocks.read == 1 else 0
    if blocks.read > 1:
        reading = _reading(graph, given, blocks.read, (height, width), f'{name}_read')
        if not reading:
            return False
        made += reading
        given[0] = f'{name}_read'
    inputs = [f'{name}_given', f'{name}_weight', f'{name}_bias']
    made.append(helper.make_node('DequantizeLinear', given, inputs[:1]))
    for target, (values, *scales) in (
        (inputs[1], [blocks.weights, *weight[1:]]),
        (inputs[2], [np.tile(bias[0], blocks.written), *bias[1:]]),
    ):
        # A scale is that of a channel, or one for all.
        wide = [np.tile(each, blocks.written) if each.ndim else each for each in scales]
        names = [graph.add(f'{target}_{place}', each) for place, each in enumerate([values, *wide])]
        made.append(helper.make_node('DequantizeLinear', names, [target], axis=0))
    made += [
        helper.make_node(
            'Conv',
            inputs,
            [f'{name}_blocks'],
            kernel_shape=blocks.weights.shape[2:],
            strides=[1, blocks.written // blocks.read],
            pads=[1, beside, 1, beside],
        ),
        helper.make_node(
            'QuantizeLinear', [f'{name}_blocks', *quantize.input[1:]], [f'{name}_bytes']
        ),
    ]
    steps: list[Step] = [('Reshape', np.array([1, height, width, channels], np.int64))]
    made += as_pixels(graph, f'{name}_bytes', quantize.output[0], steps)
    graph.replace([convolution, quantize, *read_only_by(graph, convolution, dequantised)], made)
    return True


def _is_plain(convolution: NodeProto) -> bool:
    """Return whether a convolution is one of single pixels with a border of one pixel."""
    told = attributes(convolution)
    return (
        list(told.get('pads', [])) == [1, 1, 1, 1]
        and list(told.get('strides', [1, 1])) == [1, 1]
        and list(told.get('dilations', [1, 1])) == [1, 1]
        and told.get('group', 1) == 1
    )


def _reading(
    graph: Graph, given: list[str], read: int, size: tuple[int, int], target: str
) -> list[NodeProto]:
    """Return nodes that make several pixels of a row one, the first beginning at the border.

    Args:
        graph: Model.
        given: Names of a (1, C, H, W) tensor of bytes, its scale and its zero point.
        read: Number of pixels, which divides W.
        size: H and W.
        target: Name of the (1, read * C, H, W / read + 1) result.

    Returns:
        Nodes; none if the zero point, of which the border consists, is not one constant byte.

    """
    zero_point = graph.array(given[2])
    if zero_point is None or zero_point.size != 1 or zero_point.dtype.itemsize != 1:
        return []
    height, width = size
    border = graph.add(f'{target}_border', zero_point.reshape(()))
    # One pixel of the border lies left of the picture, the others right of it.
    pads = np.array([0, 0, 1, 0, 0, 0, read - 1, 0], np.int64)
    wide = np.array([1, height, width // read + 1, -1], np.int64)
    steps: list[Step] = [('Pad', pads, border), ('Reshape', wide)]
    return as_pixels(graph, given[0], target, steps)


@dataclass(frozen=True)
class _Blocks:
    """A 3 x 3 convolution of single pixels as one of blocks of pixels that lie in a row.

    Attributes:
        weights: (P * C, R * D, 3, K) weights, for C channels out and D in.
        read: Pixels R of an input block; with more than one, the first block begins one pixel to
            the left of the picture.
        written: Pixels P of an output block, a multiple of R.

    """

    weights: NDArray[Any]
    read: int
    written: int


def _in_any_order(weights: NDArray[Any]) -> bool:
    """Return whether any two weights may be neighbours in the kernel's sums."""
    return int(np.abs(weights.astype(np.int32)).max()) <= MOST_IN_ANY_PAIR


def _to_few(weights: NDArray[Any], width: int) -> _Blocks | None:
    """Return the blocks of a convolution to few channels; None if it has others."""
    written = next((number for number in WRITTEN if width % number == 0), 0)
    if weights.shape[0] > FEW_CHANNELS or not written:
        return None
    # The kernels add four channels at a time, which stay together where they are multiples of it.
    if weights.shape[1] % 4 and not _in_any_order(weights):
        return None
    return _Blocks(_spread(weights, 1, written), 1, written)


def _from_few(weights: NDArray[Any], width: int) -> _Blocks | None:
    """Return the blocks of a convolution from few channels; None if it has others."""
    channels, few = weights.shape[:2]
    if few > FEW_CHANNELS or channels > MOST_WRITTEN:
        return None
    if width % READ or not _in_any_order(weights):
        return None
    return _Blocks(_spread(weights, READ, READ), READ, READ)


def _spread(weights: NDArray[Any], read: int, written: int) -> NDArray[Any]:
    """Return the weights of blocks that begin one pixel left of the pixels that they give.

    Args:
        weights: (C, D, 3, 3) weights of single pixels.
        read: Pixels of an input block.
        written: Pixels of an output block.

    Returns:
        (written * C, read * D, 3, K), where K blocks hold the pixels that an output block needs.

    """
    channels, given, rows, columns = weights.shape
    count = -(-(written + columns - 1) // read)
    pixels = np.zeros((written, channels, given, rows, count * read), weights.dtype)
    for pixel in range(written):
        pixels[pixel, ..., pixel : pixel + columns] = weights
    apart = pixels.reshape(written, channels, given, rows, count, read)
    return np.ascontiguousarray(
        apart.transpose(0, 1, 5, 2, 3, 4).reshape(written * channels, read * given, rows, count)
    )
