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

"""An engine is trusted if it restores the golden crops correctly, not because it loads."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper
from onnx_models import scale_model

from cfrnet_ros.vision.engine.models import resolve_model
from cfrnet_ros.vision.engine.provider_records import CPU as CPU_RECORD
from cfrnet_ros.vision.engine.provider_records import Provider
from cfrnet_ros.vision.engine.providers import ProviderChoice, choose_providers
from cfrnet_ros.vision.errors import ModelError
from cfrnet_ros.vision.restoration.restorer import Restorer
from cfrnet_ros.vision.restoration.self_test import run_self_test
from cfrnet_ros.vision.restoration.trusted import load_trusted

SHIPPED = ('fp32', 'int8', 'plain_fp32', 'plain_int8')


def damage(model: Path) -> None:
    """Exchange two thirds of a convolution's weights like a faulty compiler; update the digest."""
    proto = onnx.load(str(model))
    weights = max(proto.graph.initializer, key=lambda tensor: int(np.prod(tensor.dims)))
    values = numpy_helper.to_array(weights).copy()
    values[: 2 * len(values) // 3] = values[: 2 * len(values) // 3, ::-1]
    weights.CopyFrom(numpy_helper.from_array(values, weights.name))
    onnx.save(proto, str(model))
    card = json.loads(model.with_suffix('.json').read_text())
    card['sha256'] = hashlib.sha256(model.read_bytes()).hexdigest()
    model.with_suffix('.json').write_text(json.dumps(card))


def golden_model(folder: Path, **changes: Any) -> Path:
    """Write a model that halves its input, with golden crops of which parts can be changed."""
    crop = np.random.default_rng(3).integers(60, 255, (64, 64, 3), np.uint8)
    sheet = np.hstack(
        [crop, np.rint(crop / 2).astype(np.uint8), np.rint(crop / 8).astype(np.uint8)]
    )
    path = folder / 'half.golden.png'
    cv2.imwrite(str(path), sheet)
    stated = {
        'file': path.name,
        'sha256': hashlib.sha256(path.read_bytes()).hexdigest(),
        'cycles': [1, 3],
        'limit_db': 42.0,
    }
    return scale_model(folder / 'half.onnx', 0.5, golden={**stated, **changes})


@pytest.mark.parametrize('name', SHIPPED)
def test_shipped_models_pass_their_self_test_on_this_cpu(name: str) -> None:
    test = run_self_test(Restorer(resolve_model(name), choose_providers('cpu'), 1))
    assert test.verdict == 'passed', test
    assert [k for k, _ in test.decibels] == [1, 3]
    assert test.cycle_ms > 0
    # FP32 gives the same bytes except for differences in the order of its sums.
    least = 60 if name.endswith('fp32') else test.limit_db + 3
    assert all(value > least for _, value in test.decibels)


@pytest.mark.parametrize('name', SHIPPED)
def test_golden_crops_are_restored_faces_of_several_cameras(name: str) -> None:
    """The reference differs from the input, so an engine that does nothing does not pass."""
    restorer = Restorer(resolve_model(name), choose_providers('cpu'), 1)
    path = restorer.card.file.parent / restorer.card.golden['file']
    sheet = cv2.imread(str(path))
    assert sheet is not None
    crop, first, third = np.split(sheet, 3, axis=1)
    assert cv2.PSNR(crop, first) < restorer.card.golden['limit_db'] - 3
    assert cv2.PSNR(crop, third) < restorer.card.golden['limit_db'] - 3
    assert not np.array_equal(first, third)


def test_damaged_weights_fail_and_the_other_precision_is_taken(installed: Path) -> None:
    damage(installed / 'cfrnet_256_int8.onnx')
    loaded = load_trusted('auto', choose_providers('cpu'), threads=1)
    assert loaded.restorer.card.precision == 'fp32'
    assert loaded.test.verdict == 'passed'
    assert len(loaded.rejected) == 1
    assert 'INT8 on cpu failed' in loaded.rejected[0]
    assert 'dB at k=3' in loaded.rejected[0]


def test_warn_keeps_a_failed_engine(installed: Path) -> None:
    damage(installed / 'cfrnet_256_int8.onnx')
    loaded = load_trusted('auto', choose_providers('cpu'), threads=1, mode='warn')
    assert loaded.restorer.card.precision == 'int8'
    assert loaded.test.verdict == 'failed'
    assert loaded.test.worst_levels > 0


def test_fail_refuses_a_failed_engine(installed: Path) -> None:
    damage(installed / 'cfrnet_256_int8.onnx')
    with pytest.raises(
        ModelError, match=r'INT8 on cpu failed: .* dB at k=1.*set self_test to warn'
    ):
        load_trusted('auto', choose_providers('cpu'), threads=1, mode='fail')


def test_off_skips_the_self_test(installed: Path) -> None:
    damage(installed / 'cfrnet_256_int8.onnx')
    loaded = load_trusted('auto', choose_providers('cpu'), threads=1, mode='off')
    assert loaded.restorer.card.precision == 'int8'
    assert str(loaded.test) == 'skipped: self_test is off'


def test_without_a_good_precision_loading_fails(installed: Path) -> None:
    for precision in ('int8', 'fp32'):
        damage(installed / f'cfrnet_256_{precision}.onnx')
    with pytest.raises(
        ModelError, match=r'no engine restores.*INT8 on cpu failed.*FP32 on cpu fail'
    ):
        load_trusted('auto', choose_providers('cpu'), threads=1)


class Garbage(Restorer):
    """Restorer whose first provider returns noise, like a faulty driver."""

    def _run(self, source: NDArray[np.generic], target: NDArray[np.generic]) -> None:
        super()._run(source, target)
        if self.engine.used == 'openvino':
            target[...] = np.random.default_rng(0).integers(0, 255, target.shape)


def test_a_provider_that_returns_garbage_is_replaced_by_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The provider is real, but its output is overwritten."""
    pretend_openvino(monkeypatch)
    monkeypatch.setattr('cfrnet_ros.vision.restoration.trusted.Restorer', Garbage)
    choice = choose_providers('openvino,cpu', available=['OpenVINOExecutionProvider', *CPU])
    loaded = load_trusted('auto', choice, threads=1)
    assert loaded.restorer.engine.used == 'cpu'
    assert loaded.restorer.engine.fell_back
    assert 'openvino does not restore as the reference does' in loaded.restorer.engine.reason
    # Both precisions were tried before the next provider.
    assert [text.split(' failed')[0] for text in loaded.rejected] == [
        'CFRNet 256 INT8 on openvino',
        'CFRNet 256 FP32 on openvino',
    ]


class Broken(Restorer):
    """Restorer whose first provider raises an error at each run, as a device that is gone does."""

    def _run(self, source: NDArray[np.generic], target: NDArray[np.generic]) -> None:
        if self.engine.used == 'openvino':
            raise ModelError('the device is gone')
        super()._run(source, target)


def test_a_provider_that_raises_in_the_warm_up_is_replaced_by_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend_openvino(monkeypatch)
    monkeypatch.setattr('cfrnet_ros.vision.restoration.trusted.Restorer', Broken)
    choice = choose_providers('openvino,cpu', available=['OpenVINOExecutionProvider', *CPU])
    loaded = load_trusted('auto', choice, threads=1)
    assert loaded.restorer.engine.used == 'cpu'
    assert loaded.test.verdict == 'passed'
    assert [text.split(': ') for text in loaded.rejected] == [
        ['CFRNet 256 INT8 on openvino failed', 'the device is gone'],
        ['CFRNet 256 FP32 on openvino failed', 'the device is gone'],
    ]


@pytest.mark.parametrize('mode', ['warn', 'off'])
def test_an_engine_that_raises_in_the_warm_up_is_never_used(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_openvino(monkeypatch)
    monkeypatch.setattr('cfrnet_ros.vision.restoration.trusted.Restorer', Broken)
    choice = choose_providers('openvino,cpu', available=['OpenVINOExecutionProvider', *CPU])
    with pytest.raises(ModelError, match='the device is gone'):
        load_trusted('auto', choice, threads=1, mode=mode)


def test_a_strict_provider_that_returns_garbage_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend_openvino(monkeypatch)
    monkeypatch.setattr('cfrnet_ros.vision.restoration.trusted.Restorer', Garbage)
    choice = choose_providers(
        'openvino', strict=True, available=['OpenVINOExecutionProvider', *CPU]
    )
    with pytest.raises(ModelError, match=r'INT8 on openvino failed.*FP32 on openvino failed'):
        load_trusted('auto', choice, threads=1)


CPU = ('CPUExecutionProvider',)


def pretend_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the CPU the name of OpenVINO, whose package the tests do not require."""
    from cfrnet_ros.vision.engine import sessions

    real = sessions._open

    class Renamed:
        def __init__(self, session: Any) -> None:
            self._session = session

        def get_providers(self) -> list[str]:
            return ['OpenVINOExecutionProvider', *CPU]

        def __getattr__(self, name: str) -> Any:
            if name == 'get_provider_graph_assignment_info':
                raise AttributeError(name)
            return getattr(self._session, name)

    def opened(model: Any, candidate: Provider, choice: ProviderChoice, threads: int) -> Any:
        session = real(model, CPU_RECORD, choice, threads)
        return session if candidate == CPU_RECORD else Renamed(session)

    monkeypatch.setattr(sessions, '_open', opened)


def test_an_engine_that_raises_has_failed(tmp_path: Path, cpu: ProviderChoice) -> None:
    restorer = Restorer(golden_model(tmp_path), cpu)

    def broken(source: Any, target: Any) -> None:
        raise ModelError('the device is gone')

    restorer._run = broken  # type: ignore[method-assign]
    test = run_self_test(restorer)
    assert test.verdict == 'failed'
    assert 'the device is gone' in str(test)


def test_a_model_without_golden_crops_is_used_untested(tmp_path: Path, cpu: ProviderChoice) -> None:
    path = scale_model(tmp_path / 'm.onnx', 0.5)
    loaded = load_trusted(str(path), cpu)
    assert str(loaded.test) == 'skipped: the model card has no golden crops'
    assert not loaded.rejected


def test_golden_crops_of_a_custom_model(tmp_path: Path, cpu: ProviderChoice) -> None:
    loaded = load_trusted(str(golden_model(tmp_path)), cpu)
    assert loaded.test.verdict == 'passed'
    assert loaded.test.worst_levels <= 1


def test_another_crop_size_is_not_tested(cpu: ProviderChoice) -> None:
    loaded = load_trusted('int8', cpu, threads=1, size=320)
    assert 'crop_size is 320' in str(loaded.test)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'file': 'absent.png'}, r'cannot be read: .*absent\.png'),
        ({'sha256': '0' * 64}, 'is not the picture that the card describes'),
        ({'cycles': [1]}, r'holds 192 x 64 pixels, but an input and 1 outputs of 64 pixels'),
        ({'cycles': [0, 3]}, 'different numbers of cycles from 1 to 8'),
        ({'cycles': [3, 3]}, 'different numbers of cycles from 1 to 8'),
        ({'limit_db': 'high'}, 'must describe them like'),
    ],
)
def test_wrong_golden_crops_name_the_cause(
    tmp_path: Path, cpu: ProviderChoice, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        load_trusted(str(golden_model(tmp_path, **changes)), cpu)


def test_golden_crops_that_are_not_an_object(tmp_path: Path, cpu: ProviderChoice) -> None:
    path = scale_model(tmp_path / 'm.onnx', 0.5, golden='half.png')
    with pytest.raises(ModelError, match='must describe them like'):
        load_trusted(str(path), cpu)
