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

"""The other systems' networks: size, shape, export, and what makes each of them that system."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')
onnx = pytest.importorskip('onnx', reason='training needs onnx: make test-training')

from torch import Tensor  # noqa: E402

from training.data.crops import SIZE  # noqa: E402
from training.export.camera_format import FloatPlanes  # noqa: E402
from training.export.fp32 import check_against_pytorch, write_onnx  # noqa: E402
from training.networks.build import count_parameters  # noqa: E402
from training.networks.parts import Restorer  # noqa: E402
from training.networks.systems.autoencoder import Codebook  # noqa: E402
from training.networks.systems.build import NETWORKS, build_system, parts_of  # noqa: E402
from training.networks.systems.codeformer import CodeFormer  # noqa: E402
from training.networks.systems.gfpgan import GFPGAN, ModulatedConvolution  # noqa: E402
from training.networks.systems.hifacegan import ContentAdaptiveConvolution  # noqa: E402
from training.networks.systems.osdface import OSDFace, signal_share  # noqa: E402

OTHERS = ('hifacegan', 'gfpgan', 'codeformer', 'osdface', 'facefusion', 'cfrnet_attention')


def made(name: str) -> Restorer:
    torch.manual_seed(0)
    return build_system(name).eval()


def face(seed: int = 0, size: int = SIZE) -> Tensor:
    return torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize('name', OTHERS)
def test_every_system_has_about_two_million_parameters(name: str) -> None:
    network = made(name)
    assert count_parameters(network) == pytest.approx(2.0e6, rel=0.06)
    assert sum(parts_of(network).values()) == count_parameters(network)


@pytest.mark.parametrize('name', OTHERS)
def test_a_system_maps_faces_to_faces_and_clips_them(name: str) -> None:
    network = made(name)
    with torch.no_grad():
        free, clipped = network(face(), clip=False), network(face())
    assert free.shape == (1, 3, SIZE, SIZE)
    assert free.dtype == torch.float32
    assert torch.equal(clipped, free.clamp(0.0, 1.0))


@pytest.mark.parametrize('name', OTHERS)
def test_a_system_is_exported_to_a_static_graph(name: str, tmp_path: Path) -> None:
    network, path = made(name), tmp_path / f'{name}.onnx'
    write_onnx(FloatPlanes(network, clip=True), torch.zeros(1, 3, SIZE, SIZE), path)
    graph = onnx.load(str(path)).graph
    for value in (*graph.input, *graph.output):
        assert [d.dim_value for d in value.type.tensor_type.shape.dim] == [1, 3, SIZE, SIZE]
    assert not {'If', 'Loop', 'Scan', 'NonZero'} & {node.op_type for node in graph.node}
    picture = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    assert check_against_pytorch(path, network, [picture]) < 1e-4


def test_an_unknown_network_is_named_with_those_that_are_known() -> None:
    with pytest.raises(ValueError, match=r'resnet.*hifacegan'):
        build_system('resnet')
    assert set(OTHERS) < set(NETWORKS)


def test_a_content_adaptive_kernel_ignores_what_does_not_belong() -> None:
    """A mean over 3x3 that is modulated keeps an edge; an ordinary one smears it."""
    adaptive = ContentAdaptiveConvolution(1, embedding=2)
    with torch.no_grad():
        # Dark and light are embedded in two directions: alike is what lies on one side.
        adaptive.embed.weight.copy_(torch.tensor([12.0, -12.0]).view(2, 1, 1, 1))
        adaptive.embed.bias.copy_(torch.tensor([0.0, 12.0]))
        adaptive.kernel.weight.fill_(1.0 / 9.0)
        adaptive.kernel.bias.zero_()
        edge = torch.cat([torch.full((1, 1, 6, 3), 0.1), torch.full((1, 1, 6, 3), 0.9)], dim=3)
        kept = adaptive(edge)[0, 0, 2:4, 2:4]
        smeared = torch.nn.functional.avg_pool2d(edge, 3, 1)[0, 0, 1:3, 1:3]
    assert float((kept - edge[0, 0, 2:4, 2:4]).abs().max()) < 0.05
    assert float((smeared - edge[0, 0, 2:4, 2:4]).abs().min()) > 0.2


def test_a_modulated_convolution_is_that_with_a_scaled_kernel() -> None:
    torch.manual_seed(0)
    layer = ModulatedConvolution(4, 5, 6)
    x, style = torch.randn(2, 4, 8, 8), torch.randn(2, 6)
    with torch.no_grad():
        given = layer(x, style)
        for number, scales in enumerate(layer.modulation(style)):
            kernel = layer.conv.weight * scales[None, :, None, None]
            kernel = kernel / (kernel.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
            wanted = torch.nn.functional.conv2d(x[number], kernel, layer.conv.bias, padding=1)
            assert torch.allclose(given[number], wanted, atol=1e-5)


def test_the_generator_is_steered_by_the_code_and_by_half_of_the_features() -> None:
    network = made('gfpgan')
    assert isinstance(network, GFPGAN)
    with torch.no_grad():
        code, features = network.remove_degradation(face())
        stage, inner = network.generator[0], network.constant
        first = stage.conv1(inner, code)
        a, _ = stage(inner, code, features[0])
        b, _ = stage(inner, code, torch.zeros_like(features[0]))
        c, _ = stage(inner, code * 2.0, features[0])
        restored, pyramid = network.with_pyramid(face())
    assert first.shape[1] == 2 * stage.half
    assert not torch.allclose(a, b)
    assert not torch.allclose(a, c)
    assert [p.shape[-1] for p in pyramid] == [8, 16, 32, 64, 128, 256]
    assert torch.equal(restored, network(face(), clip=False))


def test_tokens_become_their_nearest_codes_and_idle_codes_are_replaced() -> None:
    torch.manual_seed(0)
    book = Codebook(8, 4)
    tokens = book.vectors.detach()[[3, 5]][None] + 0.01
    quantised, indices, loss = book.quantise(tokens)
    assert indices.tolist() == [[3, 5]]
    assert torch.allclose(quantised, book.vectors[[3, 5]][None])
    assert float(loss.detach()) == pytest.approx(1.25 * 1e-4, rel=0.01)
    for _ in range(120):
        book.revive(tokens, torch.tensor([[3, 5]]))
    away = (book.vectors.detach()[:, None] - tokens[0]).norm(dim=-1).min(dim=1).values
    assert float(away.max()) < 0.05


def test_the_nearest_code_is_the_same_under_autocast() -> None:
    torch.manual_seed(0)
    book = Codebook(256, 48)
    # As far apart as bfloat16 does not tell.
    tokens = 20.0 + 0.02 * torch.randn(1, 64, 48)
    with torch.no_grad():
        book.vectors.copy_(20.0 + 0.02 * torch.randn(256, 48))
    wanted = book.nearest(tokens)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(book.nearest(tokens), wanted)


def test_fidelity_decides_how_much_of_the_input_enters_the_decoder() -> None:
    network = made('codeformer')
    assert isinstance(network, CodeFormer)
    faces = []
    with torch.no_grad():
        for fidelity in (0.0, 0.5, 1.0):
            network.fidelity = fidelity
            faces.append(network(face(), clip=False))
    assert not torch.allclose(faces[0], faces[2])
    # Of codes alone the face is the same as that of an input with the same codes.
    with torch.no_grad():
        logits, _, features = network.predict(face())
        codes = network.codebook.look_up(logits.argmax(dim=-1))
        other = [f * 0.0 for f in features]
        assert torch.equal(faces[0], network.decode(codes, other, 0.0))
        assert not torch.allclose(faces[2], network.decode(codes, other, 1.0))


def test_one_step_is_that_of_the_noise_schedule_and_begins_by_changing_nothing() -> None:
    assert signal_share(0) == pytest.approx(1.0 - 0.00085)
    assert signal_share() == pytest.approx(0.426, abs=1e-3)
    network = made('osdface')
    assert isinstance(network, OSDFace)
    with torch.no_grad():
        latent, prompt = network.encoder(face())[0], network.embedder(face())
        for parameter in network.unet.exit.parameters():
            parameter.zero_()
        assert torch.allclose(network.denoise(latent, prompt), latent, atol=1e-5)
        assert prompt.shape == (1, 256, 48)
        # The prompt is made of the dictionary's entries.
        entries = network.embedder.dictionary.vectors
        assert float(torch.cdist(prompt[0], entries).min(dim=1).values.max()) < 1e-2
