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

"""A parsed ONNX model whose nodes are looked up and replaced by others."""

from __future__ import annotations

from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper, shape_inference


class Graph:
    """A model with indices of its nodes, constants and shapes.

    Attributes:
        nodes: Nodes of the model, in the order in which they are computed.
        constants: Constants of the model by name.
        producer: Node that computes each tensor, by the name of the tensor.
        shapes: Shape of each tensor by name, as far as it can be inferred; 0 where a side is not
            fixed. Tensors that are added later are missing.

    """

    def __init__(self, model: Any) -> None:
        """Index a parsed model, an `onnx.ModelProto`, which `add` and `replace` change."""
        self.nodes = model.graph.node
        self._initializers = model.graph.initializer
        self.constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self.producer = {out: node for node in model.graph.node for out in node.output}
        self._readers: dict[str, list[NodeProto]] = {}
        for node in model.graph.node:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)
        inferred = shape_inference.infer_shapes(model).graph
        self.shapes = {
            value.name: tuple(side.dim_value for side in value.type.tensor_type.shape.dim)
            for value in (*inferred.value_info, *inferred.input, *inferred.output)
        }

    def only_reader(self, name: str) -> NodeProto | None:
        """Return the node that reads a tensor; None if there is not exactly one."""
        readers = self._readers.get(name, [])
        return readers[0] if len(readers) == 1 else None

    def array(self, name: str) -> NDArray[Any] | None:
        """Return a constant; None if the tensor is not one."""
        tensor = self.constants.get(name)
        return None if tensor is None else np.asarray(numpy_helper.to_array(tensor))

    def add(self, name: str, value: NDArray[Any]) -> str:
        """Add a constant and return its name."""
        self._initializers.append(numpy_helper.from_array(value, name))
        return name

    def replace(self, old: list[NodeProto], new: list[NodeProto]) -> None:
        """Put nodes in the place of the first of some others."""
        order = list(self.nodes)
        places = [order.index(node) for node in old]
        place = places[0] - sum(other < places[0] for other in places)
        for node in old:
            self.nodes.remove(node)
        for offset, node in enumerate(new):
            self.nodes.insert(place + offset, node)


def is_operator(node: NodeProto | None, operator: str) -> TypeGuard[NodeProto]:
    """Return whether there is a node, and it has an operator."""
    return node is not None and node.op_type == operator


def attributes(node: NodeProto) -> dict[str, Any]:
    """Return the values of a node's attributes by their names."""
    return {item.name: helper.get_attribute_value(item) for item in node.attribute}


def read_only_by(graph: Graph, reader: NodeProto, sources: list[NodeProto]) -> list[NodeProto]:
    """Return the sources that nothing but one node reads: they would be computed for nothing."""
    return [source for source in sources if graph.only_reader(source.output[0]) is reader]


#: An operator with its constants, or with the axis along which it joins a tensor to itself.
Step = tuple[Any, ...]


def as_pixels(graph: Graph, source: str, target: str, steps: list[Step]) -> list[NodeProto]:
    """Return nodes that apply operators to a tensor whose last axis is made that of the channels.

    ONNX Runtime's 8-bit kernels keep that order of the axes, so that the two transpositions here
    cancel against those that they bring.

    Args:
        graph: Model.
        source: Name of a (1, C, H, W) tensor.
        target: Name of the (1, C, H, W) result.
        steps: Operators. `Concat` joins a tensor to itself.

    """
    name = f'{target}_pixels_0'
    made = [helper.make_node('Transpose', [source], [name], perm=[0, 2, 3, 1])]
    for number, (operator, *given) in enumerate(steps, start=1):
        before, name = name, f'{target}_pixels_{number}'
        if operator == 'Concat':
            made.append(helper.make_node(operator, [before, before], [name], axis=given[0]))
            continue
        names = [
            item if isinstance(item, str) else graph.add(f'{name}_{place}', item)
            for place, item in enumerate(given)
        ]
        made.append(helper.make_node(operator, [before, *names], [name]))
    return [*made, helper.make_node('Transpose', [name], [target], perm=[0, 3, 1, 2])]
