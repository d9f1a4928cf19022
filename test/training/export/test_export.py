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

"""Export: camera bytes in and out, the same face as PyTorch gives, in either precision."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from torch import nn  # noqa: E402

from cfrnet_ros.vision.engine.model_card import load_card  # noqa: E402
from cfrnet_ros.vision.engine.providers import choose_providers  # noqa: E402
from cfrnet_ros.vision.preprocessing.colour_noise import prepare_face  # noqa: E402
from cfrnet_ros.vision.restoration.restorer import Restorer  # noqa: E402
from cfrnet_ros.vision.restoration.self_test import run_self_test  # noqa: E402
from training.critics.perceptual import weights_folder  # noqa: E402
from training.data.crops import prepare, to_image, to_tensor  # noqa: E402
from training.export.camera_format import BytePixels, FloatPlanes, fold  # noqa: E402
from training.export.equalise import best_factors, equalise  # noqa: E402
from training.export.faces import degraded_faces  # noqa: E402
from training.export.fp32 import INPUT, OUTPUT, check_against_pytorch, write_onnx  # noqa: E402
from training.export.int8 import choose  # noqa: E402
from training.export.learning import Learning, energy_error, learn  # noqa: E402
from training.export.pair_sums import LARGEST_PAIR, largest_pairs  # noqa: E402
from training.export.qdq_network import QdqNetwork  # noqa: E402
from training.export.quantise import (  # noqa: E402
    CYCLES,
    METHODS,
    bytes_at_the_ends,
    calibration_inputs,
    chains_of,
    quantise,
    write_quantised,
)
from training.networks.build import build_network  # noqa: E402
from training.networks.config import LAYOUTS, NetworkConfig  # noqa: E402

ROOT = Path(__file__).resolve().parents[3]
SIDE = 64
Image = NDArray[np.uint8]


def network_of(layout: str) -> nn.Module:
    """Return a network that does something visible, differently to each colour.

    Random weights that let the face through (He's gain) where no shortcut does; those that
    the plain layout begins its training with are an identity with little noise, of which
    eight bits keep the identity alone. The output stays about within 0..1, as a trained
    network's does.
    """
    torch.manual_seed(4)
    network = build_network(NetworkConfig(layout=layout)).eval()
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    if layout == 'plain':
        for convolution in convolutions:
            nn.init.orthogonal_(convolution.weight, gain=2.0**0.5)
    last = convolutions[-1]
    written: list[Any] = []
    handle = last.register_forward_hook(lambda _module, _inputs, output: written.append(output))
    offsets = torch.tensor([0.15, -0.1, 0.02]) + (0.5 if layout == 'plain' else 0.0)
    with torch.no_grad():
        last.bias.zero_()
        network(nn.functional.interpolate(torch.rand(1, 3, 8, 8), size=SIDE))
        scale = 0.1 / written[0].std()
        last.weight.mul_(scale)
        last.bias.copy_(offsets - written[0].mean(dim=(0, 2, 3)) * scale)
    handle.remove()
    return network


def of_any_brightness(crops: Sequence[Image]) -> list[Image]:
    """Return the crops and darker and inverted ones, so that few faces span the ranges."""
    return [*crops, *(crop // 3 for crop in crops), *(255 - crop for crop in crops)]


@pytest.fixture(scope='module')
def crops(faces: Path) -> list[Image]:
    """Return small degraded faces of the training split."""
    return [
        np.asarray(cv2.resize(face.degraded, (SIDE, SIDE)), np.uint8)
        for face in degraded_faces(faces, 'train', 4, 1)
    ]


def bytes_of(network: nn.Module, crop: Image) -> Image:
    with torch.no_grad():
        return to_image(network(to_tensor(crop)))


def run(path: Path, crop: Image) -> Image:
    session = ort.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    output: Image = session.run([OUTPUT], {INPUT: crop[None]})[0][0]
    return output


def float_model(network: nn.Module, path: Path, colour: str = 'BGR') -> Path:
    source = fold(network, size=SIDE) if colour == 'BGR' else network
    write_onnx(FloatPlanes(source, clip=False), torch.zeros(1, 3, SIDE, SIDE), path)
    return path


@pytest.mark.parametrize('layout', LAYOUTS)
def test_colour_order_and_range_are_folded_into_any_layout(
    layout: str, crops: Sequence[Image]
) -> None:
    network = network_of(layout)
    model = BytePixels(fold(network, 255.0, SIDE))
    for crop in crops:
        with torch.no_grad():
            restored = model(torch.from_numpy(crop[None])).numpy()[0]
        expected = bytes_of(network, crop)
        assert np.abs(expected.astype(int) - crop).mean() > 3
        apart = np.abs(restored.astype(int) - expected)
        # Half a level may be rounded either way.
        assert apart.max() <= 1
        assert (apart > 0).mean() < 1e-3


def test_folding_leaves_the_network_as_it_was() -> None:
    network = network_of('plain')
    before = {name: value.clone() for name, value in network.state_dict().items()}
    fold(network, 255.0, SIDE)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


class RedMask(nn.Module):
    """Weighs its output by the red channel, past its convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 3, 3, padding=1)

    def forward(self, x: Any, *, clip: bool = True) -> Any:
        restored = self.last(self.first(x)) * x[:, :1]
        return restored.clamp(0.0, 1.0) if clip else restored


