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

"""Writes docs/performance.md from the results: `python -m benchmarks.performance.page`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.pages import replace_part
from benchmarks.performance import avx2_table, tables
from benchmarks.performance.growth import draw

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / 'docs' / 'performance.md'
RESULTS = ROOT / 'benchmarks' / 'results'
PLOT = 'images/performance_growth.png'

#: Titles of the kinds of CPU, by the ending of a result's file.
KINDS = {
    'x86_64_vnni': 'x86-64 with VNNI',
    'x86_64_avx2': 'x86-64 with AVX2 alone',
    'aarch64_dot': 'Arm with dot product instructions',
    'aarch64_plain': 'Arm without dot product instructions',
}
Table = Callable[[Any], str]


def read_results(folder: Path, prefix: str) -> dict[str, Any]:
    """Return the results of each kind of CPU that was measured, in the order of `KINDS`."""
    found = {
        path.stem.removeprefix(f'{prefix}_'): json.loads(path.read_text(encoding='utf-8'))
        for path in sorted(folder.glob(f'{prefix}_*.json'))
    }
    known = {kind: found.pop(kind) for kind in KINDS if kind in found}
    return {**known, **found}


def write_page(folder: Path = RESULTS, page: Path = PAGE) -> None:
    """Write tables and plot.

    Args:
        folder: Folder of the results.
        page: Page with marks for each part; the plot goes into `images` beside it.

    Raises:
        ValueError: The page lacks a mark.

    """
    measured, engines = read_results(folder, 'performance'), read_results(folder, 'engines')
    kernels = read_results(folder, 'avx2')
    parts: dict[str, tuple[dict[str, Any], Table]] = {
        'machines': (measured, tables.machine),
        'nodes': (measured, tables.nodes),
        'parts': (measured, lambda r: tables.parts(r) + '\n\n' + tables.parameter_call(r)),
        'growth': (measured, tables.growth),
        'stages': (measured, tables.stages),
        'overlap': (measured, tables.overlap),
        'roof': (measured, tables.roof),
        'engines': (engines, tables.engines),
        'avx2': (kernels, avx2_table.table),
    }
    for name, (results, table) in parts.items():
        texts = [f'**{KINDS.get(kind, kind)}**\n\n{table(each)}' for kind, each in results.items()]
        replace_part(page, name, '\n\n'.join(texts) or 'Not measured yet.')
    titled = {KINDS.get(kind, kind): each for kind, each in measured.items()}
    draw(titled, page.parent / PLOT)


if __name__ == '__main__':
    write_page()
    sys.exit(0)
