"""Execution providers are chosen by name, and every fallback is reported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_models import scale_model

from cfrnet_ros.vision.engine.providers import (
    NAMES,
    choose_providers,
    create_session,
    parse_options,
    provider_options,
)
from cfrnet_ros.vision.errors import ModelError, ProviderError

GPU_BUILD = [
    'AzureExecutionProvider',
    'CPUExecutionProvider',
    'CUDAExecutionProvider',
    'TensorrtExecutionProvider',
]


def test_auto_takes_the_best_present_and_ends_with_the_cpu() -> None:
    choice = choose_providers('auto', available=GPU_BUILD)
    assert choice.candidates == (NAMES['tensorrt'], NAMES['cuda'], NAMES['cpu'])
    assert choice.best == 'tensorrt'


def test_azure_is_never_taken() -> None:
    for request in ('auto', 'cpu', 'qnn,cpu'):
        choice = choose_providers(request, available=['AzureExecutionProvider', NAMES['cpu']])
        assert choice.candidates == (NAMES['cpu'],)


def test_names_keep_their_order_and_repeats_count_once() -> None:
    choice = choose_providers(' CUDA, tensorrt,cuda ', available=GPU_BUILD)
    assert choice.candidates == (NAMES['cuda'], NAMES['tensorrt'], NAMES['cpu'])


def test_strict_auto_tries_the_best_only() -> None:
    assert choose_providers('auto', strict=True, available=GPU_BUILD).candidates == (
        NAMES['tensorrt'],
    )


@pytest.mark.parametrize('request_', ['npu', '', 'cpu,,cuda', 'auto,cpu'])
def test_unknown_name_is_refused_with_the_known_and_present_ones(request_: str) -> None:
    with pytest.raises(
        ProviderError, match=r'known providers: auto, .*qnn.*available here: cuda, cpu'
    ):
        choose_providers(request_, available=[NAMES['cpu'], NAMES['cuda']])


def test_strict_refuses_an_absent_provider() -> None:
    with pytest.raises(ProviderError, match=r"'qnn'.*has: cpu.*strict"):
        choose_providers('qnn', strict=True, available=[NAMES['cpu']])


def test_fallback_for_an_absent_provider_is_reported(tmp_path: Path) -> None:
    model = scale_model(tmp_path / 'm.onnx', 0.5)
    engine = create_session(model, choose_providers('rknpu', available=[NAMES['cpu']]))
    assert (engine.requested, engine.used, engine.fell_back) == ('rknpu', 'cpu', True)
    assert 'rknpu is not in this build' in engine.reason


def test_fallback_for_a_failing_provider_is_reported(tmp_path: Path) -> None:
    # The provider is listed but does not work, like a GPU build on a machine without a GPU.
    model = scale_model(tmp_path / 'm.onnx', 0.5)
    claimed = [NAMES['rknpu'], NAMES['cpu']]
    engine = create_session(model, choose_providers('rknpu', available=claimed))
    assert (engine.used, engine.fell_back) == ('cpu', True)
    assert engine.reason.startswith('rknpu')
    with pytest.raises(ProviderError, match=r'no execution provider could run .*rknpu'):
        create_session(model, choose_providers('rknpu', strict=True, available=claimed))


def test_requested_and_used_provider_agree_on_the_cpu(tmp_path: Path) -> None:
    model = scale_model(tmp_path / 'm.onnx', 0.5)
    engine = create_session(model, choose_providers('cpu', strict=True), threads=1)
    assert (engine.used, engine.fell_back, engine.reason) == ('cpu', False, '')
    assert engine.session.get_session_options().intra_op_num_threads == 1
    out = engine.session.run(None, {'face': np.ones((1, 3, 64, 64), np.float32)})[0]
    assert np.allclose(out, 0.5)


def test_a_model_can_be_given_as_bytes(tmp_path: Path) -> None:
    model = scale_model(tmp_path / 'm.onnx', 0.5)
    assert create_session(model.read_bytes(), choose_providers('cpu')).used == 'cpu'


def test_missing_and_damaged_files_are_model_errors(tmp_path: Path) -> None:
    choice = choose_providers('cpu')
    with pytest.raises(ModelError, match='there is no model file'):
        create_session(tmp_path / 'absent.onnx', choice)
    damaged = tmp_path / 'damaged.onnx'
    damaged.write_bytes(scale_model(tmp_path / 'm.onnx', 0.5).read_bytes()[:80])
    with pytest.raises(ModelError, match=r'cannot load .*damaged'):
        create_session(damaged, choice)
    # A damaged file is an error of the model, whatever provider is tried first.
    with pytest.raises(ModelError):
        create_session(b'not a model', choose_providers('cpu'))


def test_options_reach_the_provider_and_can_be_overridden() -> None:
    assert provider_options(NAMES['qnn'])['backend_path'].endswith(('libQnnHtp.so', 'QnnHtp.dll'))
    options = parse_options(['openvino.device_type=NPU', ''])
    assert provider_options(NAMES['openvino'], options)['device_type'] == 'NPU'
    choice = choose_providers('cpu', options=options)
    assert choice.options == {'openvino': {'device_type': 'NPU'}}


@pytest.mark.parametrize('entry', ['device_type=NPU', 'openvino.device_type', 'npu.x=1', '.=1'])
def test_malformed_option_is_refused_with_an_example(entry: str) -> None:
    with pytest.raises(ProviderError, match=r'openvino\.device_type=NPU'):
        parse_options([entry])
    with pytest.raises(ProviderError, match='known providers'):
        choose_providers('cpu', options={'npu': {}})
