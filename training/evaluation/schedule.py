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

"""Listing the units of work, and doing those that were not done before."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from cfrnet_ros.vision.engine.model_card import load_card
from training.evaluation import cache
from training.evaluation.cases import CaseSet
from training.evaluation.meters import Meters, Readings
from training.evaluation.protocol import (
    CHUNK,
    CLEAN,
    FIXED_POINT_CYCLES,
    FIXED_POINT_EVERY,
    SETS,
    Coverage,
    coverage_for,
)
from training.evaluation.work import (
    FIXED_POINT,
    QUALITY,
    Unit,
    prepare_process,
    result_path,
    run_unit,
)

#: A task: kind of figures, model's name, set.
Task = tuple[str, str, str]


@dataclass(frozen=True)
class Request:
    """What a run is to measure.

    Attributes:
        data: Folder with MANIFEST.tsv.
        models: ONNX files of the tables.
        main: Name (stem) of the model that everything is measured of.
        without_ccfp: Path of an ONNX file trained without CCFP, for the fixed point's curves only.
        sets: Names of sets.
        cycles: Largest k of the tables.
        limit: Number of faces, from the first on; 0 for all.
        cache: Folder of measured chunks.
        curves: Whether the curves of the fixed point are measured.

    """

    data: Path
    models: tuple[Path, ...]
    main: str
    without_ccfp: Path | None
    sets: tuple[str, ...]
    cycles: int
    limit: int
    cache: Path
    curves: bool = True


def list_units(request: Request) -> list[Unit]:
    """List every unit of a run, whether it was done before or not.

    Raises:
        FileNotFoundError: The manifest, the list of real faces, a metric's weights, or a file of
            the code that measures, is missing.
        ImportError: A library that runs a metric's network is missing.
        ValueError: There is no such set, or it has no face.
        ModelError: A model's file or card is missing or damaged.

    """
    names = {*request.sets, SETS[0], CLEAN}
    cases = {name: CaseSet(request.data, name) for name in names}
    code, weights = cache.code_sha256(), Meters().weights()
    units: list[Unit] = []

    def add(kind: str, model: Path, name: str, cycles: int, coverage: Coverage, every: int) -> None:
        count = len(cases[name])
        chosen = range(0, min(count, request.limit or count), every)
        sha256 = load_card(model).sha256
        for first in range(0, len(chosen), CHUNK):
            numbers = tuple(chosen[first : first + CHUNK])
            path = result_path(
                request.cache,
                kind,
                model,
                sha256,
                cases[name],
                numbers,
                cycles,
                coverage,
                code,
                weights,
            )
            units.append(Unit(kind, model, request.data, name, numbers, cycles, coverage, path))

    main_runs = any(model.stem == request.main for model in request.models)
    for model in request.models:
        for name in request.sets:
            coverage = coverage_for(name, model.stem == request.main, main_runs)
            if coverage is not None:
                add(QUALITY, model, name, request.cycles, coverage, 1)
    curves = [m for m in (*request.models, request.without_ccfp) if m is not None]
    for model in curves if request.curves else ():
        is_main = model.stem == request.main
        for name in (CLEAN, SETS[0]):
            every = 1 if is_main and name == CLEAN else FIXED_POINT_EVERY
            add(FIXED_POINT, model, name, FIXED_POINT_CYCLES, Coverage({}), every)
    return units


def do_units(units: Sequence[Unit], jobs: int, threads: int) -> int:
    """Do what the cache does not hold yet.

    Args:
        units: Units of the run.
        jobs: Number of processes.
        threads: CPU threads of each.

    Returns:
        How many faces were found in the cache.

    """
    missing = [unit for unit in units if cache.load(unit.result) is None]
    total = sum(len(unit.numbers) for unit in units)
    found = total - sum(len(unit.numbers) for unit in missing)
    # Spawned, not forked: neither PyTorch nor ONNX Runtime survives a fork with its threads.
    context = multiprocessing.get_context('spawn')
    with (
        tqdm(total=total, initial=found, unit='face', smoothing=0.02) as bar,
        ProcessPoolExecutor(jobs, context, prepare_process, (threads,)) as pool,
    ):
        futures = [pool.submit(run_unit, unit) for unit in missing]
        try:
            for future in as_completed(futures):
                unit = future.result()
                bar.set_postfix_str(f'{unit.kind} {unit.model.stem} {unit.name}', refresh=False)
                bar.update(len(unit.numbers))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return found


def read_results(units: Sequence[Unit]) -> tuple[dict[Task, list[Readings]], dict[str, float]]:
    """Read every unit's figures from the cache.

    Returns:
        The faces of each task in the order of their numbers, and the seconds of one core
        that each model took, whenever that was.

    Raises:
        RuntimeError: A unit has not been done.

    """
    faces: dict[Task, list[Readings]] = {}
    seconds: dict[str, float] = {}
    for unit, chunk, took in _chunks(units):
        faces.setdefault((unit.kind, unit.model.stem, unit.name), []).extend(chunk)
        seconds[unit.model.stem] = seconds.get(unit.model.stem, 0.0) + took
    for chunk in faces.values():
        chunk.sort(key=lambda face: face.number)
    return faces, seconds


def _chunks(units: Sequence[Unit]) -> Iterator[tuple[Unit, list[Readings], float]]:
    for unit in units:
        loaded = cache.load(unit.result)
        if loaded is None:
            raise RuntimeError(f'{unit.result} was not measured; run the evaluation again')
        yield unit, *loaded