def test_a_network_that_cannot_be_folded_is_refused() -> None:
    with pytest.raises(ValueError, match=r'cannot be folded.*--io float'):
        fold(RedMask(), 255.0, SIDE)


@pytest.mark.parametrize('layout', ['encoder_decoder', 'plain'])
def test_fp32_gives_what_pytorch_gives(layout: str, crops: Sequence[Image], tmp_path: Path) -> None:
    network = network_of(layout)
    path = tmp_path / 'fp32.onnx'
    write_onnx(
        BytePixels(fold(network, 255.0, SIDE)),
        torch.zeros(1, SIDE, SIDE, 3, dtype=torch.uint8),
        path,
    )
    assert 0.0 < check_against_pytorch(path, network, crops) <= 0.5 / 255 + 1e-4
    floats = tmp_path / 'floats.onnx'
    write_onnx(FloatPlanes(network, clip=True), torch.zeros(1, 3, SIDE, SIDE), floats)
    assert check_against_pytorch(floats, network, crops) < 1e-4

    with torch.no_grad():
        next(network.parameters()).mul_(1.1)
    for model in (path, floats):
        with pytest.raises(RuntimeError, match='differ by'):
            check_against_pytorch(model, network, crops)


@pytest.mark.parametrize(
    ('layout', 'method'),
    [
        ('encoder_decoder', 'minmax'),
        ('encoder_decoder', 'percentile_99.999'),
        ('plain', 'minmax'),
        ('space_to_depth', 'entropy'),
    ],
)
def test_int8_takes_and_gives_bytes_without_any_float_operator(
    layout: str, method: str, crops: Sequence[Image], tmp_path: Path
) -> None:
    network = network_of(layout)
    floats = float_model(network, tmp_path / 'floats.onnx')
    path = tmp_path / 'int8.onnx'
    inputs = calibration_inputs(floats, of_any_brightness(crops[1:]), 'BGR')
    write_quantised(quantise(floats, inputs, METHODS[method]), path, True)

    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / 'optimised.onnx')
    options.log_severity_level = 3
    session = ort.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    for value in (*session.get_inputs(), *session.get_outputs()):
        assert (value.type, value.shape) == ('tensor(uint8)', [1, SIDE, SIDE, 3])
    operators = Counter(n.op_type for n in onnx.load(options.optimized_model_filepath).graph.node)
    assert operators['QLinearConv'] > 10
    assert set(operators) <= {'QLinearConv', 'QLinearAdd', 'Resize'}

    # The face that calibrated nothing.
    expected = bytes_of(network, crops[0])
    nearness = cv2.PSNR(run(path, crops[0]), expected)
    assert nearness > 40
    assert nearness > cv2.PSNR(crops[0], expected) + 8


