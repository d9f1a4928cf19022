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

"""The same faces through all rows that can restore one. It shows people: not for publication."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from cfrnet_ros.vision.engine.models import MODEL_DIR
from cfrnet_ros.vision.preprocessing.exposure import expose_face
from training.evaluation.cases import CaseSet
from training.evaluation.contact_sheet import contact_sheet
from training.evaluation.protocol import SETS
from training.evaluation.runner import CycleRunner
from training.experiments.systems.measuring import classical
from training.experiments.systems.measuring.measure import SHIPPED
from training.experiments.systems.measuring.wheels import WHEELS, WheelRestorer
from training.experiments.systems.rows import read_rows

Picture = NDArray[np.uint8]

#: Number of faces, taken from the sets in turn, and side of a tile in pixels.
FACES, TILE = 12, 176


def draw_sheet(data: Path, work: Path) -> Path:
    """Draw the degraded faces, each row's restored ones and the truths; return the file's path.

    One-pass networks are shown after one pass, CFRNet and the plain CNN that ship after three. A
    row is left out if it has not been trained and measured, or if its wheel is not installed.

    Args:
        data: Folder with MANIFEST.tsv.
        work: Folder of the models, as the step `measure` left it.

    """
    columns: dict[str, Callable[[Picture], Picture]] = {}
    for name, function in classical.FILTERS.items():
        columns[name.replace('_', ' ')] = function
    for name, wheel in WHEELS.items():
        try:
            columns[name.replace('_', ' ')] = WheelRestorer(wheel)
        except ImportError as error:
            tqdm.write(f'left out: {error}')
    for row in read_rows().rows.values():
        path = work / 'trained' / f'{row.name}_fp32.onnx'
        if path.is_file():
            columns[row.title.split(',')[0]] = _after(path, 3 if 'cfrnet' in row.name else 1)
    for name, (_, file) in SHIPPED.items():
        columns[name.replace('_', ' ')] = _after(MODEL_DIR / file, 3)
    cases = [CaseSet(data, name) for name in SETS]
    rows = []
    for number in tqdm(range(FACES), unit='face'):
        case = cases[number % len(cases)].case(number)
        seen = expose_face(case.degraded)
        assert case.truth is not None
        restored = [restore(seen) for restore in columns.values()]
        rows.append([case.degraded, *restored, case.truth])
    path = work / 'sheet.jpg'
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet = contact_sheet(rows, ['camera', *columns, 'truth'], TILE)
    cv2.imwrite(str(path), sheet, [cv2.IMWRITE_JPEG_QUALITY, 92])
    return path


def _after(model: Path, cycles: int) -> Callable[[Picture], Picture]:
    runner = CycleRunner(model)
    return lambda crop: runner(crop, cycles)[0][-1]
