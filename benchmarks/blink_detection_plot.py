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

"""Draws the plot of `blink_detection`: openness over time, with the detected closures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np

from benchmarks.blink_detection_figures import Recording, detect, matches

mpl.use('Agg')
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_DRAWN = {
    'clean': ('perfect camera', '#7f7f7f'),
    'camera': ('bad camera', '#d62728'),
    'k2': ('fused and restored, k = 2', '#1f77b4'),
}


def draw(path: Path, recordings: Sequence[tuple[str, Recording]]) -> None:
    """Draw a row for each recording.

    Args:
        path: Path of the PNG file.
        recordings: Title and recording of each row.

    """
    figure = Figure(figsize=(11, 2.1 * len(recordings) + 0.6), layout='constrained')
    rows: list[Axes] = list(
        np.atleast_1d(figure.subplots(len(recordings), 1, sharex=True, sharey=True))
    )
    for axes, (title, recording) in zip(rows, recordings):
        _draw_row(axes, title, recording)
    rows[-1].set_xlabel('time, s')
    rows[0].set_ylim(-0.02, 0.47)
    handles, labels = rows[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc='outside upper center', ncols=len(labels), frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)


def _draw_row(axes: Axes, title: str, recording: Recording) -> None:
    for index, (start, end) in enumerate(recording.closures):
        label = 'lids move' if index == 0 else None
        axes.axvspan(start, end, color='#2ca02c', alpha=0.18, lw=0, label=label)
    for place, (origin, (label, colour)) in enumerate(_DRAWN.items()):
        ratios = recording.ratios[origin]
        axes.plot(recording.times, ratios, color=colour, lw=1.0, label=label)
        found = detect(recording.times, ratios).closures
        # A bar for each detected closure: filled if it is real, with a cross if it is not.
        for (start, end), real in zip(found, matches(found, recording.closures)):
            level = 0.065 - 0.03 * place
            axes.plot([start, end], [level, level], color=colour, lw=4, solid_capstyle='butt')
            if real is None:
                axes.plot([(start + end) / 2], [level], 'x', color='black', ms=6)
    axes.set_title(title, loc='left', fontsize=9)
    axes.set_ylabel('eye aspect\nratio', fontsize=8)
    axes.spines[['top', 'right']].set_visible(False)
