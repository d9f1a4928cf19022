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

"""Tables of docs/performance.md, from the results of one kind of CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.performance.growth import GROWTHS, fit

Results = Mapping[str, Any]

#: Titles of the models whose cycles are compared with the roof.
ROOFS = {'fp32': 'FP32', 'int8': 'INT8 file', 'int8_in_the_node': 'INT8 as the node runs it'}


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ['---'] * len(head), *rows]
    return '\n'.join('| ' + ' | '.join(map(str, line)) + ' |' for line in lines)


def machine(results: Results) -> str:
    """Describe the machine of the results in one sentence."""
    told = results['machine']
    return (
        f'{told["model"]}, {told["cores"]} cores, {", ".join(told["features"])};'
        f' ONNX Runtime {told["onnxruntime"]}, OpenCV {told["opencv"]}, Python {told["python"]};'
        f' load average at the start {results["load_average_1min"]};'
        f' {results["seconds"]} s in all'
    )


def nodes(results: Results) -> str:
    """Return the table of the node: one row a case."""
    rows = []
    base = results['nodes']['base']['round_trip_ms']['p50']
    for case in results['nodes'].values():
        trip, fps = case['round_trip_ms'], case['saturated_fps']
        rows.append(
            [
                case['changed'],
                f'{trip["p50"]:.1f}',
                f'{trip["p99"]:.1f}',
                f'{trip["p50"] / base:.2f}',
                f'{_spread(trip["rounds"]):.0f}%',
                f'{fps["median"]:.1f}',
                f'{_spread(fps["rounds"]):.0f}%',
                f'{case["cores"]:.2f}',
                f'{case["resident_mib"]["last"]:.0f}',
                case['lost'],
            ]
        )
    head = ['changed', 'median, ms', '99%, ms', 'of base', 'spread', 'frames/s', 'spread']
    return _table([*head, 'cores', 'MiB', 'lost'], rows)


def _spread(rounds: Sequence[float]) -> float:
    """Return half of the distance between the extremes, in percent of their middle."""
    middle = (max(rounds) + min(rounds)) / 2
    return 100.0 * (max(rounds) - min(rounds)) / 2 / middle if middle else 0.0


def parts(results: Results) -> str:
    """Return the table of what a round trip consists of, by size."""
    rows = []
    for name in ('base', '1280x720', '1920x1080', 'jpeg', 'jpeg_1920x1080', 'faces3', 'no_fusion'):
        case = results['nodes'].get(name)
        if case is None:
            continue
        spent = case['parts_ms']
        what = 'base' if name == 'base' else case['changed']
        rows.append(
            [
                what,
                *(
                    f'{spent[part]["p50"]:.1f} ({spent[part]["min"]:.1f})'
                    for part in ('networks', 'over_time', 'rest', 'outside')
                ),
            ]
        )
    head = ['', 'detection and cycles', 'fusion, smoothing', 'rest of the node', 'transport']
    return _table(head, rows)


def parameter_call(results: Results) -> str:
    """Return a sentence on the answer to a parameter call, and one on the memory."""
    base = results['nodes']['base']
    call, memory = base['parameter_call_ms'], base['resident_mib']
    return (
        f'A parameter call was answered in {call["p50"]:.1f} ms (median of {call["calls"]},'
        f' 95%: {call["p95"]:.1f} ms, longest {call["max"]:.1f} ms) while the node was kept busy.'
        f' Its resident memory was {memory["first"]:.0f} MiB in the first round and'
        f' {memory["last"]:.0f} MiB in the last.'
    )


def growth(results: Results) -> str:
    """Return the table of the fitted slopes."""
    rows = []
    for each in GROWTHS:
        line = fit(results, each)
        if line is not None:
            rows.append(
                [
                    each.what,
                    f'{line.slope_ms:.1f} ms {each.unit}',
                    f'{line.start_ms:.1f} ms',
                    f'{line.r2:.3f}',
                ]
            )
    return _table(['round trip over', 'slope', 'at zero', 'R²'], rows)


def stages(results: Results) -> str:
    """Return the table of the pipeline's stages without ROS."""
    sizes = results['vision_stages_ms']
    names = list(dict.fromkeys(name for each in sizes.values() for name in each))
    rows = [
        [
            f'`{name}`',
            *(
                f'{sizes[size][name]["min"]:.2f} ({sizes[size][name]["p50"]:.2f})'
                if name in sizes[size]
                else '-'
                for size in sizes
            ),
        ]
        for name in names
    ]
    return _table(['stage', *(size.replace('x', ' x ') for size in sizes)], rows)


def overlap(results: Results) -> str:
    """Return the table of frames a second with one frame at a time and with several at once."""
    found = results['overlap']
    ways = list(dict.fromkeys(way for by_way in found.values() for way in by_way))
    rows = [[way, *(_way(found[k].get(way, {})) for k in found)] for way in ways]
    return _table(['', *(f'k = {k.removeprefix("k")}' for k in found)], rows)


def _way(figures: Mapping[str, float]) -> str:
    """Return the figures of one way: frames a second, time of a frame, CPU time of a frame."""
    if not figures:
        return '-'
    text = f'{figures["fps"]:.1f}/s'
    if 'frame_ms' in figures:
        text += f', {figures["frame_ms"]:.0f} ms, {figures["core_ms"]:.0f} core-ms'
    return text


def roof(results: Results) -> str:
    """Return the table of cycle against roof, and the operators that hold it."""
    found = results['roof']
    rows = [
        [
            ROOFS[precision],
            f'{each["roof_gmacs"]:.0f}',
            f'{each["at_roof_ms"]:.1f}',
            f'{each["cycle_ms"]:.1f}',
            f'**{each["ratio"]:.2f}**',
        ]
        for precision, each in found.items()
    ]
    head = ['', 'roof, GMAC/s', 'cycle at the roof, ms', 'cycle, ms of CPU time', 'ratio']
    text = _table(head, rows)
    for precision, each in found.items():
        operators = [
            [
                row['operator'],
                row['shape'],
                row['count'],
                f'{row["ms"]:.2f}',
                f'{row["gmac"]:.3f}' if 'gmac' in row else '-',
                f'{row["over_roof"]:.2f}' if 'over_roof' in row else '-',
            ]
            for row in each['operators'][:10]
        ]
        kinds = ['operator', 'output', 'how many', 'ms', 'GMAC', 'of the roof']
        text += f'\n\n{ROOFS[precision]}, the operators that take longest:\n\n'
        text += _table(kinds, operators)
    return text


def engines(results: Results) -> str:
    """Return the table of the engines."""
    rows = [
        [
            f'{row["engine"]} {row["version"]}',
            row['precision'],
            f'{row["min_ms"]:.1f}',
            f'{row["over_onnxruntime_fp32"]:.2f}',
            ' / '.join(f'{value:.1f}' for value in row['decibels'].values()),
        ]
        for row in results['rows']
    ]
    ks = ' / '.join(results['rows'][0]['decibels'])
    head = ['engine', 'precision', 'cycle, ms of CPU time', 'of ONNX Runtime FP32']
    text = _table([*head, f'dB from the FP32 reference at k = {ks}'], rows)
    for name, reason in results['absent'].items():
        text += f'\n\n{name} could not be measured: {reason}'
    return text
