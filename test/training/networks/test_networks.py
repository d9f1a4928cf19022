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

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')
onnx = pytest.importorskip('onnx', reason='training needs onnx: make test-training')

from torch import Tensor, nn  # noqa: E402

from training.data.crops import SIZE  # noqa: E402
from training.export.camera_format import FloatPlanes, fold  # noqa: E402
from training.export.fp32 import check_against_pytorch, write_onnx  # noqa: E402
from training.losses.ccfp import ActivationRange  # noqa: E402
from training.networks.build import build_network, count_macs, count_parameters  # noqa: E402
from training.networks.config import LAYOUTS, NetworkConfig  # noqa: E402
from training.networks.encoder_decoder import CFRNet  # noqa: E402
from training.networks.parts import Restorer  # noqa: E402
from training.networks.plain import PositionMask  # noqa: E402

#: What the compilers of NPUs map: nearest upsampling is Resize, its sizes are Constants.
ALLOWED = {'Conv', 'Relu', 'Add', 'Resize', 'Clip', 'Constant'}


def made(layout: str) -> Restorer:
    torch.manual_seed(0)
    return build_network(NetworkConfig(layout=layout)).eval()


@pytest.fixture(scope='module')
def graphs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp('graphs')
    paths = {}
    for layout in LAYOUTS:
        paths[layout] = folder / f'{layout}.onnx'
        write_onnx(
            FloatPlanes(made(layout), clip=True), torch.zeros(1, 3, SIZE, SIZE), paths[layout]
        )
    return paths


@pytest.mark.parametrize('layout', LAYOUTS)
def test_every_layout_has_two_million_parameters(layout: str) -> None:
    assert count_parameters(made(layout)) == pytest.approx(2.0e6, rel=0.05)


def test_no_two_layouts_cost_the_same() -> None:
    macs = [count_macs(made(layout)) for layout in LAYOUTS]
    assert len(set(macs)) == len(LAYOUTS)
    assert min(macs) > 1e9
    assert max(macs) < 15e9


@pytest.mark.parametrize('layout', LAYOUTS)
def test_the_exported_graph_has_only_operators_that_npus_map(
    layout: str, graphs: dict[str, Path]
) -> None:
    graph = onnx.load(str(graphs[layout])).graph
    assert {node.op_type for node in graph.node} <= ALLOWED
    for node in graph.node:
        if node.op_type == 'Resize':
            modes = [a.s.decode() for a in node.attribute if a.name == 'mode']
            assert modes == ['nearest']
    sides = [d.dim_value for d in graph.output[0].type.tensor_type.shape.dim]
    assert sides == [1, 3, SIZE, SIZE]


@pytest.mark.parametrize('layout', LAYOUTS)
def test_onnx_runtime_agrees_with_pytorch(layout: str, graphs: dict[str, Path]) -> None:
    face = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    assert check_against_pytorch(graphs[layout], made(layout), [face]) < 1e-4


def test_the_plain_network_is_one_chain(graphs: dict[str, Path]) -> None:
    graph = onnx.load(str(graphs['plain'])).graph
    weights = {tensor.name for tensor in graph.initializer}
    current = graph.input[0].name
    for node in graph.node:
        if node.op_type == 'Constant':
            weights.update(node.output)
            continue
        # Its additions are of constants: nothing is kept for later.
        assert [name for name in node.input if name and name not in weights] == [current]
        (current,) = node.output
    assert current == graph.output[0].name
    residual = onnx.load(str(graphs['encoder_decoder'])).graph
    held = {tensor.name for tensor in residual.initializer}
    sums = [node for node in residual.node if node.op_type == 'Add']
    assert sums
    assert not any(name in held for node in sums for name in node.input)


@pytest.mark.parametrize('layout', LAYOUTS)
def test_the_output_has_the_input_s_shape_and_only_the_clipped_one_its_range(layout: str) -> None:
    network = made(layout)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.5)
        face = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(1))
        free, clipped = network(face, clip=False), network(face)
    assert free.shape == clipped.shape == face.shape
    assert free.dtype == torch.float32
    assert torch.equal(clipped, free.clamp(0.0, 1.0))
    assert not torch.equal(clipped, free)


@pytest.mark.parametrize('layout', LAYOUTS)
def test_layouts_begin_next_to_the_identity(layout: str) -> None:
    face = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert float((made(layout)(face, clip=False) - face).abs().max()) < 0.1


