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

"""Execution providers are chosen by name, and every fallback is reported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_models import scale_model

from cfrnet_ros.node.parameters import document
from cfrnet_ros.node.parameters.settings import provider_text
from cfrnet_ros.vision.engine.provider_records import PROVIDERS, Provider
from cfrnet_ros.vision.engine.providers import ProviderChoice, choose_providers, parse_options
from cfrnet_ros.vision.engine.sessions import create_session
from cfrnet_ros.vision.errors import ModelError, ProviderError

NAMES = {provider.name: provider.onnx_name for provider in PROVIDERS}
RECORDS = {provider.name: provider for provider in PROVIDERS}
GPU_BUILD = [
    'AzureExecutionProvider',
    'CPUExecutionProvider',
    'CUDAExecutionProvider',
    'TensorrtExecutionProvider',
]


def candidates(choice: ProviderChoice) -> list[str]:
    return [candidate.name for candidate in choice.candidates]


def test_auto_takes_the_best_present_and_ends_with_the_cpu() -> None:
    choice = choose_providers('auto', available=GPU_BUILD)
    assert candidates(choice) == ['tensorrt', 'cuda', 'cpu']
    assert choice.remaining[0].precision == 'fp32'


def test_azure_is_never_taken() -> None:
    for request in ('auto', 'cpu', 'qnn,cpu'):
        choice = choose_providers(request, available=['AzureExecutionProvider', NAMES['cpu']])
        assert candidates(choice) == ['cpu']


def test_names_keep_their_order_and_repeats_count_once() -> None:
    choice = choose_providers(' CUDA, tensorrt,cuda ', available=GPU_BUILD)
    assert candidates(choice) == ['cuda', 'tensorrt', 'cpu']


def test_strict_auto_tries_the_best_only() -> None:
    choice = choose_providers('auto', strict=True, available=GPU_BUILD)
    assert candidates(choice) == ['tensorrt']


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
    assert RECORDS['qnn'].options()['backend_path'].endswith(('libQnnHtp.so', 'QnnHtp.dll'))
    options = parse_options(['openvino.device_type=NPU', ''])
    openvino = RECORDS['openvino'].options(options, threads=3)
    assert (openvino['device_type'], openvino['num_of_threads']) == ('NPU', '3')
    choice = choose_providers('cpu', options=options)
    assert choice.options == {'openvino': {'device_type': 'NPU'}}


@pytest.mark.parametrize('entry', ['device_type=NPU', 'openvino.device_type', 'npu.x=1', '.=1'])
def test_malformed_option_is_refused_with_an_example(entry: str) -> None:
    with pytest.raises(ProviderError, match=r'openvino\.device_type=NPU'):
        parse_options([entry])
    with pytest.raises(ProviderError, match='known providers'):
        choose_providers('cpu', options={'npu': {}})


def test_auto_leaves_out_what_does_not_suit_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [NAMES['qnn'], NAMES['cpu']]
    monkeypatch.setattr('onnxruntime.get_available_providers', lambda: both)
    monkeypatch.setattr('platform.machine', lambda: 'x86_64')
    assert candidates(choose_providers('auto')) == ['cpu']
    assert candidates(choose_providers('qnn')) == ['qnn', 'cpu']
    monkeypatch.setattr('platform.machine', lambda: 'aarch64')
    assert candidates(choose_providers('auto')) == ['qnn', 'cpu']


def test_a_record_is_all_that_a_provider_needs(tmp_path: Path) -> None:
    """Requests, options, sessions, precision, messages, description and table follow from it."""
    # Its name in ONNX Runtime is the CPU's, so that a model can really be loaded.
    tpu = Provider(
        'tpu',
        NAMES['cpu'],
        'Edge TPU',
        '`onnxruntime-tpu`',
        'fp32',
        lambda threads: {'use_arena': '0', 'cores': str(threads)},
    )
    known = (tpu, *PROVIDERS)
    options = parse_options(['tpu.cores=2'], known)
    assert tpu.options(options, threads=1) == {'use_arena': '0', 'cores': '2'}

    for request in ('auto', 'tpu', 'cuda,tpu'):
        choice = choose_providers(request, available=[NAMES['cpu']], known=known)
        assert candidates(choice) == ['tpu', 'cpu']
    choice = choose_providers('tpu', strict=True, available=[NAMES['cpu']], known=known)
    assert choice.remaining[0].precision == 'fp32'
    model = scale_model(tmp_path / 'm.onnx', 0.5)
    engine = create_session(model, choose_providers('tpu', known=known))
    assert (engine.requested, engine.used, engine.fell_back) == ('tpu', 'tpu', False)

    with pytest.raises(ProviderError, match='known providers: auto, tpu, tensorrt'):
        choose_providers('npu', known=known)
    with pytest.raises(ProviderError, match='known providers: tpu, tensorrt'):
        parse_options(['npu.x=1'], known)
    assert " 'auto', tpu, tensorrt, " in provider_text(known)
    row = '| `tpu` | Edge TPU | `onnxruntime-tpu` | FP32 |\n'
    assert row in document.provider_table(known)
    assert row not in document.provider_table()


def test_no_two_providers_share_a_name() -> None:
    assert len(NAMES) == len(set(NAMES.values())) == len(PROVIDERS)
