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

"""The page on NPUs: what counts as a fault, and the golden crops through any engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.npu import page
from benchmarks.npu.golden import run_golden
from benchmarks.npu.verdicts import faults, shortfalls
from cfrnet_ros.vision.engine.models import shipped_models
from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.restoration.restorer import Restorer

FINE: dict[str, Any] = {'db': {'1': 50.0, '3': 49.0}, 'limit_db': 46.0, 'passed': True}
ANSWERS: dict[str, Any] = {
    'qnn': {
        'models': {
            'cfrnet_256_int8': {
                'operators': {'QNNExecutionProvider': 224},
                'load_s': 2.6,
                'load_again_s': 0.4,
                'golden': FINE,
            }
        }
    },
    'ethos': {
        'version': '5.2.0',
        'models': {
            'cfrnet_256': {'U65-512': {'ms': 10.8, 'sram_kib': 369.3, 'cpu_operators': {}}},
            'cfrnet_plain_256': {'U65-512': {'ms': 23.3, 'sram_kib': 384, 'cpu_operators': {}}},
        },
    },
}


def test_answers_without_a_fault_give_none_and_tools_that_were_not_asked_are_no_fault() -> None:
    assert faults(ANSWERS) == []
    assert faults({}) == []


def test_operators_on_the_cpu_distant_golden_crops_and_failures_are_faults() -> None:
    spoilt: dict[str, Any] = {
        'qnn': {
            'models': {
                'a': {'operators': {'QNNExecutionProvider': 9, 'CPUExecutionProvider': 2},
                      'golden': FINE},
                'b': {'reason': 'it does not load'},
            }
        },
        'litert': {
            'models': {'a': {'golden': FINE, 'calibrated': {'db': {'1': 30.0}, 'limit_db': 46.0,
                                                            'passed': False}}}
        },
        'rockchip': {'reason': 'it ended'},
        'ethos': {'models': {'a': {'U65': {'ms': 1, 'cpu_operators': {'RESIZE': 2}}}}},
    }  # fmt: skip
    far = {'db': {'1': 30.0}, 'limit_db': 46.0, 'passed': False}
    assert faults(spoilt) == [
        "Qualcomm's HTP emulator, b: it does not load",
        "Rockchip's simulator: it ended",
        "Qualcomm's HTP emulator, a: 2 operators on the CPU",
        'Vela, a for U65: on the CPU: RESIZE 2',
    ]
    # Of the tool's own quantisation, which is told and no fault of the file that ships.
    wanted = 'dB at k = 1, at least 46.0 dB are wanted'
    assert shortfalls(spoilt) == [f'LiteRT, calibrated anew, a: 30.0 {wanted}']
    assert faults({'litert': {'models': {'a': {'golden': far}}}}) == [f'LiteRT, a: 30.0 {wanted}']
    shipped = {'openvino_CPU': {'models': {'a': {'golden': far}}}}
    assert faults(shipped) == [f'OpenVINO on its device CPU, a: 30.0 {wanted}']


def test_the_page_has_a_row_for_each_answer_and_names_what_falls_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, 'PAGE', tmp_path / 'npu.md')
    monkeypatch.setattr(page, 'BASELINES', tmp_path / 'none.json')
    page.write_page(ANSWERS)
    text = (tmp_path / 'npu.md').read_text()
    assert "| Qualcomm's HTP emulator | `cfrnet_256_int8` | 224 | none | 2.6 | 0.4 |" in text
    assert (
        "| Qualcomm's HTP emulator | `cfrnet_256_int8` | as shipped | 50.0 / 49.0 | 46.0 |" in text
    )
    assert '| CFRNet, as shipped | 10.8 | 369 | none |' in text
    assert 'falls short' not in text
    page.write_page({**ANSWERS, 'rockchip': {'reason': 'it ended'}})
    assert "- Rockchip's simulator: it ended" in (tmp_path / 'npu.md').read_text()


def test_golden_crops_pass_for_the_shipped_file_and_fail_for_an_engine_that_does_nothing() -> None:
    models = shipped_models()
    session = Restorer(models['cfrnet_256_fp32'], choose_providers('cpu'), 1).engine.session
    name = session.get_inputs()[0].name

    def restore(state: NDArray[np.float32]) -> NDArray[np.float32]:
        pixels = np.rint(state[..., ::-1] * 255).astype(np.uint8)[None]
        found = session.run(None, {name: pixels})[0][0]
        return np.asarray(found[..., ::-1], np.float32) / np.float32(255)

    right = run_golden(models['cfrnet_256_fp32'], restore)
    assert right['passed']
    assert min(right['db'].values()) > 55
    assert not run_golden(models['cfrnet_256_fp32'], lambda state: state)['passed']
