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

"""What compilers say of the compared systems: their logs, missing tools, and the page."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('torch', reason='training needs PyTorch: make test-training')
pytest.importorskip('onnx', reason='training needs onnx: make test-training')

from training.experiments.systems.measuring.onnx_providers import (
    measure_provider,
    trained_files,
)
from training.experiments.systems.measuring.report import Report, RowFigures
from training.experiments.systems.measuring.rockchip import (
    measure_rockchip,
    placement,
    refusal,
)
from training.experiments.systems.pages import deployability_page

LOG = """\
D RKNN: [05:02:30.009] ID   OpType   DataType Target InputShape  OutputShape  Cycles(DDR/NPU/Total) RW(KB) FullName
D RKNN: [05:02:30.009] -----------------------------------------------------------------------------------------
D RKNN: [05:02:30.009] 0    InputOperator  INT8  CPU  \\                   (1,3,256,256)  0/0/0                0    InputOperator:face
D RKNN: [05:02:30.009] 1    ConvRelu  INT8  NPU  (1,3,256,256),(16,3,3,3),...  (1,16,256,256)  88768/1589824/1589824  1026  Conv:c
D RKNN: [05:02:30.009] 2    Transpose  INT8  CPU  (1,8,1,20480)  (1,20480,1,8)  0/0/0  160  Transpose:t
D RKNN: [05:02:30.009] 3    Reshape  INT64  NPU  (1,1,1,256),(2)  (1,256)  0/0/0  2.5
D RKNN: [05:02:30.009] 4    OutputOperator  INT8  CPU  (1,3,256,256)  \\  0/0/0  1024  OutputOperator:o
D RKNN: [05:02:30.009] -----------------------------------------------------------------------------------------
D RKNN: [05:02:30.011] Total Internal Memory Size: 5632.5KB
"""  # noqa: E501


def test_operators_that_rockchip_leaves_to_the_cpu_are_counted() -> None:
    assert placement(LOG) == {
        # What gives the input and takes the output is no operator of the network.
        'npu': {'ConvRelu': 1, 'Reshape': 1},
        'cpu': {'Transpose': 1},
        'megacycles': 1.59,
        'uncounted': 1,
        'activations_kib': 5632.5,
    }


@pytest.mark.parametrize(
    ('old', 'new'),
    [
        ('2    Transpose  INT8  CPU', '2    Transpose  INT8  DSP'),
        ('4    OutputOperator', '4    Clip'),
        ('Total Internal', 'Internal'),
        ('Cycles(DDR/NPU/Total)', 'Cycles'),
    ],
)
def test_a_log_of_rockchips_in_another_form_is_not_taken_for_no_operators(
    old: str, new: str
) -> None:
    assert old in LOG
    with pytest.raises(ValueError, match='read it anew'):
        placement(LOG.replace(old, new))


def test_the_reason_of_rockchips_refusal_is_found_in_its_log() -> None:
    told = (
        'E load_onnx: Unsupported operator Foo\n'
        'E rknn-toolkit2 version: 2.5.0\n'
        'E RKNN: [05:02:30.009] channel is too large, fallback to cpu!\n'
    )
    assert refusal(told) == 'load_onnx: Unsupported operator Foo'
    assert refusal(told + 'RuntimeError: build failed\n') == 'RuntimeError: build failed'
    assert not refusal('I rknn building done.\n')


def test_a_missing_file_or_tool_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='make it by: measure --rows cfrnet'):
        trained_files(tmp_path, 'fp32', ['cfrnet'])
    out = tmp_path / 'deployability.json'
    with pytest.raises(FileNotFoundError, match=r'onnxruntime-openvino.*--package'):
        measure_provider('openvino', {}, tmp_path, out)
    with pytest.raises(FileNotFoundError, match=r'RKNN=1 requirements/npu/install\.sh.*--rknn'):
        measure_rockchip({}, tmp_path / 'python', tmp_path, out)
    assert not out.exists()


@pytest.mark.skipif(importlib.util.find_spec('rknn') is not None, reason='rknn-toolkit2 is here')
def test_a_row_that_rockchips_tool_fails_on_is_told_with_its_reason(tmp_path: Path) -> None:
    np.save(tmp_path / 'calibration.npy', np.zeros((1, 256, 256, 3), np.uint8))
    out = tmp_path / 'deployability.json'
    out.write_text(json.dumps({'vela': '5', 'rockchip': {'rows': {'other': {'reason': 'x'}}}}))
    measure_rockchip({'net': tmp_path / 'net.onnx'}, Path(sys.executable), tmp_path, out)
    content = json.loads(out.read_text())
    assert content['vela'] == '5'
    assert content['rockchip']['rows'] == {
        'other': {'reason': 'x'},
        'net': {'reason': "ModuleNotFoundError: No module named 'rknn'"},
    }


def test_the_page_tells_what_rockchip_and_openvino_take_whole() -> None:
    rows = {
        name: RowFigures(name.title(), 'comparison', network=name)
        for name in ('one', 'two', 'three')
    }
    report = Report('a machine', 2, 1, 'x', 3, rows)
    known: dict[str, Any] = {'bytes': 2_400_000, 'to_float_db': 36.04, **placement(LOG)}
    npu = {
        'vela': '5',
        'litert_torch': '1',
        'quantizer': '1',
        'targets': ['U85-512'],
        'rows': {},
        'openvino': {
            'package': 'onnxruntime-openvino-1',
            'rows': {
                'one': {'strict': True, 'npu': 9, 'cpu': {}, 'to_cpu_db': None},
                'two': {'strict': False, 'npu': 8, 'cpu': {'Erf': 1}, 'to_cpu_db': 41.26},
            },
        },
        'rockchip': {
            'target': 'rk3588',
            'version': '2',
            'rows': {
                'one': {**known, 'cpu': {}},
                'two': known,
                'three': {'reason': 'RuntimeError: build failed'},
            },
        },
    }
    lines = deployability_page.render(report, npu).splitlines()
    assert '| One | yes | 9 | none | the same |' in lines
    assert '| Two | no | 8 | Erf 1 | 41.3 |' in lines
    assert '| One | yes | 2 | none | 2.4 | 36.0 | 1.6 | 1 | 5632 |' in lines
    assert '| Two | no | 2 | Transpose 1 | 2.4 | 36.0 | 1.6 | 1 | 5632 |' in lines
    refused = next(line for line in lines if line.startswith('| Three'))
    assert refused.startswith('| Three | no | | not compiled: RuntimeError: build failed |')
    head = next(line for line in lines if line.startswith('| row') and 'cycles' in line)
    assert refused.count('|') == head.count('|')
