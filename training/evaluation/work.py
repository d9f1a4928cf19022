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

"""Units of work: some faces of one set through one model, measured in a process of its own."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from training.data.crops import to_tensor
from training.evaluation import cache
from training.evaluation.cases import Case, CaseSet
from training.evaluation.meters import HIGHEST_PSNR, Meters, Readings
from training.evaluation.protocol import Coverage
from training.evaluation.runner import CycleRunner
from training.metrics import psnr

#: Kinds of units: the tables, and the curves of the fixed point.
QUALITY, FIXED_POINT = 'quality', 'fixed_point'


@dataclass(frozen=True)
class Unit:
    """Some faces of one set through one model.

    Attributes:
        kind: `QUALITY` or `FIXED_POINT`.
        model: Path of the ONNX file.
        data: Folder with MANIFEST.tsv.
        name: Name of the set.
        numbers: Numbers of the faces.
        cycles: Largest k.
        coverage: Metrics to measure; of no meaning for the fixed point.
        result: Path of the cache's file.

    """

    kind: str
    model: Path
    data: Path
    name: str
    numbers: tuple[int, ...]
    cycles: int
    coverage: Coverage
    result: Path


def result_path(
    folder: Path,
    kind: str,
    model: Path,
    model_sha256: str,
    cases: CaseSet,
    numbers: tuple[int, ...],
    cycles: int,
    coverage: Coverage,
    code: str,
    weights: Mapping[str, str],
) -> Path:
    """Name the cache's file by everything that its figures depend on.

    Args:
        folder: Folder of the cache.
        kind: `QUALITY` or `FIXED_POINT`.
        model: Path of the ONNX file.
        model_sha256: Hash of the ONNX file's content.
        cases: Set of test faces, whose seed, faces and landmarks count.
        numbers: Numbers of the faces.
        cycles: Largest k.
        coverage: Metrics to measure.
        code: Hash of the code that measures, see `cache.code_sha256`.
        weights: Hash of every metric's weight file, see `Meters.weights`.

    """
    import onnxruntime

    key = [
        kind,
        model_sha256,
        cases.name,
        cases.seed,
        cases.digest(),
        numbers,
        cycles,
        coverage.describe(),
        code,
        sorted(weights.items()),
        [onnxruntime.__version__, torch.__version__, cv2.__version__],
    ]
    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:20]
    return folder / f'{kind}-{model.stem}-{cases.name}-{numbers[0]:03d}-{digest}.npz'


def prepare_process(threads: int) -> None:
    """Give a process its threads: as many processes run as there are cores."""
    cv2.setNumThreads(1)
    torch.set_num_threads(threads)


@lru_cache(maxsize=1)
def _meters() -> Meters:
    return Meters()


@lru_cache(maxsize=2)
def _runner(model: Path) -> CycleRunner:
    return CycleRunner(model, threads=torch.get_num_threads())


@lru_cache(maxsize=4)
def _cases(data: Path, name: str) -> CaseSet:
    return CaseSet(data, name)


def run_unit(unit: Unit) -> Unit:
    """Measure the unit's faces into its file; return the unit."""
    # Of the processor, not of the wall: other processes may share the core.
    start = time.process_time()
    cases = _cases(unit.data, unit.name)
    measure = _quality if unit.kind == QUALITY else _fixed_point
    faces = [measure(unit, cases.case(number)) for number in unit.numbers]
    cache.save(unit.result, faces, time.process_time() - start)
    return unit


def _quality(unit: Unit, case: Case) -> Readings:
    readings = Readings(case.number, case.file)
    pictures, residuals = _runner(unit.model)(case.degraded, unit.cycles)
    stages = {str(k): picture for k, picture in enumerate([case.degraded, *pictures])}
    _meters().measure(readings, stages, case.truth, unit.coverage)
    for k, residual in enumerate(residuals, start=1):
        readings.values.setdefault(str(k), {})['residual'] = residual
    return readings


def _fixed_point(unit: Unit, case: Case) -> Readings:
    """Measure how far each output is from what it should stay at.

    A clean face should stay itself (as brightened, where the card asks for that), so drift
    is counted from there; a degraded face should become one restored face, so drift is
    counted from the first cycle's output.
    """
    readings = Readings(case.number, case.file)
    runner = _runner(unit.model)
    pictures, residuals = runner(case.degraded, unit.cycles)
    is_clean = case.truth is case.degraded
    start = runner.start(case.degraded) if is_clean else pictures[0]
    for k, (picture, residual) in enumerate(zip(pictures, residuals, strict=True), start=1):
        values = {'residual': residual, 'psnr_to_start': _psnr(picture, start)}
        if case.truth is not None and not is_clean:
            values['psnr'] = _psnr(picture, case.truth)
        readings.values[str(k)] = values
    return readings


def _psnr(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    return float(psnr(to_tensor(first), to_tensor(second)).clamp(max=HIGHEST_PSNR))
