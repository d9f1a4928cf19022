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

"""Renders docs/groups.md from docs/groups.json."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.evaluation.groups.figures import BEHIND, CYCLES, JUDGED, LEAST_PEOPLE, METRICS

_TEMPLATE = Path(__file__).with_name('page.md')


def render(result: Mapping[str, Any]) -> str:
    """Return the page."""
    behind = list_behind(result)
    verdict = (
        'No group is behind.'
        if not behind
        else 'Behind are:\n\n' + '\n'.join(f'- {line}' for line in behind)
    )
    parts = [
        _TEMPLATE.read_text(encoding='utf-8').format(
            people=result['people'],
            model=result['model'],
            verdict=verdict,
            behind=100 * BEHIND,
            least=LEAST_PEOPLE,
            judgements=sum(
                len(entry['judged'])
                for dimensions in result['sets'].values()
                for groups in dimensions.values()
                for entry in groups.values()
            ),
            draws=f'{result["draws"]:,} draws',
        )
    ]
    for name, dimensions in result['sets'].items():
        parts.append(f'## Set `{name}`\n')
        for dimension, groups in dimensions.items():
            parts += [f'### {dimension}\n', *_table(groups), '', *_judged(groups), '']
    return '\n'.join(parts).rstrip() + '\n'


def list_behind(result: Mapping[str, Any]) -> list[str]:
    """Name the groups that are behind, with set, property and metric."""
    return [
        f'`{group}` ({dimension}, set `{name}`): {METRICS[metric][0]}, '
        f"{100 * judged['gain']:.0f}% of the input's error taken away, "
        f'{-100 * judged["ahead"]:.0f} points less than for the others'
        for name, dimensions in result['sets'].items()
        for dimension, groups in dimensions.items()
        for group, entry in groups.items()
        for metric, judged in entry['judged'].items()
        if judged['behind']
    ]


def _table(groups: Mapping[str, Any]) -> list[str]:
    heads = [title for title, _, _ in METRICS.values()]
    lines = [f'| group | people | k | {" | ".join(heads)} |', '| --- ' * (3 + len(heads)) + '|']
    for group, entry in groups.items():
        for k in CYCLES:
            row = entry['k'][str(k)]
            cells = [f'{row[metric]["mean"]:.{METRICS[metric][1]}f}' for metric in METRICS]
            who = f'{group} | {entry["people"]}' if k == 0 else ' | '
            lines.append(f'| {who} | {k} | {" | ".join(cells)} |')
    return lines


def _judged(groups: Mapping[str, Any]) -> list[str]:
    """Return the table of what two cycles take away, against the other groups."""
    rows = []
    for group, entry in groups.items():
        cells = []
        for metric in JUDGED:
            judged = entry['judged'].get(metric)
            if judged is None:
                cells.append('-')
                continue
            low, high = (100 * value for value in judged['ci95'])
            gain, ahead = (100 * judged[key] for key in ('gain', 'ahead'))
            cells.append(f'{gain:.0f}%, {ahead:+.0f} ({low:+.0f} to {high:+.0f})')
        if cells != ['-'] * len(cells):
            rows.append(f'| {group} | {" | ".join(cells)} |')
    if not rows:
        return []
    heads = ' | '.join(METRICS[metric][0] for metric in JUDGED)
    return [
        'Share of the error of the input that k = 2 takes away, and points more or less than for'
        ' the others:',
        '',
        f'| group | {heads} |',
        '| --- ' * (1 + len(JUDGED)) + '|',
        *rows,
    ]
