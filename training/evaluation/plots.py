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

"""The plots of `docs/results.md`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from training.evaluation.bootstrap import Mean
from training.evaluation.figures import CLEAN_PSNR_DB
from training.evaluation.protocol import CLEAN, SETS
from training.evaluation.records import Results, Row

mpl.use('Agg')
from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers can tell apart.
_COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#56B4E9', '#E69F00')
_STYLES = ('-', '--', '-.', ':', '-', '--')


def quality_by_cycle(result: Results, path: Path) -> None:
    """Draw PSNR and LPIPS over k for every set and model, with their intervals.

    Args:
        result: Results of the evaluation.
        path: Path of the PNG file.

    """
    names = [n for n in SETS if any(n in m.sets for m in result.models.values())]
    figure = Figure(figsize=(3.6 * max(1, len(names)), 5.6), layout='constrained')
    grid = figure.subplots(2, max(1, len(names)), squeeze=False, sharex=True)
    for row, (metric, title) in enumerate((('psnr', 'PSNR, dB'), ('lpips', 'LPIPS (AlexNet)'))):
        for place, name in enumerate(names):
            axes = grid[row][place]
            for number, (model, entry) in enumerate(result.models.items()):
                if name in entry.sets:
                    _curve(
                        axes,
                        entry.sets[name].k,
                        metric,
                        number,
                        result.labels[model],
                        band=model == result.main,
                    )
            if row == 0:
                axes.set_title(name)
            else:
                axes.set_xlabel('cycles k (0 = degraded input)')
            if place == 0:
                axes.set_ylabel(title)
            _tidy(axes)
    _legend(figure, grid[0][0])
    _save(figure, path)


def fixed_point(result: Results, path: Path) -> None:
    """Draw residual and drift up to k = 16 for clean and degraded faces.

    Args:
        result: Results of the evaluation.
        path: Path of the PNG file.

    """
    figure = Figure(figsize=(10.8, 6.0), layout='constrained')
    grid = figure.subplots(2, 2, sharex=True, squeeze=False)
    panels = (
        (grid[0][0], CLEAN, 'psnr_to_start', 'clean face: PSNR to itself, dB'),
        (grid[0][1], 'degraded', 'psnr', 'degraded face: PSNR to the truth, dB'),
        (grid[1][0], CLEAN, 'residual', 'clean face: residual'),
        (grid[1][1], 'degraded', 'residual', 'degraded face: residual'),
    )
    for axes, name, metric, title in panels:
        for number, (model, sets) in enumerate(result.fixed_point.items()):
            if name in sets:
                _curve(axes, sets[name].k, metric, number, result.labels[model], band=True)
        axes.set_title(title, fontsize=10)
        if metric == 'residual':
            axes.set_yscale('log')
            axes.set_xlabel('cycles k')
        _tidy(axes)
    grid[0][0].axhline(CLEAN_PSNR_DB, color='#444444', lw=0.8, ls=':')
    grid[0][0].annotate(
        f'to reach at k=16: {CLEAN_PSNR_DB:.0f} dB', (1.0, CLEAN_PSNR_DB), fontsize=8,
        xycoords=('axes fraction', 'data'), ha='right', va='bottom', color='#444444',
    )  # fmt: skip
    _legend(figure, grid[0][0])
    _save(figure, path)


def _curve(
    axes: Any, stages: Mapping[str, Row], metric: str, number: int, label: str, band: bool
) -> None:
    rows = [
        (int(k), figure) for k, row in stages.items() if isinstance(figure := row.get(metric), Mean)
    ]
    if not rows:
        return
    ks = [k for k, _ in rows]
    colour, style = _COLOURS[number % len(_COLOURS)], _STYLES[number % len(_STYLES)]
    means = [figure.mean for _, figure in rows]
    axes.plot(ks, means, style, color=colour, label=label, marker='o', ms=3, lw=1.4)
    if band:
        bounds = np.array([figure.ci95 for _, figure in rows])
        axes.fill_between(ks, bounds[:, 0], bounds[:, 1], color=colour, alpha=0.15, lw=0)


def _tidy(axes: Any) -> None:
    axes.spines[['top', 'right']].set_visible(False)
    axes.grid(axis='y', color='#e4e4e4', lw=0.6)
    axes.set_axisbelow(True)
    axes.xaxis.get_major_locator().set_params(integer=True)


def _legend(figure: Any, axes: Any) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        # Four names are as wide as the figure.
        columns = len(labels) if len(labels) < 5 else 3
        figure.legend(handles, labels, loc='outside lower center', ncols=columns, frameon=False)


def _save(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Without the version of the library, so that equal figures give equal files.
    figure.savefig(path, dpi=110, metadata={'Software': None})
