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

"""The command ``python -m training.tools.evaluate_groups``.

Measures a shipped ONNX file on groups of the held-out people: light and dark skin, glasses, age,
source. Writes ``docs/groups.json`` and ``docs/groups.md``. A run that was stopped goes on where it
was; what neither the model, the data nor the measuring code changed is not measured again. Takes
about six minutes of one CPU core.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cfrnet_ros.vision.engine.model_card import load_card
from training.data.crops import aligned
from training.data.manifest import manifest_sha256
from training.evaluation import cache
from training.evaluation.bootstrap import DRAWS
from training.evaluation.cases import CaseSet
from training.evaluation.groups.figures import CYCLES, summarise
from training.evaluation.groups.labels import Dimension, label
from training.evaluation.groups.page import render
from training.evaluation.meters import Meters
from training.evaluation.protocol import CHUNK, CLEAN, SEED, Coverage, Share
from training.evaluation.schedule import do_units, read_results
from training.evaluation.work import QUALITY, Unit, result_path

SETS = ('general', 'car')

MODEL = Path('cfrnet_ros/models/cfrnet_256_int8.onnx')

#: What is measured: the quick metrics, and those that a driver monitor depends on.
COVERAGE = Coverage(
    {group: Share(CYCLES, truth=group == 'mesh') for group in ('psnr', 'lpips', 'identity', 'mesh')}
)


def list_units(model: Path, data: Path, folder: Path, limit: int) -> list[Unit]:
    """List the units of work of both sets."""
    code, weights, sha256 = cache.code_sha256(), Meters().weights(), load_card(model).sha256
    units = []
    for name in SETS:
        cases = CaseSet(data, name)
        chosen = range(min(len(cases), limit or len(cases)))
        for first in range(0, len(chosen), CHUNK):
            numbers = tuple(chosen[first : first + CHUNK])
            path = result_path(
                folder, QUALITY, model, sha256, cases, numbers, max(CYCLES), COVERAGE, code, weights
            )
            units.append(Unit(QUALITY, model, data, name, numbers, max(CYCLES), COVERAGE, path))
    return units


def draw_sheets(dimensions: Sequence[Dimension], data: Path, folder: Path) -> None:
    """Draw the undegraded faces of each group, to look at the labels."""
    records = CaseSet(data, CLEAN).records
    folder.mkdir(parents=True, exist_ok=True)
    for dimension in dimensions:
        for group, numbers in dimension.groups.items():
            tiles = [cv2.resize(aligned(records[n]), (96, 96)) for n in numbers]
            tiles += [np.zeros((96, 96, 3), np.uint8)] * (-len(tiles) % 16)
            rows = [np.hstack(tiles[i : i + 16]) for i in range(0, len(tiles), 16)]
            name = f'{dimension.name} {group}'.lower().replace(',', '').replace(' ', '_')
            cv2.imwrite(str(folder / f'{name}.png'), np.vstack(rows))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog='python -m training.tools.evaluate_groups',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--data', type=Path, required=True, help='folder with MANIFEST.tsv')
    parser.add_argument(
        '--model', type=Path, default=Path('cfrnet_ros/models/cfrnet_256_int8.onnx')
    )
    parser.add_argument('--jobs', type=int, default=os.cpu_count() or 1, help='processes')
    parser.add_argument('--limit', type=int, default=0, help='first N people only, 0 = all')
    parser.add_argument('--cache', type=Path, default=Path('runs/evaluation/cache'))
    parser.add_argument('--out', type=Path, default=Path('docs'))
    parser.add_argument('--sheets', type=Path, help='contact sheets (they show people: keep them)')
    given = parser.parse_args(arguments)
    if given.limit < 0 or given.jobs < 1:
        parser.error('--limit must be 0 or above, --jobs 1 or above')
    people = CaseSet(given.data, CLEAN).records
    people = people[: given.limit or len(people)]
    dimensions = label(people)
    if given.sheets is not None:
        draw_sheets(dimensions, given.data, given.sheets)
    units = list_units(given.model, given.data, given.cache, given.limit)
    do_units(units, given.jobs, 1)
    readings, seconds = read_results(units)
    result: dict[str, Any] = {
        'command': 'python -m training.tools.evaluate_groups',
        'model': given.model.name,
        'model_sha256': load_card(given.model).sha256,
        'manifest_sha256': manifest_sha256(given.data),
        'seed': SEED,
        'draws': DRAWS,
        'people': len(people),
        'core_seconds': round(seconds[given.model.stem]),
        'sets': {
            name: {
                dimension.name: summarise(dimension, readings[QUALITY, given.model.stem, name])
                for dimension in dimensions
            }
            for name in SETS
        },
    }
    given.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=1) + '\n'
    (given.out / 'groups.json').write_text(text, encoding='utf-8')
    (given.out / 'groups.md').write_text(render(result), encoding='utf-8')
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
