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

"""Each row as ONNX files with cards, and what their graphs consist of."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from cfrnet_ros.vision.preprocessing.align import DEFAULT_TEMPLATE
from training.data.crops import SIZE
from training.experiments.systems.rows import Row
from training.experiments.systems.training_loop import FACTS
from training.export.camera_format import FloatPlanes
from training.export.fp32 import check_against_pytorch, write_onnx
from training.export.quantise import METHODS, calibration_inputs, quantise, write_quantised
from training.networks.parts import Restorer
from training.networks.systems.build import build_system

#: Operators that decide at run time what is computed: a graph with one of them is not static.
_DYNAMIC = {'If', 'Loop', 'Scan', 'NonZero', 'Unique'}


@dataclass
class Exported:
    """Files of one row.

    Attributes:
        files: ONNX files by precision, 'fp32' and 'int8', each with a card.
        reasons: Reason by precision, where there is no file.

    """

    files: dict[str, Path] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


def trained_network(row: Row, runs: Sequence[Path]) -> tuple[Restorer, dict[str, Any] | None]:
    """Return a row's network with its averaged weights.

    Args:
        row: Row.
        runs: Folders of runs; the first that has the row counts.

    Returns:
        The network, and what its file says beside the weights; None and random weights of the
        row's seed if no run has it.

    Raises:
        ValueError: A file was trained by another description of the row.

    """
    torch.manual_seed(row.config.seed)
    network = build_system(row.network).eval()
    for run in runs:
        path = run / f'{row.name}.pt'
        if path.is_file():
            state = torch.load(path, map_location='cpu', weights_only=True)
            if state['digest'] != row.digest():
                raise ValueError(f"'{path}' was trained by another description of the row")
            network.load_state_dict(state['average'])
            if 'run' not in state and (run / FACTS).is_file():
                state['run'] = json.loads((run / FACTS).read_text(encoding='utf-8'))
            return network, {
                key: state[key]
                for key in ('step', 'windows', 'seconds', 'skipped', 'phase', 'curve', 'run')
                if key in state
            }
    return network, None


def export(
    network: Restorer, name: str, folder: Path, faces: Sequence[NDArray[np.uint8]]
) -> Exported:
    """Write ``<name>_fp32.onnx`` and ``<name>_int8.onnx``, with cards.

    Both take and give float32 planes, RGB in 0..1. Files of the same weights that are there stay.

    Args:
        network: Network of the row.
        name: Name of the row.
        folder: Folder of the files, made if need be.
        faces: (256, 256, 3) uint8 BGR crops that calibrate the INT8 file.

    """
    folder.mkdir(parents=True, exist_ok=True)
    example = torch.zeros(1, 3, SIZE, SIZE)
    path, quantised = (folder / f'{name}_{end}.onnx' for end in ('fp32', 'int8'))
    weights = _digest(network)
    if all(_is_of(file, weights) for file in (path, quantised)):
        return Exported({'fp32': path, 'int8': quantised})
    exported = Exported()
    try:
        write_onnx(FloatPlanes(network, clip=True), example, path)
        check_against_pytorch(path, network, faces[:1])
        dynamic = sorted(set(operators(path)) & _DYNAMIC)
        if dynamic:
            raise ValueError(f'the graph has {", ".join(dynamic)}')
    except Exception as error:
        # Whatever an exporter raises is the answer to whether there is a static graph.
        exported.reasons['fp32'] = exported.reasons['int8'] = _short(error)
        return exported
    exported.files['fp32'] = path
    write_card(path, name, 'fp32', weights)
    open_ended = folder / f'{name}_open.onnx'
    try:
        write_onnx(FloatPlanes(network, clip=False), example, open_ended)
        inputs = calibration_inputs(open_ended, list(faces), 'RGB')
        model = quantise(open_ended, inputs, METHODS['minmax'])
        write_quantised(model, quantised, as_bytes=False)
        exported.files['int8'] = quantised
        write_card(quantised, name, 'int8', weights)
    except Exception as error:
        exported.reasons['int8'] = _short(error)
    finally:
        open_ended.unlink(missing_ok=True)
    return exported


def _digest(network: torch.nn.Module) -> str:
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        digest.update(name.encode() + value.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _is_of(path: Path, weights: str) -> bool:
    card = path.with_suffix('.json')
    if not path.is_file() or not card.is_file():
        return False
    stated = json.loads(card.read_text(encoding='utf-8'))
    whole = stated['sha256'] == hashlib.sha256(path.read_bytes()).hexdigest()
    return bool(whole and stated['weights'] == weights)


def _short(error: Exception) -> str:
    return f'{type(error).__name__}: {str(error).strip().splitlines()[0][:200]}'


def write_card(path: Path, name: str, precision: str, weights: str) -> None:
    """Write the card by which the node's own code runs a file.

    Args:
        path: Path of the ONNX file.
        name: Name of the row.
        precision: 'fp32' or 'int8'.
        weights: Hash of the network's weights.

    """
    card = {
        'name': name,
        'sha256': hashlib.sha256(path.read_bytes()).hexdigest(),
        'size': SIZE,
        'dtype': 'float32',
        'layout': 'NCHW',
        'colour': 'RGB',
        'value_range': [0.0, 1.0],
        # One-pass networks are run several times by hand as well.
        'iterative': True,
        'expose': True,
        'precision': precision,
        'weights': weights,
        'template': [[float(v) for v in point] for point in DEFAULT_TEMPLATE],
    }
    path.with_suffix('.json').write_text(json.dumps(card, indent=1) + '\n', encoding='utf-8')


def operators(path: Path) -> dict[str, int]:
    """Return how often each operator stands in an ONNX graph, the most frequent first."""
    counts = Counter(node.op_type for node in onnx.load(str(path)).graph.node)
    counts.pop('Constant', None)
    return dict(counts.most_common())


def count_graph_macs(path: Path) -> int:
    """Count the multiply-accumulate operations of convolutions and matrix products.

    Args:
        path: Path of a static ONNX graph.

    """
    model = onnx.shape_inference.infer_shapes(onnx.load(str(path)))
    graph = model.graph
    shapes = {t.name: tuple(t.dims) for t in graph.initializer}
    for value in (*graph.value_info, *graph.input, *graph.output):
        shapes[value.name] = tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
    total = 0
    for node in graph.node:
        if node.op_type == 'Conv':
            kernel, output = shapes[node.input[1]], shapes[node.output[0]]
            total += math.prod(kernel) * math.prod(output[2:])
        elif node.op_type in ('MatMul', 'Gemm'):
            first, output = shapes[node.input[0]], shapes[node.output[0]]
            transposed = any(a.name == 'transA' and a.i for a in node.attribute)
            total += math.prod(output) * first[0 if transposed else -1]
    return total