def uneven(network: nn.Module, pairs: Sequence[tuple[str, str, int]], factor: float) -> nn.Module:
    """Let some channels reach `factor` times as far, to no effect.

    What reads them takes so much less: the network computes what it did.

    Args:
        network: changed in place.
        pairs: the convolution that writes a channel, the one that reads it, which channel.
        factor: how many times as far.

    """
    state = network.state_dict()
    for name, channel in {(writer, channel) for writer, _, channel in pairs}:
        state[f'{name}.weight'][channel] *= factor
        state[f'{name}.bias'][channel] *= factor
    for _, name, channel in pairs:
        state[f'{name}.weight'][:, channel] /= factor
    network.load_state_dict(state)
    return network


@pytest.mark.parametrize('layout', LAYOUTS)
def test_equalised_channels_change_nothing_in_float(
    layout: str, crops: Sequence[Image], tmp_path: Path
) -> None:
    floats = float_model(network_of(layout), tmp_path / 'floats.onnx')
    inputs = calibration_inputs(floats, crops[1:3], 'BGR')
    equalise(floats, tmp_path / 'equalised.onnx', inputs)
    outputs = [
        ort.InferenceSession(str(path), providers=['CPUExecutionProvider']).run(
            [OUTPUT], {INPUT: inputs[0].astype(np.float32) / np.float32(255.0)}
        )[0]
        for path in (floats, tmp_path / 'equalised.onnx')
    ]
    assert np.abs(outputs[0] - outputs[1]).max() < 1e-4
    weights = [
        [numpy_helper.to_array(t) for t in onnx.load(str(path)).graph.initializer]
        for path in (floats, tmp_path / 'equalised.onnx')
    ]
    assert sum(not np.array_equal(a, b) for a, b in zip(*weights)) > 10


def uneven_residuals() -> nn.Module:
    pairs = [
        ('down2', 'encode2.0.conv1', 5),
        ('encode2.0.conv2', 'down4', 5),
        ('up2', 'decode2.0.conv1', 5),
        ('decode2.0.conv2', 'up1', 5),
    ]
    return uneven(network_of('encoder_decoder'), pairs, 8.0)


def uneven_masked() -> nn.Module:
    """A face in some channels, others that reach further, and masks behind both."""
    torch.manual_seed(4)
    network = build_network(NetworkConfig(layout='plain')).eval()
    return uneven(network, [('exit2.0', 'merge2.0.0', 23), ('exit1.0', 'merge1.0', 7)], 4.0)


@pytest.mark.parametrize(('build', 'gain_db'), [(uneven_residuals, 3.0), (uneven_masked, 5.0)])
def test_equalised_channels_bring_int8_nearer(
    build: Callable[[], nn.Module], gain_db: float, crops: Sequence[Image], tmp_path: Path
) -> None:
    network = build()
    floats = float_model(network, tmp_path / 'floats.onnx')
    inputs = calibration_inputs(floats, of_any_brightness(crops[1:]), 'BGR')
    expected = bytes_of(network, crops[0])
    nearness = []
    for path in (floats, tmp_path / 'equalised.onnx'):
        if path != floats:
            equalise(floats, path, inputs)
        write_quantised(quantise(path, inputs, METHODS['minmax']), tmp_path / 'int8.onnx', True)
        nearness.append(cv2.PSNR(run(tmp_path / 'int8.onnx', crops[0]), expected))
    assert nearness[1] > nearness[0] + gain_db


def test_factors_suit_tensors_that_are_added() -> None:
    # Alone, a tensor's channels all come to fill its range.
    alone = np.array([[4.0, 1.0, 0.5]], np.float32)
    assert best_factors(alone) == pytest.approx([1.0, 0.25, 0.125])

    # Together they must not add more noise than either way of following one of them would.
    both = np.array([[1.0, 0.2, 0.9, 0.1], [0.5, 6.0, 0.4, 1.0]], np.float32)

    def noise(factors: NDArray[np.float64]) -> float:
        return float(((both / factors).max(axis=1) ** 2).sum() * (factors**2).sum())

    found = noise(best_factors(both))
    for other in (np.ones(4), both[0], both[1], both.max(axis=0)):
        assert found <= noise(other)


