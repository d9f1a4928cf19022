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

"""Writes docs/npu.md from docs/npu.json."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.npu.verdicts import EXECUTES, OWN_QUANTISATION, faults, shortfalls

PAGE = Path('docs/npu.md')
BASELINES = Path('docs/deployability.json')

#: Networks by the beginning of their files' names.
NAMES = {'cfrnet_256': 'CFRNet', 'cfrnet_plain_256': 'plain CNN'}

_HEAD = """\
# NPU compilers and simulators

`make test-npu` asks the compilers and simulators that install from the Python package index what
they make of the shipped models. It writes [npu.json](npu.json) and this page, and fails if one of
them leaves an operator to the CPU, or gives golden crops of the shipped INT8 files that the
[self-test](diagnostics.md#the-self-test) would refuse. None of it needs a chip, and none of it
shows the speed of one except by the estimate of its own compiler. [hardware.md](hardware.md) has
the steps for each family of chips.
"""

_LEVELS = """
Qualcomm's emulator and OpenVINO ran the shipped INT8 files. LiteRT ran a TFLite file with the
levels of their weights and the steps of their tensors (`benchmarks/npu/shipped_levels.py`): what
the Ethos-U computes, here on the CPU. It takes and gives the colour order of the shipped file, BGR,
as levels of pixels minus 128. The tool's own: quantised from the float network, with channels of
like range (`benchmarks/npu/float_onnx.py`), calibrated with 8 crops of one face
(`benchmarks/npu/calibration.py`), each weight rounded by itself.
"""

_REMEDY = """
A toolchain that quantises by itself rounds what the shipped INT8 files make good.
Where it takes QDQ or TFLite files, give it the shipped INT8 file or the TFLite file that
`make test-npu` leaves in `.npu/work`; otherwise more and other faces for the calibration, 16-bit
activations, or quantisation-aware training in the tool are what is left to try.
"""


def write_page(found: Mapping[str, Any]) -> None:
    """Write the page.

    Args:
        found: Answers by tool, as in docs/npu.json.

    """
    parts = [_HEAD, *_placement(found), *_golden(found), *_ethos(found), *_intel(found)]
    wrong = [*faults(found), *shortfalls(found)]
    if wrong:
        parts.append('## What falls short\n')
        parts += [f'- {line}' for line in wrong]
        parts.append(_REMEDY if shortfalls(found) else '')
    PAGE.write_text('\n'.join(parts).rstrip() + '\n', encoding='utf-8')


def _placement(found: Mapping[str, Any]) -> Iterator[str]:
    yield '## Operators\n'
    yield '| tool | model | on the NPU | on the CPU | seconds to load | with what was kept |'
    yield '| --- | --- | --- | --- | --- | --- |'
    for tool in ('qnn', 'openvino_CPU'):
        for model, answer in found.get(tool, {}).get('models', {}).items():
            if 'reason' in answer:
                yield f'| {EXECUTES[tool]} | `{model}` | {answer["reason"]} | | | |'
                continue
            operators = dict(answer['operators'])
            on_cpu = operators.pop('CPUExecutionProvider', 0)
            placed = sum(operators.values()) or 'all'
            yield (
                f'| {EXECUTES[tool]} | `{model}` | {placed} | {on_cpu or "none"} |'
                f' {answer["load_s"]} | {answer["load_again_s"]} |'
            )
    for model, answer in found.get('rockchip', {}).get('models', {}).items():
        text = answer.get('reason', f'compiled, {answer.get("bytes", 0) / 1e6:.1f} MB')
        yield f"| Rockchip's compiler, RK3588 | `{model}` | {text} | | | |"
    yield (
        '\nLoaded as the node loads it with `strict_provider: true`, which refuses a model of which'
        ' a single operator\nwould run on the CPU. "With what was kept": the second start, with the'
        ' compiled model in `~/.cache/cfrnet_ros`.\n'
    )


def _golden(found: Mapping[str, Any]) -> Iterator[str]:
    yield '## Golden crops\n'
    yield 'PSNR from the FP32 reference, as in the self-test.\n'
    yield '| tool | model | levels | k = 1 / 3, dB | at least |'
    yield '| --- | --- | --- | --- | --- |'
    for tool, name in EXECUTES.items():
        for model, answer in found.get(tool, {}).get('models', {}).items():
            for kind in ('golden', 'calibrated'):
                if kind not in answer:
                    continue
                golden = answer[kind]
                figures = ' / '.join(str(value) for value in golden['db'].values())
                levels = "the tool's own" if OWN_QUANTISATION.get(tool) == kind else 'as shipped'
                yield f'| {name} | `{model}` | {levels} | {figures} | {golden["limit_db"]} |'
    yield _LEVELS


def _ethos(found: Mapping[str, Any]) -> Iterator[str]:
    ethos = found.get('ethos')
    if not ethos:
        return
    targets = list(next(iter(ethos['models'].values())))
    yield '## Arm Ethos-U\n'
    version = ethos['version']
    yield f'Estimates of Vela {version}: ms of a cycle, SRAM in KiB, operators on the CPU.\n'
    yield '| network | ' + ' | '.join(f'{t}, ms | SRAM | CPU' for t in targets) + ' |'
    yield '| --- |' + ' --- | --- | --- |' * len(targets)
    for family, by_target in ethos['models'].items():
        yield _ethos_row(f'{NAMES[family]}, as shipped', by_target, targets)
    if BASELINES.is_file():
        known = json.loads(BASELINES.read_text(encoding='utf-8'))
        for row, answer in known['rows'].items():
            if 'targets' in answer and set(targets) <= set(answer['targets']):
                yield _ethos_row(
                    f'`{row}` ([compared](deployability.md))', answer['targets'], targets
                )
    yield ''


def _ethos_row(name: str, by_target: Mapping[str, Any], targets: list[str]) -> str:
    cells = [name]
    for target in targets:
        answer = by_target[target]
        if 'reason' in answer:
            cells += [answer['reason'], '', '']
            continue
        left = ', '.join(f'{kind} {n}' for kind, n in answer['cpu_operators'].items()) or 'none'
        cells += [str(answer['ms']), f'{answer["sram_kib"]:.0f}', left]
    return '| ' + ' | '.join(cells) + ' |'


def _intel(found: Mapping[str, Any]) -> Iterator[str]:
    answers = found.get('openvino_NPU', {}).get('models', {})
    if not answers:
        return
    yield "## Intel's NPU\n"
    yield (
        'The package holds the plugin of the NPU and not its compiler, which comes with the driver.'
        ' Without the\ndevice the node says:\n'
    )
    reason = next(iter(answers.values())).get('reason', 'the device is there')
    yield f'```\n{reason}\n```\n'
