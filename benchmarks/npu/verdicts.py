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

"""What is wrong with the answers of the tools."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

#: Names of the tools that execute the models, by their key in docs/npu.json.
EXECUTES = {
    'qnn': "Qualcomm's HTP emulator",
    'openvino_CPU': 'OpenVINO on its device CPU',
    'litert': 'LiteRT',
    'rockchip': "Rockchip's simulator",
}


#: Where a tool's answer has the golden crops of its own quantisation of the float network.
OWN_QUANTISATION = {'litert': 'calibrated', 'rockchip': 'golden'}


def faults(found: Mapping[str, Any]) -> list[str]:
    """Return a sentence for everything that must not be.

    That are operators off the NPU, tools that fail, and golden crops of the shipped INT8 files
    beyond the limit.

    Args:
        found: Answers by tool, as in docs/npu.json. Tools that were never asked are no fault.

    """
    shipped = [tool for tool in EXECUTES if OWN_QUANTISATION.get(tool) != 'golden']
    distant = _distant(found, dict.fromkeys(shipped, 'golden'))
    return [*_failed(found), *distant, *_placed(found)]


def shortfalls(found: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each file of a tool's own quantisation that is beyond the limit.

    Args:
        found: Answers by tool, as in docs/npu.json.

    """
    return list(_distant(found, OWN_QUANTISATION))


def _failed(found: Mapping[str, Any]) -> Iterator[str]:
    for tool, name in EXECUTES.items():
        answers = found.get(tool, {})
        if 'reason' in answers:
            yield f'{name}: {answers["reason"]}'
        for model, answer in answers.get('models', {}).items():
            if 'reason' in answer:
                yield f'{name}, {model}: {answer["reason"]}'


def _distant(found: Mapping[str, Any], kinds: Mapping[str, str]) -> Iterator[str]:
    for tool, kind in kinds.items():
        for model, answer in found.get(tool, {}).get('models', {}).items():
            golden = answer.get(kind, {'passed': True})
            if not golden['passed']:
                figures = ' / '.join(f'{value}' for value in golden['db'].values())
                cycles = ' / '.join(golden['db'])
                name = EXECUTES[tool] + (', calibrated anew' if kind == 'calibrated' else '')
                yield (
                    f'{name}, {model}: {figures} dB at k = {cycles}, at least'
                    f' {golden["limit_db"]} dB are wanted'
                )


def _placed(found: Mapping[str, Any]) -> Iterator[str]:
    for tool in ('qnn', 'openvino_CPU'):
        for model, answer in found.get(tool, {}).get('models', {}).items():
            on_cpu = answer.get('operators', {}).get('CPUExecutionProvider', 0)
            if on_cpu:
                yield f'{EXECUTES[tool]}, {model}: {on_cpu} operators on the CPU'
    for model, targets in found.get('ethos', {}).get('models', {}).items():
        for target, answer in targets.items():
            if 'reason' in answer:
                yield f'Vela, {model} for {target}: {answer["reason"]}'
            elif answer['cpu_operators']:
                left = ', '.join(f'{name} {n}' for name, n in answer['cpu_operators'].items())
                yield f'Vela, {model} for {target}: on the CPU: {left}'
