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

"""An INT8 file gives the same bytes on an emulated CPU without VNNI.

And that CPU adds the products of the pairs that `test_integer_sums.py` adds, of no others.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from cfrnet_ros.vision.engine.golden import load_golden
from cfrnet_ros.vision.engine.model_card import load_card
from cfrnet_ros.vision.engine.models import resolve_model

QEMU = shutil.which('qemu-x86_64')

#: Intel's Haswell of 2013 has AVX2 and neither AVX-512 nor VNNI.
CPU = 'Haswell'

#: Program that runs on the emulated CPU. The wheels of ROS 2 restart Python when `site` is loaded,
#: which would leave the emulation.
SCRIPT = """
import sys
import numpy as np
import onnxruntime as ort
options = ort.SessionOptions()
options.intra_op_num_threads = 1
session = ort.InferenceSession(sys.argv[1], options, providers=['CPUExecutionProvider'])
np.save(sys.argv[3], session.run(None, {session.get_inputs()[0].name: np.load(sys.argv[2])})[0])
"""


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(QEMU is None, reason='needs qemu-x86_64 (Debian: apt install qemu-user)'),
    pytest.mark.skipif(platform.machine() != 'x86_64', reason='compares two kinds of x86-64 CPU'),
]


def emulated(model: Path, given: NDArray[np.uint8], folder: Path) -> NDArray[np.uint8]:
    """Return what a model makes of an input on an emulated CPU without VNNI."""
    paths = (model, folder / 'given.npy', folder / 'found.npy')
    np.save(paths[1], given)
    subprocess.run(
        [QEMU or '', '-cpu', CPU, str(Path(sys.executable).resolve()), '-S', '-c', SCRIPT]
        + [str(path) for path in paths],
        env={**os.environ, 'PYTHONPATH': str(Path(np.__file__).parents[1])},
        check=True,
        timeout=900,
        capture_output=True,
    )
    found: NDArray[np.uint8] = np.load(paths[2])
    return found


@pytest.mark.parametrize('name', ['int8', 'plain_int8'])
def test_an_emulated_cpu_without_vnni_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    model = resolve_model(name)
    golden = load_golden(load_card(model))
    assert golden is not None
    session = ort.InferenceSession(str(model), providers=['CPUExecutionProvider'])
    here = session.run(None, {session.get_inputs()[0].name: golden.crop[None]})[0]
    assert np.array_equal(emulated(model, golden.crop[None], tmp_path), here)


def two_taps(path: Path, inputs: int, outputs: int) -> Path:
    """Write a 3x3 convolution with two weights of 127 in each output, on white of 255.

    Output o has them at the places o % (places - 1) and the next one, in the order of row,
    column and input channel.
    """
    taps = np.zeros((outputs, 9 * inputs), np.int8)
    for output in range(outputs):
        first = output % (9 * inputs - 1)
        taps[output, first : first + 2] = 127
    weights = taps.reshape(outputs, 3, 3, inputs).transpose(0, 3, 1, 2)
    constants = {
        'step': np.array(1 / 255, np.float32),
        'zero': np.array(0, np.uint8),
        'weights': np.ascontiguousarray(weights),
        'weight_steps': np.full(outputs, 1 / 254, np.float32),
        'weight_zeros': np.zeros(outputs, np.int8),
    }
    nodes = [
        helper.make_node('DequantizeLinear', ['levels', 'step', 'zero'], ['x']),
        helper.make_node(
            'DequantizeLinear', ['weights', 'weight_steps', 'weight_zeros'], ['w'], axis=0
        ),
        helper.make_node('Conv', ['x', 'w'], ['y'], kernel_shape=[3, 3]),
        helper.make_node('QuantizeLinear', ['y', 'step', 'zero'], ['out']),
    ]
    graph = helper.make_graph(
        nodes,
        'two_taps',
        [helper.make_tensor_value_info('levels', TensorProto.UINT8, [1, inputs, 8, 8])],
        [helper.make_tensor_value_info('out', TensorProto.UINT8, [1, outputs, 6, 6])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=10)
    onnx.save(model, str(path))
    return path


@pytest.mark.parametrize(
    ('inputs', 'outputs'), [(128, 128), (48, 32), (16, 3), (3, 48)], ids=lambda n: str(n)
)
def test_the_kernels_add_pairs_of_neighbours_from_the_first(
    inputs: int, outputs: int, tmp_path: Path
) -> None:
    """The shapes take each way that ONNX Runtime has for the shipped convolutions."""
    model = two_taps(tmp_path / 'two_taps.onnx', inputs, outputs)
    white = np.full((1, inputs, 8, 8), 255, np.uint8)
    found = emulated(model, white, tmp_path)[0, :, 0, 0]
    # Two products of 127 * 255 are 255 in the output; limited to 16 bits they are 129.
    first = np.arange(outputs) % (9 * inputs - 1)
    expected = np.where(first % 2 == 0, round((2**15 - 1) / 254), 255)
    assert found.tolist() == expected.tolist()
