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

"""Rewrites an 8-bit model for ONNX Runtime's CPU kernels, with the same bytes as its result.

Two things take far more time there than their arithmetic: convolutions from and to a few channels,
which `cpu_blocks` computes otherwise, and enlarging by two, which `cpu_copies` does.

The file stays as it is, since compilers for NPUs want the plain operators.
"""

from __future__ import annotations

from pathlib import Path

try:
    import onnx

    from cfrnet_ros.vision.engine.cpu_blocks import in_blocks
    from cfrnet_ros.vision.engine.cpu_copies import by_copies
    from cfrnet_ros.vision.engine.onnx_graph import Graph

    _AVAILABLE = True
except ImportError:  # The package onnx is optional.
    _AVAILABLE = False


def for_cpu(model: Path | bytes) -> bytes | None:
    """Return a model that computes the same in less time on the CPU.

    Args:
        model: ONNX file, or its content.

    Returns:
        Content of the rewritten model; None if nothing in it can be rewritten (a model of floats
        has other kernels), if its weights are outside of the file, if it is no ONNX file, or if the
        package onnx is missing.

    """
    if not _AVAILABLE:
        return None
    try:
        loaded = onnx.load_from_string(
            model if isinstance(model, bytes) else Path(model).read_bytes()
        )
    except Exception:
        # What is wrong with a file is said by the session that is asked to load it.
        return None
    if any(
        tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in loaded.graph.initializer
    ):
        return None
    graph = Graph(loaded)
    changed = sum(
        in_blocks(graph, node) if node.op_type == 'Conv' else by_copies(graph, node)
        for node in list(loaded.graph.node)
        if node.op_type in ('Conv', 'Resize')
    )
    return bytes(loaded.SerializeToString()) if changed else None
