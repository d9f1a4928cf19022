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

"""The plots of `docs/comparison.md`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

from training.evaluation.protocol import SETS
from training.experiments.systems.measuring.report import Report, RowFigures

mpl.use('Agg')
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers can tell apart.
_COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#56B4E9', '#E69F00', '#000000')
_MARKERS = ('o', 's', '^', 'D', 'v', 'P', 'X', '*')


def _milliseconds(row: RowFigures) -> float | None:
    if 'int8' in row.costs:
        return row.costs['int8'].ms_1
    return row.costs['fp32'].ms_1 if row.costs else row.ms


def quality_against_latency(report: Report, path: Path) -> None:
    """Draw LPIPS and identity over milliseconds, a line of k = 1, 2, 3 for each network.

    Args:
        report: Figures of all rows.
        path: Path of the PNG file.

    """
    figure = Figure(figsize=(4.2 * len(SETS), 6.4), layout='constrained')
    grid = figure.subplots(2, len(SETS), squeeze=False)
    rows = [r for r in report.rows.values() if r.quality and r.group != 'ablation']
    for line, (metric, title) in enumerate((('lpips', 'LPIPS'), ('deg', 'identity, degrees'))):
        for place, name in enumerate(SETS):
            axes = grid[line][place]
            for number, row in enumerate(rows):
                once = _milliseconds(row)
                if once is None or name not in row.quality:
                    continue
                table = row.quality[name]['k']
                _plot(
                    axes,
                    number,
                    row.title,
                    [max(once, 0.1) * int(k) for k in table],
                    [v[metric] for v in table.values()],
                )
            axes.set_xscale('log')
            axes.set_xticks((1, 10, 100, 1000), labels=('1', '10', '100', '1000'))
            axes.minorticks_off()
            axes.grid(alpha=0.3)
            axes.set_title(name)
            axes.set_xlabel('ms, one thread, k passes')
            if place == 0:
                axes.set_ylabel(title)
    _save(figure, grid[0][0], path)


def quality_by_cycle(report: Report, path: Path) -> None:
    """Draw PSNR and LPIPS over k for every row that was applied several times.

    Args:
        report: Figures of all rows.
        path: Path of the PNG file.

    """
    figure = Figure(figsize=(4.2 * len(SETS), 6.4), layout='constrained')
    grid = figure.subplots(2, len(SETS), squeeze=False, sharex=True)
    rows = [
        row
        for row in report.rows.values()
        if row.group != 'ablation' and any(len(t['k']) > 1 for t in row.quality.values())
    ]
    for line, (metric, title) in enumerate((('psnr', 'PSNR, dB'), ('lpips', 'LPIPS'))):
        for place, name in enumerate(SETS):
            axes = grid[line][place]
            for number, row in enumerate(rows):
                table = row.quality.get(name, {}).get('k', {})
                _plot(
                    axes,
                    number,
                    row.title,
                    [int(k) for k in table],
                    [v[metric] for v in table.values()],
                )
            axes.grid(alpha=0.3)
            axes.set_title(name)
            axes.set_xlabel('cycles k')
            axes.set_xticks([1, 2, 3])
            if place == 0:
                axes.set_ylabel(title)
    _save(figure, grid[0][0], path)


def _plot(axes: Axes, number: int, title: str, x: Sequence[float], y: Sequence[float]) -> None:
    """Draw the line of the row of a number, which chooses its colour and its marker."""
    colour, marker = _COLOURS[number % len(_COLOURS)], _MARKERS[number % len(_MARKERS)]
    axes.plot(x, y, color=colour, marker=marker, label=title)


def _save(figure: Figure, axes: Axes, path: Path) -> None:
    """Write a plot whose legend is that of one of its parts."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc='outside lower center', ncols=3, fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
