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

"""The page `docs/deployability.md`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.experiments.systems.measuring.report import Report, RowFigures

#: Operators of ONNX of which CFRNet's graphs and their like consist; what else stands in a graph is
#: listed.
PLAIN = frozenset({'Conv', 'Relu', 'Add', 'Resize', 'Clip', 'Concat', 'AveragePool', 'Mul'})

#: How the operators of a quantised file are called, which are in every one.
_QUANTISING = {'QuantizeLinear', 'DequantizeLinear', 'Transpose', 'Cast', 'Constant'}


def render(report: Report, npu: Mapping[str, Any] | None) -> str:
    """Return the Markdown page.

    Args:
        report: Figures of all rows.
        npu: Content of `docs/deployability.json`, or None if no compiler was asked.

    """
    # Variants of CFRNet that are its graph would repeat its line.
    others = {row.network for row in report.rows.values() if row.group == 'comparison'}
    rows = [
        row
        for row in report.rows.values()
        if (row.operators or row.reasons)
        and (row.group != 'ablation' or row.network not in others or row.training is not None)
    ]
    lines = [
        '# What can be deployed',
        '',
        'Made by `python -m training.experiments.compare_systems page` of `comparison.json` and',
        '`deployability.json`. Export, operators, latency and memory do not depend on the weights;',
        "what INT8 loses does, and is given for trained rows alone. HiSilicon's compiler, with",
        'which the paper deploys CFRNet, cannot be had: its claim that the others cannot be',
        'compiled by it is not tested here.',
        '',
        '## Static graph and operators',
        '',
        f'Beyond: operators other than {", ".join(sorted(PLAIN))}, of which CFRNet and its like',
        'consist. Which of them a compiler leaves to a CPU is a question for each compiler.',
        '',
        '| row | static graph | nodes | beyond |',
        '| --- | --- | --- | --- |',
    ]
    for row in rows:
        static = 'yes' if row.operators else f'no: {row.reasons.get("fp32", "")}'
        beyond = {
            name: count for name, count in row.operators.items() if name not in PLAIN | _QUANTISING
        }
        told = ', '.join(f'{name} {count}' for name, count in beyond.items()) or 'none'
        lines.append(f'| {row.title} | {static} | {sum(row.operators.values())} | {told} |')
    lines += ['', '## INT8', '', *_int8(rows)]
    lines += ['', '## Arm Ethos-U', '', *_npu(npu, report)]
    if npu is not None and 'htp' in npu:
        lines += ['', "## Qualcomm's HTP", '', *_htp(npu['htp'], report)]
    if npu is not None and 'openvino' in npu:
        lines += ['', '## OpenVINO', '', *_openvino(npu['openvino'], report)]
    if npu is not None and 'rockchip' in npu:
        lines += ['', "## Rockchip's NPU", '', *_rockchip(npu['rockchip'], report)]
    return '\n'.join(lines) + '\n'


def _int8(rows: list[RowFigures]) -> list[str]:
    lines = [
        'QDQ, weights of 7 bits a channel, activations of 8, calibrated by the largest and',
        'smallest values of 8 faces through three passes; the same method for every row, and no',
        'row tuned.',
        'PSNR between the outputs of the INT8 and the FP32 file, and the change of the figures',
        'against the truth, on 16 validation faces at k = 1 / 2 / 3.',
        '',
        '| row | INT8 file | share of the time of FP32 | to FP32, dB | PSNR change, dB '
        '| LPIPS change |',
        '| --- | --- | --- | --- | --- | --- |',
    ]
    for row in rows:
        costs = row.costs
        ratio = ''
        if {'fp32', 'int8'} <= set(costs):
            ratio = f'{costs["int8"].ms_1 / costs["fp32"].ms_1:.2f}'
        reason = row.reasons.get('int8')
        made = 'yes' if 'int8' in costs else f'no: {reason}' if reason else 'not measured yet'
        loss = row.int8_loss
        cells = ['not trained yet' if row.absent else '', '', '']
        if loss is not None:
            cells = [
                ' / '.join(f'{v:.1f}' for v in loss['to_fp32_db']),
                ' / '.join(f'{v:+.2f}' for v in loss['psnr_change_db']),
                ' / '.join(f'{v:+.4f}' for v in loss['lpips_change']),
            ]
        lines.append(f'| {row.title} | {made} | {ratio} | {" | ".join(cells)} |')
    return lines


def _npu(npu: Mapping[str, Any] | None, report: Report) -> list[str]:
    if npu is None:
        return [
            'No compiler has been asked yet (`python -m training.experiments.compare_systems npu`).'
        ]
    targets = list(npu['targets'])
    lines = [
        f"Estimates of Arm's compiler, ethos-u-vela {npu['vela']}, of INT8 TFLite files made by",
        f'litert-torch {npu["litert_torch"]} and ai-edge-quantizer {npu["quantizer"]}:',
        'milliseconds a pass on the NPU, and the operators that it leaves to the CPU, whose time',
        'is in no estimate. Neither depends on the weights. Where LEAKY_RELU stands between',
        'DEQUANTIZE and QUANTIZE, it is the quantiser that leaves it in float; another may not.',
        '',
        f'| row | {" | ".join(targets)} | operators on the CPU ({targets[-1]}) |',
        f'| --- |{" --- |" * (len(targets) + 1)}',
    ]
    for name, entry in npu['rows'].items():
        title = report.title(name)
        if 'reason' in entry:
            lines.append(f'| {title} |{" |" * len(targets)} not compiled: {entry["reason"]} |')
            continue
        cells = []
        for target in targets:
            found = entry['targets'].get(target, {})
            cells.append(f'{found["ms"]:.1f}' if 'ms' in found else 'refused')
        last = entry['targets'].get(targets[-1], {})
        left = ', '.join(f'{o} {n}' for o, n in last.get('cpu_operators', {}).items()) or 'none'
        left = last.get('reason', left)
        lines.append(f'| {title} | {" | ".join(cells)} | {left} |')
    # The variants of CFRNet are one graph, and two rows of the comparison are another's.
    asked = {report.rows[name].network for name in npu['rows'] if name in report.rows}
    waiting = {
        row.network: row.title
        for row in report.rows.values()
        if row.group in ('comparison', 'ablation') and row.network not in asked
    }
    if waiting:
        lines += ['', f'Not asked yet about: {", ".join(waiting.values())}.']
    return lines


def _htp(htp: Mapping[str, Any], report: Report) -> list[str]:
    return [
        f"Qualcomm's compiler and its emulator of the NPU ({htp['package']}), given the INT8 ONNX",
        'files by the code of the node. Whole: whether the node takes the file with',
        '`strict_provider`, which refuses a single operator on the CPU. The operators are those of',
        'the file, those that quantise among them. PSNR: between the outputs of the',
        "emulator and of the CPU for one golden crop; the emulator's speed is not the chip's.",
        '',
        "| row | whole | on the NPU | on the CPU | to the CPU's output, dB |",
        '| --- | --- | --- | --- | --- |',
        *_placed(htp['rows'], report),
    ]


def _openvino(openvino: Mapping[str, Any], report: Report) -> list[str]:
    return [
        f"Intel's compiler ({openvino['package']}) on its device CPU, given the INT8 ONNX",
        "files as Qualcomm's was. The compiler of Intel's NPU comes with the driver of the device",
        "and was not asked. PSNR: between the outputs of OpenVINO and of ONNX Runtime's own CPU",
        'kernels for one golden crop.',
        '',
        "| row | whole | by OpenVINO | by ONNX Runtime | to ONNX Runtime's output, dB |",
        '| --- | --- | --- | --- | --- |',
        *_placed(openvino['rows'], report),
    ]


def _placed(rows: Mapping[str, Any], report: Report) -> list[str]:
    lines = []
    for name, entry in rows.items():
        title = report.title(name)
        if 'reason' in entry:
            lines.append(f'| {title} | no | none | all: {entry["reason"]} | |')
            continue
        left = ', '.join(f'{o} {n}' for o, n in entry['cpu'].items()) or 'none'
        apart = 'the same' if entry['to_cpu_db'] is None else f'{entry["to_cpu_db"]:.1f}'
        whole = 'yes' if entry['strict'] else 'no'
        lines.append(f'| {title} | {whole} | {entry["npu"]} | {left} | {apart} |')
    return lines


def _rockchip(rockchip: Mapping[str, Any], report: Report) -> list[str]:
    lines = [
        f"Rockchip's compiler for the {rockchip['target'].upper()} and its simulator",
        f'(rknn-toolkit2 {rockchip["version"]}), given the FP32 ONNX files, which the compiler',
        'quantises itself, calibrated with 8 crops of one face. [npu.md](npu.md) has the shipped',
        'models, whose channels are made alike first. Whole: no operator on the CPU. The operators',
        'are those of the compiler, which rewrites the graph; the two that give the input and take',
        'the output run on the CPU in every file and are left out. PSNR: between the outputs of',
        'the simulator and of the FP32 file for one golden crop.',
        '',
        'The toolkit measures milliseconds and memory on a board alone. Without one, its compiler',
        'tells the cycles of convolutions and what is fused into them. They are no latency: their',
        'sum leaves out the operators on the NPU that the column "no cycles told" counts.',
        'Buffers are what the compiler calls internal memory.',
        '',
        '| row | whole | on the NPU | on the CPU | file, MB | to FP32, dB | cycles, millions '
        '| no cycles told | buffers, KiB |',
        f'| ---{" | ---" * 8} |',
    ]
    for name, entry in rockchip['rows'].items():
        title = report.title(name)
        if 'reason' in entry:
            lines.append(f'| {title} | no | | not compiled: {entry["reason"]} |{" |" * 5}')
            continue
        left = ', '.join(f'{o} {n}' for o, n in entry['cpu'].items()) or 'none'
        cells = [
            'no' if entry['cpu'] else 'yes',
            str(sum(entry['npu'].values())),
            left,
            f'{entry["bytes"] / 1e6:.1f}',
            f'{entry["to_float_db"]:.1f}',
            f'{entry["megacycles"]:.1f}',
            str(entry['uncounted']),
            f'{entry["activations_kib"]:.0f}',
        ]
        lines.append(f'| {title} | {" | ".join(cells)} |')
    return lines
