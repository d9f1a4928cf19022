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

"""Tables of how far the rows are from CFRNet of the same budget."""

from __future__ import annotations

from collections.abc import Sequence

from training.evaluation.protocol import REAL
from training.experiments.systems.measuring.report import RowFigures

#: Metrics of the tables: name, heading, digits, and whether more is better.
METRICS = (
    ('lpips', 'LPIPS', 3, False),
    ('psnr', 'PSNR, dB', 2, True),
    ('deg', 'identity, degrees', 1, False),
)


def sets_of(rows: Sequence[RowFigures]) -> list[str]:
    """Return the sets with a truth that any of the rows was measured on, in order."""
    return [name for name in dict.fromkeys(n for r in rows for n in r.quality) if name != REAL]


def verdict(row: RowFigures, name: str, metric: str, more: bool) -> int:
    """Return whether a row is better than CFRNet on a set.

    Args:
        row: Figures of the row.
        name: Name of the set.
        metric: One of `METRICS`.
        more: Whether more of the metric is better.

    Returns:
        1 if the row is better, -1 if it is worse, 0 where the 95% interval of the difference
        holds 0 or nothing was compared.

    """
    found = row.quality.get(name, {}).get('against_cfrnet', {}).get(metric)
    if found is None or found[1] <= 0.0 <= found[2]:
        return 0
    return 1 if (found[0] > 0) == more else -1


def table(rows: Sequence[RowFigures]) -> list[str]:
    """Return the lines of a table of differences: the row's figure minus CFRNet's.

    Args:
        rows: Rows that were compared.

    """
    sets = sets_of(rows)
    titles = [f'{name}: {title}' for name in sets for _, title, _, _ in METRICS]
    lines = [f'| row | {" | ".join(titles)} |', f'| --- |{" --- |" * len(titles)}']
    for row in rows:
        cells = [
            _cell(row, name, metric, digits, more)
            for name in sets
            for metric, _, digits, more in METRICS
        ]
        lines.append(f'| {row.title} | {" | ".join(cells)} |')
    return lines


def _cell(row: RowFigures, name: str, metric: str, digits: int, more: bool) -> str:
    found = row.quality.get(name, {}).get('against_cfrnet', {}).get(metric)
    if found is None:
        return ''
    mark = {1: ' better', -1: ' worse', 0: ''}[verdict(row, name, metric, more)]
    value, low, high = (f'{v:+.{digits}f}' for v in found)
    return f'{value} ({low}..{high}){mark}'
