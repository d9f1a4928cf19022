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

"""INT8 of graphs that are unlike CFRNet's: normalisation, attention, codes, computed scales."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from training.export.fp32 import INPUT, OUTPUT, write_onnx  # noqa: E402
from training.export.pair_sums import LARGEST_UNPAIRED  # noqa: E402
from training.export.prepare import matrix_weights, prepare  # noqa: E402
from training.export.quantise import METHODS, quantise, write_quantised  # noqa: E402
from training.networks.systems.autoencoder import Codebook, Decoder, Encoder  # noqa: E402
from training.networks.systems.blocks import (  # noqa: E402
    ChannelSpatialAttention,
    features_of,
    tokens_of,
)
from training.networks.systems.codeformer import Layer  # noqa: E402
from training.networks.systems.gfpgan import GeneratorStage  # noqa: E402
from training.networks.systems.osdface import WIDTH, PromptedBlock  # noqa: E402

SIDE = 32
WIDTHS = (8, 16)


class SmallGenerator(nn.Module):
    """GFPGAN's parts: scales from a matrix product, a bias behind a modulated convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.steer = nn.Linear(8, 12)
        self.stage = GeneratorStage(8, 8, 12, 8)

    def forward(self, face: Tensor) -> Tensor:
        features = F.leaky_relu(self.stem(face * 2.0 - 1.0), 0.2)
        code = self.steer(features.mean(dim=(2, 3)))
        return face + 0.2 * self.stage(features, code, features)[1]


class SmallTransformer(nn.Module):
    """CodeFormer's parts: group normalisation, attention, a look-up of the likeliest code."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = Encoder((8, 8, 16), 16), Decoder(16, (8, 8, 16))
        self.places = nn.Parameter(torch.randn(16, 16) * 0.02)
        self.layer = Layer(16, 4)
        self.codebook = Codebook(8, 16)

    def forward(self, face: Tensor) -> Tensor:
        tokens = self.layer(tokens_of(self.encoder(face)[0]), self.places)
        codes = self.codebook.look_up(tokens[..., :8].argmax(dim=-1))
        return face + 0.1 * self.decoder(features_of(codes, 4) + features_of(tokens, 4))


class SmallDenoiser(nn.Module):
    """OSDFace's parts: the nearest entries of a dictionary, attention to them."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = Encoder(WIDTHS, 8), Decoder(8, WIDTHS)
        self.embedder, self.dictionary = Encoder((8, 8), WIDTH), Codebook(8, WIDTH)
        self.block, self.exit = PromptedBlock(8, 8), nn.Conv2d(8, 8, 1)

    def forward(self, face: Tensor) -> Tensor:
        tokens = tokens_of(self.embedder(face)[0])
        prompt = self.dictionary.look_up(self.dictionary.nearest(tokens))
        latent = self.encoder(face)[0]
        noise = self.exit(self.block(latent, prompt))
        return face + 0.1 * self.decoder((latent - 0.3 * noise) / 0.9)