def test_what_the_plain_network_shows_depends_on_what_it_is_given() -> None:
    network = made('plain')
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        dark = network(0.2 * torch.rand(1, 3, 64, 64, generator=generator), clip=False)
        light = network(0.8 + 0.2 * torch.rand(1, 3, 64, 64, generator=generator), clip=False)
    # Nothing dies or explodes on the way through the eighteen convolutions.
    assert 0.05 < float((dark - light).abs().mean()) < 5.0


def test_training_leaves_the_plain_network_s_way_through_for_the_face_as_it_was() -> None:
    """What it learns is in what its last convolution adds; without that the face comes out."""
    trained = made('plain').to(memory_format=torch.channels_last)
    # A run that goes on reads its weights anew, and has to hold them just as well.
    trained.load_state_dict({k: v.clone() for k, v in trained.state_dict().items()})
    before = {name: value.detach().clone() for name, value in trained.named_parameters()}
    generator = torch.Generator().manual_seed(1)
    face = torch.rand(1, 3, 32, 32, generator=generator)
    optimiser = torch.optim.Adam(trained.parameters(), lr=1e-2)
    for _ in range(3):
        optimiser.zero_grad()
        (trained(face, clip=False) - 0.5).square().mean().backward()
        optimiser.step()
    for name, parameter in trained.named_parameters():
        assert not torch.equal(parameter, before[name]), name
    with torch.no_grad():
        assert not torch.allclose(trained(face), face, atol=0.01)
        trained.head.weight[:, 3:] = 0.0
        trained.head.bias.zero_()
        assert torch.allclose(trained(face), face, atol=1e-6)


def test_each_pixel_of_a_block_has_channels_of_its_own_behind_the_mask() -> None:
    mask = PositionMask(8, 6)
    value = torch.arange(1.0, 9.0).view(1, 8, 1, 1) / 4
    shown = mask(value.expand(1, 8, 4, 6))
    for row, column in itertools.product(range(4), range(6)):
        group = 2 * (row % 2) + column % 2
        wanted = torch.zeros(8)
        wanted[2 * group : 2 * group + 2] = value[0, 2 * group : 2 * group + 2, 0, 0]
        assert torch.equal(shown[0, :, row, column], wanted)


@pytest.mark.parametrize('layout', LAYOUTS)
def test_every_weight_of_every_layout_gets_a_gradient(layout: str) -> None:
    network = made(layout)
    ranges = ActivationRange(network, network.stages, 0.0)
    network(torch.rand(1, 3, 32, 32), clip=False).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().max()) > 0.0, name
    assert float(ranges.take().detach()) > 0.0


@pytest.mark.parametrize('layout', LAYOUTS)
def test_colour_order_and_range_fold_into_every_layout(layout: str) -> None:
    # fold() itself compares the results, and raises.
    assert isinstance(fold(made(layout), 255.0, 32), nn.Module)


def test_the_encoder_decoder_reads_the_checkpoints_of_earlier_versions() -> None:
    stages = {'encode2': 1, 'encode4': 2, 'body': 5, 'decode4': 2, 'decode2': 1}
    single = ['stem', 'down2', 'down4', 'down8', 'up4', 'up2', 'up1', 'refine', 'head']
    modules = single + [
        f'{stage}.{block}.{conv}'
        for stage, blocks in stages.items()
        for block in range(blocks)
        for conv in ('conv1', 'conv2')
    ]
    wanted = {f'{module}.{kind}' for module in modules for kind in ('weight', 'bias')}
    assert set(CFRNet().state_dict()) == wanted
    shape: Tensor = CFRNet().state_dict()['body.0.conv1.weight']
    assert shape.shape == (128, 128, 3, 3)
    assert NetworkConfig() == NetworkConfig(
        widths=(16, 32, 64, 128), blocks_s2=1, blocks_s4=2, body_blocks=5
    )


def test_an_unknown_layout_and_sizes_that_do_not_apply_are_named() -> None:
    with pytest.raises(ValueError, match=r'stride5.*stride4'):
        NetworkConfig(layout='stride5')
    with pytest.raises(ValueError, match='body_blocks'):
        NetworkConfig(layout='stride4', body_blocks=3)
