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

"""Contact sheets of chosen test faces. They show people: not for publication."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.evaluation.cases import CaseSet
from training.evaluation.contact_sheet import contact_sheet, side_by_side
from training.evaluation.meters import Readings
from training.evaluation.protocol import CLEAN, REAL
from training.evaluation.runner import CycleRunner
from training.evaluation.schedule import Request, Task
from training.evaluation.summary import column
from training.evaluation.work import QUALITY

#: The cycle by whose LPIPS faces are ranked, and faces of each kind.
RANKED_BY, EACH = 2, 8


def ranked(faces: Sequence[Readings], stage: str) -> dict[str, list[int]]:
    """Choose the worst, the median and the best faces by LPIPS, by nothing else.

    Args:
        faces: Readings with LPIPS at the stage.
        stage: Cycle k as a string.

    Returns:
        Numbers of faces, `EACH` of each kind or as many as there are.

    """
    distance = column(faces, stage, 'lpips')
    order = sorted(distance, key=lambda number: -distance[number])
    each = min(EACH, len(order) // 3) or len(order)
    middle = (len(order) - each) // 2
    return {
        'worst': order[:each],
        'median': order[middle : middle + each],
        'best': order[len(order) - each :],
    }


def draw_ranked(
    data: Path, model: Path, name: str, faces: Sequence[Readings], cycles: int, path: Path
) -> None:
    """Draw 8 worst, 8 median and 8 best faces: before, k = 1, 2, 3, truth.

    Args:
        data: Folder with MANIFEST.tsv.
        model: ONNX file.
        name: Name of a set with a truth.
        faces: Readings of the set's faces.
        cycles: Largest k that was measured.
        path: Path of the JPEG file.

    """
    cases, runner = CaseSet(data, name), CycleRunner(model)
    shown = min(3, cycles)
    stage = str(min(RANKED_BY, cycles))
    before, after = column(faces, '0', 'lpips'), column(faces, stage, 'lpips')
    titles = ['before', *(f'k={k}' for k in range(1, shown + 1)), 'truth']
    blocks = []
    for kind, numbers in ranked(faces, stage).items():
        rows: list[list[NDArray[np.uint8]]] = []
        captions = []
        for number in numbers:
            case = cases.case(number)
            assert case.truth is not None
            rows.append([case.degraded, *runner(case.degraded, shown)[0], case.truth])
            was = f'{before[number]:.2f} -> ' if number in before else ''
            captions.append(f'{kind}: LPIPS {was}{after[number]:.2f} at k={stage}, {case.file}')
        blocks.append(contact_sheet(rows, titles, 256, captions))
    _write(path, side_by_side(blocks))


def draw_real(data: Path, model: Path, count: int, cycles: int, path: Path) -> None:
    """Draw real faces, evenly spread over the list: before, k = 1, 2, 3.

    Args:
        data: Folder with the real faces.
        model: ONNX file.
        count: Number of faces that were measured, from the first of the list on.
        cycles: Largest k that was measured.
        path: Path of the JPEG file.

    """
    cases, runner = CaseSet(data, REAL), CycleRunner(model)
    shown = min(3, cycles)
    numbers = np.unique(np.linspace(0, count - 1, min(3 * EACH, count)).astype(int))
    titles = ['before', *(f'k={k}' for k in range(1, shown + 1))]
    blocks = []
    for chosen in np.array_split(numbers, min(3, len(numbers))):
        taken = [cases.case(int(number)) for number in chosen]
        rows = [[case.degraded, *runner(case.degraded, shown)[0]] for case in taken]
        blocks.append(contact_sheet(rows, titles, 256, [case.file for case in taken]))
    _write(path, side_by_side(blocks))


def draw_clean(data: Path, model: Path, count: int, path: Path) -> None:
    """Draw undegraded faces and what 1, 4 and 16 cycles make of them.

    Args:
        data: Folder with MANIFEST.tsv.
        model: ONNX file.
        count: Number of faces that were measured, from the first of the list on.
        path: Path of the JPEG file.

    """
    cases, runner = CaseSet(data, CLEAN), CycleRunner(model)
    rows = []
    for number in np.unique(np.linspace(0, count - 1, min(EACH, count)).astype(int)):
        crop = cases.case(int(number)).degraded
        outputs = runner(crop, 16)[0]
        rows.append([crop, outputs[0], outputs[3], outputs[15]])
    _write(path, contact_sheet(rows, ['clean', 'k=1', 'k=4', 'k=16'], 256))


def _write(path: Path, sheet: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), sheet, [cv2.IMWRITE_JPEG_QUALITY, 92])


def draw_sheets(request: Request, results: Mapping[Task, Sequence[Readings]], folder: Path) -> None:
    """Draw the contact sheets of the main model, or of the first if that was not measured."""
    model = next((m for m in request.models if m.stem == request.main), request.models[0])
    for name in request.sets:
        faces = results.get((QUALITY, model.stem, name))
        if faces and name == REAL:
            path = folder / f'{name}.jpg'
            draw_real(request.data, model, len(faces), request.cycles, path)
        elif faces:
            path = folder / f'{name}.jpg'
            draw_ranked(request.data, model, name, faces, request.cycles, path)
    people = len(CaseSet(request.data, CLEAN))
    draw_clean(request.data, model, min(people, request.limit or people), folder / 'clean.jpg')
