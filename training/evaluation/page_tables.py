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

"""Markdown tables of figures: their columns, their cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from training.evaluation.bootstrap import Mean
from training.evaluation.records import Spread, Summary


class Column(NamedTuple):
    """A column of a table: the metric's key, its heading, its digits, and its factor."""

    metric: str
    heading: str
    digits: int
    scale: float = 1.0


LIKENESS = (
    Column('psnr', 'PSNR, dB', 2),
    Column('ssim', 'SSIM', 3),
    Column('ms_ssim', 'MS-SSIM', 3),
    Column('lpips', 'LPIPS', 3),
    Column('dists', 'DISTS', 3),
    Column('residual', 'residual', 4),
)

FACE = (
    Column('deg', 'Deg.', 1),
    Column('fed', 'FED', 3),
    Column('lmd', 'LMD, %', 2, 100.0),
    Column('niqe', 'NIQE', 2),
    Column('kid', 'KID x1000', 2, 1000.0),
)

DOWNSTREAM = (
    Column('detected', 'faces found, %', 1, 100.0),
    Column('mesh_found', 'mesh found, %', 1, 100.0),
    Column('lmd', 'landmark error, %', 2, 100.0),
    Column('eye_error', 'eye-openness error', 3),
    Column('eye_bias', 'its bias', 3),
    Column('match', 'identity matched, %', 1, 100.0),
    Column('deg', 'identity, degrees', 1),
)

WITHOUT_TRUTH = (
    Column('detected', 'faces found, %', 1, 100.0),
    Column('detection_score', 'detector score', 3),
    Column('mesh_found', 'mesh found, %', 1, 100.0),
    Column('deg', 'drift from the input, degrees', 1),
    Column('match', 'same person as input, %', 1, 100.0),
    Column('niqe', 'NIQE', 2),
    Column('kid', 'KID x1000', 2, 1000.0),
    Column('residual', 'residual', 4),
)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, with an empty line after it."""
    lines = ['| ' + ' | '.join(headings) + ' |', '|' + ' --- |' * len(headings)]
    lines += ['| ' + ' | '.join(row) + ' |' for row in rows]
    return '\n'.join(lines) + '\n'


def cell(figure: Mean | Spread | None, column: Column) -> str:
    """Return one figure with its interval, or '-' where it was not measured."""
    if figure is None:
        return '-'
    scale, digits = column.scale, column.digits
    text = f'{figure.mean * scale:.{digits}f}'
    if isinstance(figure, Spread):
        return f'{text} ± {figure.std * scale:.{digits}f}'
    low, high = (value * scale for value in figure.ci95)
    return f'{text} ({low:.{digits}f}..{high:.{digits}f})'


def by_cycle(entry: Summary, columns: Sequence[Column]) -> str:
    """Return the table of a set: a row for each cycle, and one for the truth where measured."""
    present = [c for c in columns if any(c.metric in row for row in entry.k.values())]
    rows = [[k, *(cell(row.get(c.metric), c) for c in present)] for k, row in entry.k.items()]
    if any(c.metric in entry.truth for c in present):
        rows.append(['truth', *(cell(entry.truth.get(c.metric), c) for c in present)])
    return table(['k', *(c.heading for c in present)], rows)
