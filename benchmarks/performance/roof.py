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

"""How near a cycle is to the speed of its multiply-accumulates, on one core by the same engine.

The roof is the rate at which one large convolution runs; the profile says which operators hold a
cycle below it.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper, shape_inference

from cfrnet_ros.vision.engine.cpu_graph import for_cpu
from cfrnet_ros.vision.engine.models import resolve_model

#: Convolutions that stand for the roof: channels, and side of the picture. The fastest counts.
LARGE = ((128, 64), (256, 32), (64, 128))


def convolution(channels: int, side: int, int8: bool) -> bytes:
    """Return an ONNX model of one 3 x 3 convolution, from `channels` to `channels`.

    Args:
        channels: Number of channels in and out.
        side: Height and width.
        int8: Whether it is quantised as the shipped INT8 file is: unsigned activations, signed
            weights of 7 bits.

    """
    rng = np.random.default_rng(0)
    shape = [1, channels, side, side]
    weights = rng.normal(0, 0.05, (channels, channels, 3, 3)).astype(np.float32)
    constants = [numpy_helper.from_array(np.zeros(channels, np.float32), 'bias')]
    if not int8:
        constants.append(numpy_helper.from_array(weights, 'w'))
        nodes = [helper.make_node('Conv', ['x', 'w', 'bias'], ['y'], pads=[1, 1, 1, 1])]
        kind = TensorProto.FLOAT
    else:
        step, zero = np.float32(0.02), np.uint8(128)
        constants = [
            numpy_helper.from_array(np.zeros(channels, np.int32), 'bias_q'),
            numpy_helper.from_array(np.clip(weights * 500, -63, 63).astype(np.int8), 'w_q'),
            numpy_helper.from_array(np.float32(0.002), 'w_s'),
            numpy_helper.from_array(np.int8(0), 'w_z'),
            numpy_helper.from_array(np.float32(step), 's'),
            numpy_helper.from_array(zero, 'z'),
            numpy_helper.from_array(np.float32(step * np.float32(0.002)), 'b_s'),
            numpy_helper.from_array(np.int32(0), 'b_z'),
        ]
        nodes = [
            helper.make_node('DequantizeLinear', ['x', 's', 'z'], ['x_f']),
            helper.make_node('DequantizeLinear', ['w_q', 'w_s', 'w_z'], ['w_f']),
            helper.make_node('DequantizeLinear', ['bias_q', 'b_s', 'b_z'], ['bias_f']),
            helper.make_node('Conv', ['x_f', 'w_f', 'bias_f'], ['y_f'], pads=[1, 1, 1, 1]),
            helper.make_node('QuantizeLinear', ['y_f', 's', 'z'], ['y']),
        ]
        kind = TensorProto.UINT8
    graph = helper.make_graph(
        nodes,
        'convolution',
        [helper.make_tensor_value_info('x', kind, shape)],
        [helper.make_tensor_value_info('y', kind, shape)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


#: Numbers of a shape in any order: engines rearrange the axes.
Shape = tuple[int, ...]


def macs_by_shape(model: bytes) -> dict[Shape, int]:
    """Return the multiply-accumulates of a model's convolutions by their output shape, sorted."""
    graph = shape_inference.infer_shapes(onnx.load_from_string(model)).graph
    shapes: dict[str, Shape] = {
        value.name: tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
        for value in (*graph.value_info, *graph.input, *graph.output)
    }
    shapes |= {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    found: dict[Shape, int] = {}
    for node in graph.node:
        if node.op_type == 'Conv':
            weights, out = shapes[node.input[1]], shapes[node.output[0]]
            key = tuple(sorted(out))
            found[key] = found.get(key, 0) + int(np.prod(weights) * np.prod(out[2:]))
    return found


def measure_roof(rounds: int) -> dict[str, Any]:
    """Measure cycle and roof in turns, FP32 and INT8, with one thread.

    CPU time is measured, which other processes on the machine hardly change.

    Args:
        rounds: Runs of each that are timed; the fastest counts.

    Returns:
        Figures of the shipped files and of the INT8 file as the node rewrites it: `roof_gmacs`
        (10^9 multiply-accumulates a second), `cycle_ms`, `gmac` of a cycle, `ratio` (time of a
        cycle divided by what its multiply-accumulates take at the roof), and `operators`, the
        profile of a cycle.

    """
    files = {name: resolve_model(name).read_bytes() for name in ('fp32', 'int8')}
    models = {**files, 'int8_in_the_node': for_cpu(files['int8']) or files['int8']}
    cycles = {name: _Runner(model) for name, model in models.items()}
    large = {
        (precision, size): _Runner(convolution(*size, precision == 'int8'))
        for precision in files
        for size in LARGE
    }
    times: dict[Any, list[float]] = {key: [] for key in (*cycles, *large)}
    for _ in range(rounds):
        for key, runner in (*cycles.items(), *large.items()):
            times[key].append(runner.run())
    found = {}
    for name, model in models.items():
        precision = 'fp32' if name == 'fp32' else 'int8'
        rates = [
            channels**2 * 9 * side**2 / min(times[precision, (channels, side)]) / 1e9
            for channels, side in LARGE
        ]
        # The arithmetic of the file as it is shipped: what a rewriting adds does not count as work.
        gmac = sum(macs_by_shape(files[precision]).values()) / 1e9
        cycle_s, at_roof_s = min(times[name]), gmac / max(rates)
        found[name] = {
            'roof_gmacs': round(max(rates), 1),
            'roofs_gmacs': {
                f'{c} channels, {s} px': round(r, 1) for (c, s), r in zip(LARGE, rates)
            },
            'gmac': round(gmac, 3),
            'cycle_ms': round(cycle_s * 1e3, 2),
            'at_roof_ms': round(at_roof_s * 1e3, 2),
            'ratio': round(cycle_s / at_roof_s, 2),
            'operators': profile(model, max(rates), max(10, rounds)),
        }
    return found


class _Runner:
    """A session of one thread with random input."""

    def __init__(self, model: bytes, profile_prefix: str = '') -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        if profile_prefix:
            options.enable_profiling = True
            options.profile_file_prefix = profile_prefix
        self.session = ort.InferenceSession(model, options, providers=['CPUExecutionProvider'])
        given = self.session.get_inputs()[0]
        rng = np.random.default_rng(1)
        values = rng.integers(0, 256, given.shape)
        floats = given.type == 'tensor(float)'
        self._feed = {
            given.name: values.astype(np.float32) / 255 if floats else values.astype('u1')
        }
        self.run()

    def run(self) -> float:
        """Run once and return the seconds of CPU time of this thread, which does all the work."""
        start = time.thread_time()
        self.session.run(None, self._feed)
        return time.thread_time() - start


def profile(model: bytes, roof_gmacs: float, rounds: int) -> list[dict[str, Any]]:
    """Return where a cycle's time goes: one row for each kind of operator and output shape.

    Args:
        model: Model.
        roof_gmacs: Rate of the roof in 10^9 multiply-accumulates a second.
        rounds: Runs that are profiled; the fastest of each operator counts.

    Returns:
        Rows, the most time first: `operator`, `shape` of the output, `count`, `ms` a cycle, and for
        convolutions `gmac` and `over_roof` (time divided by what the roof would take).

    """
    macs = macs_by_shape(model)
    with tempfile.TemporaryDirectory() as folder:
        runner = _Runner(model, str(Path(folder) / 'profile'))
        for _ in range(rounds):
            runner.run()
        events = json.loads(Path(runner.session.end_profiling()).read_text())
    fastest: dict[str, tuple[float, str, Shape]] = {}
    for event in events:
        if event.get('cat') != 'Node' or not event['name'].endswith('_kernel_time'):
            continue
        told = event['args']
        shape = tuple(next(iter(told['output_type_shape'][0].values())))
        # Names can be empty or repeated; the index of a node cannot.
        name = told.get('node_index') or event['name']
        known = fastest.get(name)
        if known is None or event['dur'] < known[0]:
            fastest[name] = (float(event['dur']), told['op_name'], shape)
    rows: dict[tuple[str, Shape], dict[str, Any]] = {}
    for us, operator, shape in fastest.values():
        text = ' x '.join(map(str, shape))
        row = rows.setdefault(
            (operator, shape), {'operator': operator, 'shape': text, 'count': 0, 'ms': 0.0}
        )
        row['count'] += 1
        row['ms'] += us / 1e3
    for (operator, shape), row in rows.items():
        work = macs.get(tuple(sorted(shape)), 0) if 'Conv' in operator else 0
        if work:
            row['gmac'] = round(work / 1e9, 4)
            row['over_roof'] = round(row['ms'] / (work / 1e6 / roof_gmacs), 2)
        row['ms'] = round(row['ms'], 3)
    return sorted(rows.values(), key=lambda row: -float(row['ms']))