class SmallAttention(nn.Module):
    """FaceFusion's parts: depthwise convolutions, weights of places with equal biases."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)
        self.deep = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.first, self.second = ChannelSpatialAttention(8), ChannelSpatialAttention(8)

    def forward(self, face: Tensor) -> Tensor:
        features = self.first(F.relu(self.stem(face)))
        return face + 0.2 * self.head(self.second(features + self.deep(features)))


SYSTEMS = (SmallGenerator, SmallTransformer, SmallDenoiser, SmallAttention)


@pytest.fixture(scope='module')
def pictures() -> list[NDArray[np.uint8]]:
    """Return smooth inputs, (1, 3, N, N) uint8."""
    rng = np.random.default_rng(4)
    coarse = rng.uniform(40, 220, (3, 1, 3, 4, 4))
    fine = np.kron(coarse, np.ones((8, 8))) + rng.normal(0, 6, (3, 1, 3, SIDE, SIDE))
    return [planes.clip(0, 255).astype(np.uint8) for planes in fine]


def run(model: onnx.ModelProto | Path, planes: NDArray[np.uint8]) -> NDArray[np.float32]:
    source = str(model) if isinstance(model, Path) else model.SerializeToString()
    session = ort.InferenceSession(source, providers=['CPUExecutionProvider'])
    given = planes.astype(np.float32) / np.float32(255.0)
    output: NDArray[np.float32] = session.run([OUTPUT], {INPUT: given})[0]
    return output


@pytest.mark.parametrize('system', SYSTEMS)
def test_every_kind_of_graph_is_quantised(
    system: type[nn.Module], pictures: list[NDArray[np.uint8]], tmp_path: Path
) -> None:
    torch.manual_seed(3)
    floats = tmp_path / 'floats.onnx'
    write_onnx(system().eval(), torch.zeros(1, 3, SIDE, SIDE), floats)
    model = quantise(floats, pictures, METHODS['minmax'])
    # Checks the shapes of every tensor.
    write_quantised(model, tmp_path / 'int8.onnx', as_bytes=False)
    convolutions = [node for node in model.graph.node if node.op_type == 'Conv']
    levels = {t.name for t in model.graph.initializer if t.data_type == TensorProto.INT8}
    made = {node.output[0]: node for node in model.graph.node}
    assert all(made[node.input[1]].input[0] in levels for node in convolutions)
    for planes in pictures:
        wanted = run(floats, planes).clip(0, 1)
        error = np.square(run(model, planes) - wanted).mean()
        assert 10 * np.log10(1 / error) > 32


def static_graph(nodes: list[onnx.NodeProto], constants: dict[str, NDArray[np.float32]]) -> Path:
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 8, 8])
        for name in (INPUT, OUTPUT)
    ]
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, 'test', values[:1], values[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=10)


def test_a_shared_bias_is_not_mistaken_for_another_tensor(tmp_path: Path) -> None:
    """ONNX Runtime would call the copy of `b` for the second operator `b0`."""
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node('InstanceNormalization', [INPUT, 'g', 'b'], ['x']),
        helper.make_node('Add', ['x', INPUT], ['b0']),
        helper.make_node('InstanceNormalization', ['b0', 'g', 'b'], ['y']),
        helper.make_node('Add', ['y', 'b0'], ['z']),
        helper.make_node('Mul', ['z', 's'], [OUTPUT]),
    ]
    constants = {
        'g': np.array([0.2, 0.3, 0.4], np.float32),
        'b': np.array([0.5, 0.4, 0.3], np.float32),
        's': np.array(0.3, np.float32),
    }
    path = tmp_path / 'shared.onnx'
    onnx.save(static_graph(nodes, constants), str(path))
    inputs = [rng.integers(0, 256, (1, 3, 8, 8), np.uint8) for _ in range(3)]
    model = quantise(path, inputs, METHODS['minmax'])
    write_quantised(model, tmp_path / 'int8.onnx', as_bytes=False)
    wanted = run(path, inputs[0]).clip(0, 1)
    assert np.abs(run(model, inputs[0]) - wanted).max() < 0.03


@pytest.mark.parametrize('system', [SmallGenerator, SmallTransformer])
def test_prepared_graphs_compute_the_same(
    system: type[nn.Module], pictures: list[NDArray[np.uint8]], tmp_path: Path
) -> None:
    torch.manual_seed(3)
    floats, prepared = tmp_path / 'floats.onnx', tmp_path / 'prepared.onnx'
    write_onnx(system().eval(), torch.zeros(1, 3, SIDE, SIDE), floats)
    graph = prepare(floats, prepared).graph
    assert run(prepared, pictures[0]) == pytest.approx(run(floats, pictures[0]), abs=1e-5)
    constants = {tensor.name for tensor in graph.initializer}
    # Subtracted constants are added, and divisors multiply.
    replaced = [node for node in graph.node if node.op_type in ('Sub', 'Div')]
    assert not [node for node in replaced if node.input[1] in constants]
    nodes = [node for node in graph.node if node.op_type != 'Resize']
    read = [name for node in nodes for name in node.input if name in constants]
    floating = {t.name for t in graph.initializer if t.data_type == TensorProto.FLOAT}
    assert all(read.count(name) == 1 for name in floating & set(read))


def test_no_pair_of_a_matrix_products_weights_overflows(
    pictures: list[NDArray[np.uint8]], tmp_path: Path
) -> None:
    torch.manual_seed(3)
    floats = tmp_path / 'floats.onnx'
    write_onnx(SmallTransformer().eval(), torch.zeros(1, 3, SIDE, SIDE), floats)
    weights = matrix_weights(prepare(floats, tmp_path / 'prepared.onnx').graph)
    # Query, key, value and output of the attention, and both of the layer behind.
    assert len(weights) == 6
    model = quantise(floats, pictures, METHODS['minmax'])
    levels = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    for name, axis in weights.items():
        found = np.abs(levels[f'{name}_quantized'].astype(int))
        assert found.max() <= LARGEST_UNPAIRED
        # Each output has a step of its own.
        assert found.max(axis=1 - axis) == pytest.approx(LARGEST_UNPAIRED, abs=1)
