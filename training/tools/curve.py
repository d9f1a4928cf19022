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

"""How quality grew with training: ``python -m training.tools.curve RUN``.

Reads the run's ``validation.csv``, writes ``docs/training_curve.json`` and a plot beside it.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl

from training.run.validation import SETS

mpl.use('Agg')
from matplotlib.figure import Figure

CYCLES = (1, 2, 3, 4)
_SHADES = ('#cdb4db', '#b185c9', '#8e5ea2', '#5c3a6e')


def read(path: Path) -> list[dict[str, Any]]:
    """Return of each validation its step, its hours of training and its figures.

    What validates a run can change while it goes on; only those count that saw the faces
    that the last one saw, by the figures of the degraded input.

    Raises:
        FileNotFoundError: The file is missing.

    """
    rows: dict[int, dict[str, Any]] = {}
    with path.open(encoding='utf-8', newline='') as stream:
        for entry in csv.DictReader(stream):
            step = int(entry['step'])
            row = rows.setdefault(
                step, {'step': step, 'hours': round(float(entry['seconds']) / 3600, 2)}
            )
            row[entry['name']] = round(float(entry['value']), 4)
    same = [f'{name}_lpips_0' for name in SETS]
    last = rows[max(rows)]
    return [row for _, row in sorted(rows.items()) if all(row.get(k) == last[k] for k in same)]


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw LPIPS by set and k, and how well a clean face is kept, over the hours."""
    figure = Figure(figsize=(11, 3.4), layout='constrained')
    axes = figure.subplots(1, 3)
    hours = [row['hours'] for row in rows]
    for axis, name in zip(axes, SETS, strict=False):
        axis.axhline(rows[0][f'{name}_lpips_0'], color='#9a9a9a', ls='--', lw=1, label='input')
        for k, shade in zip(CYCLES, _SHADES, strict=True):
            values = [row[f'{name}_lpips_{k}'] for row in rows]
            axis.plot(hours, values, color=shade, marker='o', ms=3, label=f'k = {k}')
        axis.set_title(f'LPIPS, {name}')
    for key, label, shade in (
        ('clean_kept_db', 'one cycle', _SHADES[0]),
        ('clean_kept_8_db', 'eight cycles', _SHADES[3]),
    ):
        axes[2].plot(hours, [row[key] for row in rows], color=shade, marker='o', ms=3, label=label)
    axes[2].set_title('A clean face, PSNR to itself, dB')
    for axis in axes:
        axis.set_xlabel('hours of training')
        axis.spines[['top', 'right']].set_visible(False)
        axis.legend(frameon=False, fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Measure, write and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('run', type=Path, help="a run's folder")
    parser.add_argument('--docs', type=Path, default=Path('docs'))
    args = parser.parse_args()
    rows = read(args.run / 'validation.csv')
    text = json.dumps(rows, indent=1) + '\n'
    (args.docs / 'training_curve.json').write_text(text, encoding='utf-8')
    draw(rows, args.docs / 'images' / 'training_curve.png')


if __name__ == '__main__':
    main()
