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

"""INT8 in QDQ form: unsigned activations, signed weights by channel, bytes at either end.

Unsigned activations with signed weights are what ONNX Runtime's x86 kernels are fastest
with; NPU compilers read the same QuantizeLinear / DequantizeLinear nodes. Weights are as large as
x86-64 CPUs without VNNI allow (`training.export.pair_sums`).
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from tqdm import tqdm

from training.export.carried import PIXEL_STEP
from training.export.compensation import round_weights
from training.export.fp32 import INPUT, OUTPUT, unit_range
from training.export.prepare import matrix_weights, prepare


@dataclass(frozen=True)
class Calibration:
    """How the ranges of the activations are found.

    Attributes:
        method: Calibration method of ONNX Runtime.
        percentile: Share of the values, in percent, that the range has to hold, on either
            side; of the method Percentile only.

    """

    method: CalibrationMethod
    percentile: float | None = None


#: By name, the methods that the export can compare. A percentile below these cut off
#: highlights by up to 54 levels when it was tried.
METHODS: dict[str, Calibration] = {
    'minmax': Calibration(CalibrationMethod.MinMax),
    'percentile_99.9999': Calibration(CalibrationMethod.Percentile, 99.9999),
    'percentile_99.999': Calibration(CalibrationMethod.Percentile, 99.999),
    'entropy': Calibration(CalibrationMethod.Entropy),
}

#: Cycles that calibrate: further ones see the output of earlier ones, as at run time.
CYCLES = 3


class _CalibrationFaces(CalibrationDataReader):  # type: ignore[misc]
    """Faces as planes, those of one face's cycles after each other (ONNX Runtime's protocol)."""

    def __init__(self, planes: Sequence[NDArray[np.uint8]]) -> None:
        self._planes = planes
        self._next, self._end = 0, len(planes)

    def __len__(self) -> int:
        return len(self._planes)

    def set_range(self, start_index: int, end_index: int) -> None:
        self._next, self._end = start_index, end_index

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        if self._next >= self._end:
            return None
        planes = self._planes[self._next]
        self._next += 1
        return {INPUT: unit_range(planes)}


def chains_of(
    float_model: Path, faces: Sequence[NDArray[np.uint8]], colour: str
) -> NDArray[np.uint8]:
    """Return what a float model makes of some faces in its first `CYCLES` cycles.

    Args:
        float_model: Path of the float32 model, (1, 3, N, N) in 0..1; it need not clip.
        faces: Faces, (N, N, 3) uint8 BGR each.
        colour: Order of the channels that the model takes, 'BGR' or 'RGB'.

    Returns:
        (F, 1 + CYCLES, 3, N, N) uint8 in the model's order: each face, then its cycles, of which
        each is computed from the one before.

    """
    session = ort.InferenceSession(str(float_model), providers=['CPUExecutionProvider'])
    chains = []
    for face in tqdm(faces, desc='cycles of the float model', unit='face', leave=False):
        image = face if colour == 'BGR' else face[..., ::-1]
        chain = [np.ascontiguousarray(image.transpose(2, 0, 1))]
        for _ in range(CYCLES):
            restored = session.run([OUTPUT], {INPUT: unit_range(chain[-1][None])})[0][0]
            chain.append(np.rint(np.clip(restored, 0.0, 1.0) * 255.0).astype(np.uint8))
        chains.append(np.stack(chain))
    return np.stack(chains)


def calibration_inputs(
    float_model: Path, faces: Sequence[NDArray[np.uint8]], colour: str
) -> list[NDArray[np.uint8]]:
    """Return what the model sees of some faces in its first `CYCLES` cycles.

    Args:
        float_model: Path of the float32 model, as for `chains_of`.
        faces: Faces, (N, N, 3) uint8 BGR each.
        colour: Order of the channels that the model takes, 'BGR' or 'RGB'.

    Returns:
        (1, 3, N, N) uint8 in the model's order, `CYCLES` of each face.

    """
    chains = chains_of(float_model, faces, colour)
    return [planes[None] for chain in chains for planes in chain[:CYCLES]]


def quantise(
    float_model: Path,
    inputs: Sequence[NDArray[np.uint8]],
    calibration: Calibration,
    carrying: Sequence[str] = (),
    in_turn: bool = True,
) -> onnx.ModelProto:
    """Quantise a model between float planes.

    Args:
        float_model: Path of the float32 model, (1, 3, N, N) in 0..1, without a clip: the last
            QuantizeLinear limits the output to 0..1.
        inputs: Inputs to calibrate with, as `calibration_inputs` returns them.
        calibration: Way to find the ranges.
        carrying: Names of the tensors that carry the picture, as `equalise` returns them.
        in_turn: Whether each weight's rounding error is made good by the next ones, see
            `compensation`; otherwise each is rounded to the nearest level.

    Returns:
        The QDQ graph, float32 (1, 3, N, N) at either end; no pair of products leaves 16 bits.

    """
    # An image of 256 levels, as at both ends: the scale is known, not calibrated.
    image = [{'scale': np.array(PIXEL_STEP, np.float32), 'zero_point': np.array(0, np.uint8)}]
    overrides: dict[str, Any] = dict.fromkeys((INPUT, OUTPUT, *carrying), image)
    options: dict[str, Any] = {
        # The histogram methods keep every activation of so many inputs in memory.
        'CalibStridedMinMax': CYCLES,
        'TensorQuantOverrides': overrides,
    }
    if calibration.percentile is not None:
        options['CalibPercentile'] = calibration.percentile
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / 'prepared.onnx'
        quantised = Path(folder) / 'quantised.onnx'
        floats = prepare(float_model, prepared)
        for name, axis in matrix_weights(floats.graph).items():
            # Of 7 bits, which no pair of products overflows; those of convolutions come later.
            overrides[name] = [{'axis': axis, 'reduce_range': True}]
        with _quiet():
            quantize_static(
                str(prepared),
                str(quantised),
                _CalibrationFaces(inputs),
                quant_format=QuantFormat.QDQ,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                per_channel=True,
                calibrate_method=calibration.method,
                extra_options=options,
            )
        model = onnx.load(str(quantised))
    round_weights(model, floats, inputs if in_turn else ())
    return model


def write_quantised(model: onnx.ModelProto, path: Path, as_bytes: bool) -> None:
    """Write a quantised model as a file.

    Args:
        model: Graph that `quantise` returned; it is left as it is.
        path: Path of the file to write.
        as_bytes: Whether the file takes and gives (1, N, N, 3) uint8 instead of float32 planes.

    """
    written = onnx.ModelProto()
    written.CopyFrom(model)
    if as_bytes:
        bytes_at_the_ends(written)
    onnx.checker.check_model(written, full_check=True)
    onnx.save(written, str(path))


@contextlib.contextmanager
def _quiet() -> Any:
    """Keep the calibrators' lines for every batch off the screen."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(level)


