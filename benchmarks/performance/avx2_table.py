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

"""Tables of AVX2 kernels beside those of AVX-512 on the same core."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.performance.tables import ROOFS, machine

#: Titles of the kernels, in the order of the columns.
VARIANTS = {'installed': 'AVX-512 and VNNI', 'avx2': 'AVX2'}


def table(results: Mapping[str, Any]) -> str:
    """Return the tables of engine and node."""
    return '\n\n'.join([machine(results), _engine(results), _golden(results), _nodes(results)])


def _row(what: str, before: float, after: float) -> str:
    return f'| {what} | {before:.1f} | {after:.1f} | {after / before:.2f} |'


def _engine(results: Mapping[str, Any]) -> str:
    installed, avx2 = (results['engine'][name] for name in VARIANTS)
    rows = [
        _row(
            f'cycle, ONNX Runtime, {title}',
            *(e['roof'][name]['cycle_ms'] for e in (installed, avx2)),
        )
        for name, title in ROOFS.items()
    ]
    for name, title in (('fp32', 'FP32'), ('int8', 'INT8')):
        if 'openvino_ms' in installed and 'openvino_ms' in avx2:
            times = (each['openvino_ms'][name] for each in (installed, avx2))
            rows.append(_row(f'cycle, OpenVINO, {title}', *times))
    rows.append(_row('detection, 640 x 480', installed['detect_ms'], avx2['detect_ms']))
    head = ['| one thread, ms of CPU time | ' + ' | '.join(VARIANTS.values()) + ' | ratio |']
    roofs = [
        f'| {title} | '
        + ' | '.join(
            f'{e["roof"][name]["roof_gmacs"]:.0f} | **{e["roof"][name]["ratio"]:.2f}**'
            for e in (installed, avx2)
        )
        + ' |'
        for name, title in ROOFS.items()
    ]
    titles = [f'{title}: roof, GMAC/s | cycle over roof' for title in VARIANTS.values()]
    return '\n'.join(
        [
            *head,
            '| --- | --- | --- | --- |',
            *rows,
            '',
            '| | ' + ' | '.join(titles) + ' |',
            '| --- | --- | --- | --- | --- |',
            *roofs,
        ]
    )


def _golden(results: Mapping[str, Any]) -> str:
    installed, avx2 = (results['engine'][name]['golden'] for name in VARIANTS)
    same = [title for name, title in ROOFS.items() if installed[name] == avx2[name]]
    other = [title for name, title in ROOFS.items() if installed[name] != avx2[name]]
    text = f'Golden crop after three cycles, the same bytes with both kernels: {", ".join(same)}.'
    return text + (f' Other bytes: {", ".join(other)}.' if other else '')


def _nodes(results: Mapping[str, Any]) -> str:
    head = ['threads', 'k']
    for title in VARIANTS.values():
        head += [f'{title}: ms of CPU time a frame', 'frames/s of one core']
    lines = ['| ' + ' | '.join([*head, 'ratio']) + ' |', '|' + ' --- |' * (len(head) + 1)]
    for threads in results['threads']:
        for k in (1, 2, 3):
            names = [f'{variant}_threads{threads}_k{k}' for variant in VARIANTS]
            spent = [results['nodes'][name]['cpu_ms'] for name in names]
            cells = [f'{ms:.0f} | {1e3 / ms:.1f}' for ms in spent]
            lines.append(
                f'| {threads} | {k} | ' + ' | '.join(cells) + f' | {spent[1] / spent[0]:.2f} |'
            )
    return '\n'.join(lines)