def test_int8_with_float_planes(crops: Sequence[Image], tmp_path: Path) -> None:
    network = network_of('encoder_decoder')
    floats = float_model(network, tmp_path / 'floats.onnx', 'RGB')
    path = tmp_path / 'int8.onnx'
    inputs = calibration_inputs(floats, of_any_brightness(crops[1:]), 'RGB')
    write_quantised(quantise(floats, inputs, METHODS['minmax']), path, False)
    session = ort.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    output = session.run([OUTPUT], {INPUT: to_tensor(crops[0]).numpy()})[0]
    assert output.min() >= 0.0
    assert output.max() <= 1.0
    assert cv2.PSNR(to_image(torch.from_numpy(output)), bytes_of(network, crops[0])) > 38


def test_calibration_sees_what_the_cycles_see(crops: Sequence[Image], tmp_path: Path) -> None:
    network = network_of('plain')
    inputs = calibration_inputs(float_model(network, tmp_path / 'm.onnx'), crops[:2], 'BGR')
    assert len(inputs) == 2 * CYCLES
    assert np.array_equal(inputs[CYCLES][0].transpose(1, 2, 0), crops[1])
    first = bytes_of(network, crops[0])
    second = bytes_of(network, first)
    for got, expected in ((inputs[1], first), (inputs[2], second)):
        apart = np.abs(got[0].transpose(1, 2, 0).astype(int) - expected)
        assert apart.mean() < 0.01


def test_a_last_operator_in_float_is_rounded_and_clipped(tmp_path: Path) -> None:
    scale = numpy_helper.from_array(np.array(1 / 255, np.float32), 'scale')
    constants = [
        scale,
        numpy_helper.from_array(np.array(0, np.uint8), 'zero'),
        numpy_helper.from_array(np.array(1.3, np.float32), 'gain'),
    ]
    graph = helper.make_graph(
        [
            helper.make_node('QuantizeLinear', [INPUT, 'scale', 'zero'], ['levels']),
            helper.make_node('DequantizeLinear', ['levels', 'scale', 'zero'], ['values']),
            helper.make_node('Mul', ['values', 'gain'], [OUTPUT]),
        ],
        'test',
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [1, 3, 8, 8])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=10)
    bytes_at_the_ends(model)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(tmp_path / 'm.onnx'))
    crop = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    expected = np.minimum(np.rint(crop * 1.3), 255)
    assert np.abs(run(tmp_path / 'm.onnx', crop) - expected).max() <= 1


def quantised(
    network: nn.Module, crops: Sequence[Image], folder: Path
) -> tuple[onnx.ModelProto, Path]:
    """Return a model with weights rounded to the nearest level, and the path of its floats."""
    floats = float_model(network, folder / 'floats.onnx')
    inputs = calibration_inputs(floats, of_any_brightness(crops[1:]), 'BGR')
    return quantise(floats, inputs, METHODS['minmax'], in_turn=False), floats


@pytest.mark.parametrize('layout', ['encoder_decoder', 'plain'])
def test_the_simulation_of_eight_bits_gives_what_onnx_runtime_gives(
    layout: str, crops: Sequence[Image], tmp_path: Path
) -> None:
    model, floats = quantised(network_of(layout), crops, tmp_path)
    planes = np.ascontiguousarray(crops[0].transpose(2, 0, 1)[None].astype(np.float32) / 255)
    session = ort.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider'])
    expected = session.run([OUTPUT], {INPUT: planes})[0]
    with torch.no_grad():
        simulated = QdqNetwork(model, onnx.load(str(floats)))(torch.from_numpy(planes)).numpy()
        exact = session_of(floats).run([OUTPUT], {INPUT: planes})[0].clip(0.0, 1.0)
    # A sum in the middle between two levels may be rounded either way, and what follows with it.
    error, simulated_error = (np.mean((exact - v) ** 2) for v in (expected, simulated))
    assert simulated_error == pytest.approx(error, rel=0.2)
    assert np.mean((simulated - expected) ** 2) < error


