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

"""The page `docs/comparison.md`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from training.evaluation.protocol import REAL
from training.experiments.systems.measuring.report import FileCost, Report, RowFigures
from training.experiments.systems.pages import claims, contrasts

#: Metrics of the tables with a truth, and of real faces: name, heading, digits, factor.
_METRICS = (
    ('psnr', 'PSNR dB', 2, 1.0),
    ('ssim', 'SSIM', 3, 1.0),
    ('ms_ssim', 'MS-SSIM', 3, 1.0),
    ('lpips', 'LPIPS', 3, 1.0),
    ('dists', 'DISTS', 3, 1.0),
    ('niqe', 'NIQE', 2, 1.0),
    ('kid', '1000 KID', 1, 1000.0),
    ('deg', 'identity, degrees', 1, 1.0),
    ('fed', 'FED', 3, 1.0),
    ('identity_failures', 'identity failures, %', 1, 100.0),
    ('lmd', 'landmark error, %', 2, 100.0),
    ('detected', 'face found, %', 1, 100.0),
)
_REAL_METRICS = tuple(m for m in _METRICS if m[0] in ('niqe', 'kid', 'detected'))

#: What stands in the place of the tables of quality before anything is measured.
_NOT_MEASURED = [
    'Quality is not measured yet: not of the rows that are trained by this harness, and not of the',
    'filters, wheels and shipped models, which need no training here. The shipped models are in',
    '[results.md](results.md).',
]

#: Groups in the order of the tables.
_GROUPS = ('classical', 'wheel', 'comparison', 'shipped')


def render(report: Report, npu: Mapping[str, Any] | None = None) -> str:
    """Return the Markdown page.

    Args:
        report: Figures of all rows.
        npu: Content of `docs/deployability.json`, or None if no compiler was asked.

    """
    rows = [row for group in _GROUPS for row in report.rows.values() if row.group == group]
    ablation = [row for row in report.rows.values() if row.group == 'ablation']
    lines = [
        '# Other restorers beside CFRNet',
        '',
        'Made by `python -m training.experiments.compare_systems page` of the figures in',
        '`comparison.json`. Every network below is an implementation of this project from the',
        'description in its paper, in about 2.0 M parameters at 256 x 256 px',
        '(`training/networks/systems`): not the published weights, which are in no package. What',
        'each row minimises stands in `training/experiments/systems`.',
        '',
        *_state(report),
        '',
        '## What a pass costs',
        '',
        f'On {report.machine}, one 256 x 256 px face. One thread: median of',
        f'{report.rounds} runs of the time spent computing; two threads: shortest time that',
        'passed, on a machine that ran other programs too. Weights do not change these figures.',
        'Memory: peak beyond that of a process with ONNX Runtime alone. CFRNet is meant for one to',
        'three passes. A dash: not measured, or on too busy a machine.',
        '',
        *_costs([*rows, *(row for row in ablation if row.network == 'cfrnet_attention')]),
    ]
    sets = dict.fromkeys(name for row in rows for name in row.quality)
    lines += ['', *(_reading(report) if sets else _NOT_MEASURED)]
    for name in sets:
        lines += ['', f'## Quality: {name}', '', *_quality(rows, name)]
    trained = [row for row in rows if row.training is not None]
    lines += _against(rows)
    if trained:
        lines += ['', '## Training', '', *_training(trained)]
        lines += ['', '![Quality against latency](images/systems_quality.png)']
        lines += ['', '![Quality by cycle](images/systems_cycles.png)']
    lines += ['', '## Ablation', '', *_ablation(report, ablation)]
    base = report.rows.get('cfrnet')
    if base is not None and base.quality:
        lines += ['', "## The paper's claims", '', *claims.table(claims.claims(report, npu))]
    return '\n'.join(lines) + '\n'


def _state(report: Report) -> list[str]:
    rows = [row for row in report.rows.values() if row.absent == 'not trained yet']
    waiting = [row.title for row in rows if row.group == 'comparison']
    variants = len(rows) - len(waiting)
    if variants:
        waiting.append(f'{variants} variants of CFRNet')
    if not rows:
        return ['All rows got the same number of windows, faces, degradations and seeds.']
    return [
        f'**{len(rows)} rows are not trained yet** and have no quality here:',
        f'{"; ".join(waiting)}.',
        'Given for them is what needs no training: parameters, multiplications, times and memory.',
        'Nothing on this page says yet which system restores better under the same budget.',
    ]


def _reading(report: Report) -> list[str]:
    people = f'{report.faces}' if report.faces else 'all'
    return [
        f'Quality is measured on {people} people, spread over the test split, degraded by seed',
        f'{report.seed}, by the code of [results.md](results.md); underexposed faces are',
        'brightened before every row, as the node does; what the node adds, the smoothing of the',
        'colours of very dark ones, is left out, so that every row gets the same picture. Figures',
        'of pages with other people do not compare with these. The networks in wheels enlarge, so',
        'their faces are reduced by their own factor first. Identity failures: share of faces that',
        'SFace, at its own threshold, no longer takes for the person in the truth. DISTS is',
        'measured on every fifth person, KID where there are 50.',
    ]


def _costs(rows: Sequence[RowFigures]) -> list[str]:
    lines = [
        '| row | parameters | GMAC | FP32 ms, 1 / 2 threads | INT8 ms, 1 / 2 threads | '
        'FP32 / INT8 file, MB | FP32 / INT8 memory, MB |',
        '| --- | --- | --- | --- | --- | --- | --- |',
    ]
    for row in rows:
        cells = [
            row.title,
            f'{row.parameters:,}' if row.parameters else '',
            f'{row.gmac:.2f}' if row.gmac else '',
        ]
        if row.costs:
            both = [row.costs.get(precision) for precision in ('fp32', 'int8')]
            cells += [_times(cost) for cost in both]
            cells.append(' / '.join(f'{c.megabytes:.1f}' if c else '-' for c in both))
            cells.append(' / '.join(f'{c.peak_megabytes:.0f}' if c else '-' for c in both))
        else:
            cells += [f'{row.ms:.1f}' if row.ms is not None else '', '', '', '']
        lines.append(f'| {" | ".join(cells)} |')
    return lines


def _times(cost: FileCost | None) -> str:
    if cost is None:
        return '-'
    return f'{cost.ms_1:.0f} / {"-" if cost.ms_2 is None else f"{cost.ms_2:.0f}"}'


def _quality(rows: Sequence[RowFigures], name: str) -> list[str]:
    metrics = _REAL_METRICS if name == REAL else _METRICS
    lines = [
        f'| row | k | people | {" | ".join(title for _, title, _, _ in metrics)} |',
        f'| --- | --- | --- |{" --- |" * len(metrics)}',
    ]
    for row in rows:
        if name not in row.quality:
            if row.absent:
                reason = row.absent.split(':')[0]
                lines.append(f'| {row.title} | | {reason} |{" |" * len(metrics)}')
            continue
        table = row.quality[name]
        for k, values in table['k'].items():
            shown = k if len(table['k']) > 1 else ''
            cells = [_figure(values, metric) for metric in metrics]
            lines.append(f'| {row.title} | {shown} | {table["people"]} | {" | ".join(cells)} |')
    return lines


def _against(rows: Sequence[RowFigures]) -> list[str]:
    compared = [row for row in rows if any('against_cfrnet' in q for q in row.quality.values())]
    if not compared:
        return []
    return [
        '',
        '## Against CFRNet of the same budget',
        '',
        "The row's figure minus CFRNet's, each at the k of its lowest mean LPIPS, with the 95%",
        'interval of a paired bootstrap over people. Better and worse: the interval leaves out 0.',
        'One training each: how much hangs on its seed was not measured.',
        '',
        *contrasts.table(compared),
    ]


def _figure(values: dict[str, float], metric: tuple[str, str, int, float]) -> str:
    name, _, digits, factor = metric
    return f'{values[name] * factor:.{digits}f}' if name in values else ''


def _training(rows: Sequence[RowFigures]) -> list[str]:
    lines = [
        'PSNR gained: last tenth of the last phase against the tenth before, on training faces;',
        'a row well above 0 was still improving. Device seconds are those of the row alone.',
        '',
        '| row | windows | device seconds | device | steps left out | PSNR gained, dB |',
        '| --- | --- | --- | --- | --- | --- |',
    ]
    for row in rows:
        training = row.training
        assert training is not None
        gained = '' if training.psnr_gained_db is None else f'{training.psnr_gained_db:+.2f}'
        lines.append(
            f'| {row.title} | {training.windows:,} | {training.seconds:.0f} | {training.device} '
            f'| {training.skipped} | {gained} |'
        )
    return lines


def _ablation(report: Report, rows: Sequence[RowFigures]) -> list[str]:
    trained = [row for row in rows if row.training is not None]
    base = report.rows.get('cfrnet')
    if not trained or base is None or base.training is None:
        return [
            f'The {len(rows)} variants of CFRNet (each of the three losses of its training left',
            'out in turn, 1 / 2 / 4 cycles instead of 3, no component loss, attention, 8-bit',
            'rounding between cycles) are rows of the same harness and not trained yet.',
        ]
    sets = [name for name in base.quality if name != REAL]
    lines = [
        'Each variant against CFRNet of the same budget, at k = 1 / 2 / 3.',
        '',
        f'| variant | {" | ".join(f"{s}: PSNR dB | {s}: LPIPS | {s}: identity" for s in sets)} |',
        f'| --- |{" --- |" * 3 * len(sets)}',
    ]
    for row in (base, *trained):
        cells = []
        for name in sets:
            table = row.quality[name]['k']
            for metric, digits in (('psnr', 2), ('lpips', 3), ('deg', 1)):
                cells.append(
                    ' / '.join(f'{values[metric]:.{digits}f}' for values in table.values())
                )
        lines.append(f'| {row.title} | {" | ".join(cells)} |')
    compared = [row for row in trained if any('against_cfrnet' in q for q in row.quality.values())]
    if compared:
        lines += ['', "The variant's figure minus CFRNet's, as above:", '']
        lines += contrasts.table(compared)
        lines += ['', 'What is read from it, and what became of it in the shipped recipe:']
        lines += ['[training-log.md](training-log.md#what-the-ablation-teaches).']
    return lines
