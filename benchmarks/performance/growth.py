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

"""How the round trip grows with faces, resolution and cycles: fitted lines and their plot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use('Agg')
from matplotlib.figure import Figure

Results = Mapping[str, Any]


@dataclass(frozen=True)
class Growth:
    """A quantity over which the round trip grows.

    Attributes:
        what: Name of the quantity.
        unit: Unit of the slope after `ms`.
        cases: Names of the cases that differ in nothing else.
        value: Function from the figures of a case to the quantity.

    """

    what: str
    unit: str
    cases: tuple[str, ...]
    value: Callable[[Mapping[str, Any]], float]


GROWTHS: tuple[Growth, ...] = (
    Growth('cycles k', 'a cycle', ('k1', 'base', 'k3', 'k4'), lambda case: case['cycles']),
    Growth('faces', 'a face', ('base', 'faces2', 'faces3'), lambda case: case['faces']),
    Growth(
        'resolution, megapixels',
        'a megapixel',
        ('base', '1280x720', '1920x1080'),
        lambda case: case['width'] * case['height'] / 1e6,
    ),
)


@dataclass(frozen=True)
class Line:
    """A line fitted by least squares.

    Attributes:
        x: Quantities.
        y: Median round trips in milliseconds.
        slope_ms: Slope in milliseconds.
        start_ms: Value at zero in milliseconds.
        r2: Share of the variance that the line explains, 0..1.

    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    slope_ms: float
    start_ms: float
    r2: float


def fit(results: Results, growth: Growth) -> Line | None:
    """Fit a line; None if fewer than two of its cases were measured."""
    cases = [results['nodes'][name] for name in growth.cases if name in results['nodes']]
    if len(cases) < 2:
        return None
    x = np.array([growth.value(case) for case in cases], float)
    y = np.array([case['round_trip_ms']['p50'] for case in cases])
    slope, start = np.polyfit(x, y, 1)
    left = float(((y - (slope * x + start)) ** 2).sum())
    spread = float(((y - y.mean()) ** 2).sum())
    share = 1.0 - left / spread if spread else 1.0
    return Line(tuple(x), tuple(y), float(slope), float(start), share)


def draw(machines: Mapping[str, Results], path: Path) -> None:
    """Draw all growths, one panel each, with a line for each kind of CPU.

    Args:
        machines: Results by the title of the kind of CPU.
        path: PNG file to write.

    """
    figure = Figure(figsize=(10.5, 3.6), layout='constrained')
    panels = figure.subplots(1, len(GROWTHS))
    for axes, growth in zip(panels, GROWTHS):
        colours = ('#33658a', '#c8553d', '#5b8c5a', '#7d5ba6')
        for (title, results), colour in zip(machines.items(), colours):
            line = fit(results, growth)
            if line is None:
                continue
            ends = np.array([0.0, max(line.x)])
            axes.plot(line.x, line.y, 'o', color=colour)
            axes.plot(
                ends,
                line.slope_ms * ends + line.start_ms,
                color=colour,
                lw=1.2,
                label=f'{title}: {line.slope_ms:.1f} ms {growth.unit}',
            )
        axes.set_xlabel(growth.what)
        highest = max(axes.get_ylim()[1], 0.0)
        axes.set_ylim(0.0, 1.1 * highest)
        axes.set_xlim(left=0.0)
        axes.locator_params(axis='x', nbins=5, integer=growth.unit != 'a megapixel')
        axes.spines[['top', 'right']].set_visible(False)
        if axes.lines:
            # Above the panel, where it hides no line.
            axes.legend(frameon=False, fontsize=8, loc='lower left', bbox_to_anchor=(0.0, 1.0))
    panels[0].set_ylabel('round trip, ms (median)')
    path.parent.mkdir(parents=True, exist_ok=True)
    # Without the version of Matplotlib and the date, the same figures give the same file.
    figure.savefig(path, dpi=110, metadata={'Software': None})