def session_of(path: Path) -> ort.InferenceSession:
    return ort.InferenceSession(str(path), providers=['CPUExecutionProvider'])


@pytest.mark.parametrize('layout', ['encoder_decoder', 'plain'])
def test_learning_brings_int8_nearer_to_fp32_and_no_pair_overflows(
    layout: str, crops: Sequence[Image], tmp_path: Path
) -> None:
    network = network_of(layout)
    model, floats = quantised(network, crops, tmp_path)
    many = of_any_brightness(crops)
    chains = chains_of(floats, many, 'BGR')
    assert chains.shape == (len(many), 1 + CYCLES, 3, SIDE, SIDE)

    def nearness() -> float:
        write_quantised(model, tmp_path / 'int8.onnx', True)
        pairs = [(run(tmp_path / 'int8.onnx', crop), bytes_of(network, crop)) for crop in many]
        return float(np.mean([cv2.PSNR(given, wanted) for given, wanted in pairs]))

    before = nearness()
    learn(model, floats, chains, Learning(steps=40, batch=4))
    assert nearness() > before + 0.5
    weights = [numpy_helper.to_array(t) for t in model.graph.initializer]
    kernels = [w for w in weights if w.dtype == np.int8 and w.ndim == 4]
    assert 110 < max(largest_pairs(kernel).max() for kernel in kernels) <= LARGEST_PAIR


def test_the_energy_of_fine_detail_is_what_a_smoother_output_lacks() -> None:
    generator = torch.Generator().manual_seed(3)
    target, other = (0.5 + 0.05 * torch.randn(2, 3, 64, 64, generator=generator) for _ in range(2))
    smoother = 0.98 * (target - 0.5) + 0.5
    assert float(energy_error(target, target)) == 0.0
    # Detail of another shape, of like energy, is the mean squared error's concern.
    assert float(energy_error(other, target)) < 1e-3
    # Of detail that is 2% weaker, 4% of the energy is missing.
    assert float(energy_error(smoother, target)) == pytest.approx(0.04**2, rel=0.1)
    assert float(energy_error(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8))) == 0.0


def test_an_operator_without_simulation_is_named() -> None:
    graph = helper.make_graph(
        [helper.make_node('Tanh', [INPUT], [OUTPUT])],
        'test',
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [1, 3, 8, 8])],
    )
    model = helper.make_model(graph)
    with pytest.raises(ValueError, match=r'Tanh.*--learning-steps 0'):
        QdqNetwork(model, model)


def test_an_input_that_is_not_quantised_is_refused() -> None:
    graph = helper.make_graph(
        [helper.make_node('Relu', [INPUT], [OUTPUT])],
        'test',
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [1, 3, 8, 8])],
    )
    with pytest.raises(ValueError, match=r"\['Relu'\].*--io float"):
        bytes_at_the_ends(helper.make_model(graph))


def test_the_quantised_model_that_loses_least_is_kept() -> None:
    def trial(decibels: float, distance: float, to_fp32: float = 46.0) -> dict[str, Any]:
        return {
            'psnr_change_db': [0.0, decibels],
            'lpips_change': [distance, distance],
            'to_fp32_db': [50.0, to_fp32],
        }

    # Lost of 0.3 dB and 0.01 of LPIPS: a tenth, with a better LPIPS; a quarter; two thirds.
    trials = {
        'calibrated': trial(-0.03, -0.004),
        'learned': trial(0.01, 0.0025),
        'grainy': trial(0.0, 0.0067),
    }
    assert choose(trials) == 'calibrated'
    # A model that is too far from FP32 for the node is kept only if there is no other.
    trials['calibrated'] = trial(-0.03, -0.004, to_fp32=44.9)
    assert choose(trials) == 'learned'
    assert choose({'calibrated': trials['calibrated']}) == 'calibrated'


