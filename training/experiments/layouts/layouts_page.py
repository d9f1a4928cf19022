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

"""The page that the comparison's figures make."""

from __future__ import annotations

from training.experiments.layouts.quality import PairedDifference
from training.experiments.layouts.report import Report

#: ms a cycle that Arm's compiler for Ethos-U, ethos-u-vela 5, estimated for INT8 networks of
#: 2.0 M parameters of these kinds, every operator on the NPU. Not these exact networks.
VELA: dict[str, tuple[str, str, str, str]] = {
    'stride 4, 64 channels': ('93', '29', '30', '7.9'),
    'stride 8, 128 channels, 6 blocks': ('29', '10', '9.5', '3.0'),
    'encoder-decoder': ('41', '15', '12', '3.9'),
    'space-to-depth stem, body at stride 4': ('78', '27', '35', '12'),
}


def render(report: Report) -> str:
    """Return the Markdown page of a report (see `training.experiments.compare_layouts`)."""
    layouts = report.layouts
    reference, kept_k = report.reference, report.front_cycles
    sets = list(layouts[reference].quality)
    lines = [
        '# Layouts of the network',
        '',
        'Made by `python -m training.experiments.compare_layouts`; the figures are in',
        f'`layouts.json`. Every layout was trained for {report.steps} steps from the seed',
        f'{report.seed} on the same batches, degradations and losses',
        '(`training/experiments/layouts/comparison.yaml`: one',
        f'cycle, from step {report.first_steps} on two), then measured on',
        f'{report.faces} validation faces, degraded by the sets in turn. So little training',
        'says which layout learns faster, not how good any of them can get.',
        '',
        '## Quality after equal steps against the cost of a cycle',
        '',
        '| layout | parameters | GMAC | INT8 ms | FP32 ms | INT8 time, share of '
        f"{reference}'s | PSNR dB k = 1 / 2 / 3 | LPIPS k = 1 / 2 / 3 | "
        'INT8 to FP32 dB | front |',
        '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    ]
    lines.append(
        f'| (input) | | | | | | {report.input["psnr"]:.2f} | {report.input["lpips"]:.3f} | | |'
    )
    for name, row in layouts.items():
        both = row.mean
        lines.append(
            f'| {name} | {row.parameters:,} | {row.gmac:.2f} '
            f'| {row.speed["int8"].median_ms:.1f} | {row.speed["fp32"].median_ms:.1f} '
            f'| {row.int8_time_ratio:.2f} '
            f'| {_series(both["psnr"], 2)} | {_series(both["lpips"], 3)} '
            f'| {row.int8_to_fp32_db:.1f} | {"yes" if name in report.front else ""} |'
        )
    lines += [
        '',
        f'Front: no other layout is at least as fast (INT8) and at least as good in PSNR and in '
        f'LPIPS at k = {kept_k}. Times are those one thread spends computing, of all files in '
        f'turn ({report.rounds} rounds) on {report.machine}; ratios carry over, times do '
        'not.',
        '',
        f'## Against {reference}, face by face',
        '',
        f'Mean difference at k = {kept_k} with its 95% interval over faces (bootstrap). It says '
        'how sure the difference is for these weights, not how much another seed would change it.',
        '',
        '| layout | PSNR dB | LPIPS |',
        '| --- | --- | --- |',
    ]
    for name, row in layouts.items():
        if name != reference:
            psnr, lpips = row.against_reference['psnr'], row.against_reference['lpips']
            lines.append(f'| {name} | {_interval(psnr, 2)} | {_interval(lpips, 3)} |')
    lines += [
        '',
        '## By set of degradations',
        '',
        f'| layout | {" | ".join(f"{s}: PSNR dB k = 1 / 2 / 3 | LPIPS" for s in sets)} |',
        f'| --- |{" --- |" * 2 * len(sets)}',
    ]
    for name, row in layouts.items():
        cells = ' | '.join(
            f'{_series(row.quality[s]["psnr"][1:], 2)} | {_series(row.quality[s]["lpips"][1:], 3)}'
            for s in sets
        )
        lines.append(f'| {name} | {cells} |')
    equal = report.equal_time
    lines += [
        '',
        '## After equal training time',
        '',
        f'What each layout had reached at k = 1, on {equal.faces} of the faces, after the '
        f'{equal.seconds:.0f} s of computing that {equal.fastest}, the cheapest to train, '
        f'needs for its first {report.first_steps} steps; there the learning rate is still the '
        'same for all.',
        '',
        '| layout | ms a step, k = 1 | steps | PSNR dB | LPIPS |',
        '| --- | --- | --- | --- | --- |',
    ]
    for name, row in layouts.items():
        then = row.at_equal_time
        lines.append(
            f'| {name} | {row.step_ms:.0f} | {then["step"]:.0f} | {then["psnr_1"]:.2f} '
            f'| {then["lpips_1"]:.3f} |'
        )
    lines += [
        '',
        '## On an NPU',
        '',
        "Estimates of ms a cycle by Arm's compiler (ethos-u-vela 5) for INT8 networks of these "
        'kinds and of 2.0 M parameters, not for the exact networks above:',
        '',
        '| layout | U55-256 | U65-512 | U85-512 | U85-2048 |',
        '| --- | --- | --- | --- | --- |',
        *(f'| {name} | {" | ".join(cells)} |' for name, cells in VELA.items()),
    ]
    if report.kept:
        lines += ['', '## What is kept', '', report.kept]
    return '\n'.join(lines) + '\n'


def _series(values: list[float], digits: int) -> str:
    return ' / '.join(f'{value:.{digits}f}' for value in values)


def _interval(figure: PairedDifference, digits: int) -> str:
    return f'{figure.mean:+.{digits}f} ({figure.low:+.{digits}f} to {figure.high:+.{digits}f})'