def bytes_at_the_ends(model: onnx.ModelProto) -> None:
    """Make a quantised model take and give pixels as bytes, in place.

    The float input and its QuantizeLinear become a uint8 input of (1, N, N, 3), and the
    last DequantizeLinear and the float output a uint8 output. What was rounding and
    clipping there is done by the QuantizeLinear of the last operator, which ONNX Runtime
    fuses with it. Its kernels take the channels last, so that the two Transposes cancel
    against its own: the graph that runs has not one operator more.

    Args:
        model: QDQ, from `INPUT` to `OUTPUT`, both float32 (1, 3, N, N), of scale 1/255.

    Raises:
        ValueError: the input is not quantised.

    """
    graph = model.graph
    first = [n for n in graph.node if n.op_type == 'QuantizeLinear' and n.input[0] == INPUT]
    readers = [n for n in graph.node if INPUT in n.input]
    if len(first) != 1 or len(readers) != 1:
        raise ValueError(
            f'the input is read by {[n.op_type for n in readers]}, not by one QuantizeLinear '
            'alone; export with --io float'
        )
    begin = first[0]
    scale, zero = begin.input[1], begin.input[2]
    graph.node.remove(begin)
    graph.node.insert(
        0,
        helper.make_node(
            'Transpose', [INPUT], [begin.output[0]], name='pixels_to_planes', perm=[0, 3, 1, 2]
        ),
    )
    end = next(n for n in graph.node if OUTPUT in n.output)
    if end.op_type == 'DequantizeLinear':
        levels = end.input[0]
        graph.node.remove(end)
    else:
        # An operator that was left in float.
        end.output[list(end.output).index(OUTPUT)] = f'{OUTPUT}_float'
        levels = f'{OUTPUT}_levels'
        graph.node.append(
            helper.make_node(
                'QuantizeLinear', [f'{OUTPUT}_float', scale, zero], [levels], name='to_levels'
            )
        )
    graph.node.append(
        helper.make_node(
            'Transpose', [levels], [OUTPUT], name='planes_to_pixels', perm=[0, 2, 3, 1]
        )
    )
    for value in (graph.input[0], graph.output[0]):
        _, _, height, width = (d.dim_value for d in value.type.tensor_type.shape.dim)
        name = value.name
        value.CopyFrom(
            helper.make_tensor_value_info(name, TensorProto.UINT8, [1, height, width, 3])
        )