@pytest.mark.parametrize('exposure', [0.05, 0.12, 0.3, 0.5, 1.0])
def test_the_node_prepares_faces_as_validation_does(faces: Path, exposure: float) -> None:
    for face in degraded_faces(faces, 'val', 3, 2):
        dark = np.rint(face.truth * exposure).astype(np.uint8)
        apart = np.abs(prepare_face(dark).astype(int) - to_image(prepare(to_tensor(dark))))
        assert apart.max() <= 1
        if exposure < 0.2:
            assert prepare_face(dark).mean() > 2 * dark.mean()


def untrained_run(folder: Path, layout: str) -> Path:
    network = network_of(layout)
    folder.mkdir()
    config = {'seed': 9, 'network': {'layout': layout, 'widths': [16, 32, 64, 128]}}
    state = {
        'average': network.state_dict(),
        'config': json.dumps(config),
        'step': 7,
        'elapsed': 3.2,
        'manifest_sha256': 'a' * 64,
        'source_sha256': 'b' * 64,
        'code_version': 'test',
    }
    torch.save(state, folder / 'checkpoint.pt')
    return folder


def export(source: Path, faces: Path, out: Path, *extra: str) -> subprocess.CompletedProcess[str]:
    option = '--model' if source.suffix == '.onnx' else '--run'
    command = [sys.executable, '-m', 'training.tools.export', option, str(source)]
    command += ['--data', str(faces), '--out', str(out), '--calibration', 'minmax']
    command += ['--calibration-faces', '2', '--validation-faces', '2']
    command += ['--learning-steps', '2', '--learning-faces', '2', *extra]
    return subprocess.run(
        command, cwd=ROOT, timeout=300, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize('io', ['uint8', 'float'])
def test_the_command_writes_both_files_their_cards_and_the_page(
    io: str, faces: Path, tmp_path: Path
) -> None:
    try:
        weights_folder()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    folder = untrained_run(tmp_path / 'run', 'plain')
    out = tmp_path / 'models'
    extra = ('--name', 'cfrnet_plain', '--io', io, '--allow-int8-loss')
    result = export(folder, faces, out, *extra)
    assert result.returncode == 0, result.stderr
    crop = degraded_faces(faces, 'val', 1, 0)[0].degraded
    restored = {}
    for precision in ('fp32', 'int8'):
        path = out / f'cfrnet_plain_256_{precision}.onnx'
        card = load_card(path)
        assert card.assumed == ()
        assert (card.dtype, card.colour) == (
            ('uint8', 'BGR') if io == 'uint8' else ('float32', 'RGB')
        )
        assert card.training['steps'] == 7
        assert card.training['config']['seed'] == 9
        assert card.training['max_difference_from_pytorch'] < 0.0021
        assert card.extra['metrics'] == {}
        restorer = Restorer(path, choose_providers('cpu'), 1)
        restored[precision] = restorer.restore(crop, 2).crop
        assert run_self_test(restorer).verdict == 'passed'
    against = card.training['int8_against_fp32']
    assert against['faces'] == 2
    assert cv2.PSNR(restored['fp32'], restored['int8']) > 30
    assert 'CFRNet plain 256 INT8' in (out / 'README.md').read_text()

    # Quantised again, FP32 stays what it was.
    shipped = out / 'cfrnet_plain_256_fp32.onnx'
    again = export(shipped, faces, tmp_path / 'again', *extra)
    assert again.returncode == 0, again.stderr
    kept = tmp_path / 'again' / shipped.name
    assert kept.read_bytes() == shipped.read_bytes()
    assert load_card(kept).training['steps'] == 7
    assert load_card(kept).golden['sha256'] == load_card(shipped).golden['sha256']


def test_nothing_is_written_without_a_checkpoint(faces: Path, tmp_path: Path) -> None:
    result = export(tmp_path / 'nowhere', faces, tmp_path / 'models')
    assert result.returncode != 0
    assert 'give --run the folder of a trained run' in result.stderr
    assert not (tmp_path / 'models').exists()
