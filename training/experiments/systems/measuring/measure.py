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

"""Measuring all rows into `docs/comparison.json`, one row after another."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from cfrnet_ros.vision.engine.models import MODEL_DIR
from cfrnet_ros.vision.preprocessing.exposure import expose_face
from training.data.manifest import manifest_sha256
from training.evaluation.cases import has_real_faces
from training.evaluation.meters import Readings
from training.evaluation.protocol import REAL, SEED, SETS, TRUTH
from training.evaluation.runner import CycleRunner
from training.evaluation.summary import KID_PEOPLE
from training.experiments.systems.measuring import classical, cost, graphs
from training.experiments.systems.measuring.contrast import REFERENCE, against_reference
from training.experiments.systems.measuring.quality import (
    Quality,
    Restore,
    brightened,
    features,
    means,
)
from training.experiments.systems.measuring.report import (
    FileCost,
    Report,
    RowFigures,
    Training,
    read_report,
)
from training.experiments.systems.measuring.wheels import WHEELS, WheelRestorer
from training.experiments.systems.rows import Row, read_rows
from training.export.compare import Comparison
from training.export.faces import degraded_faces
from training.metrics import kid
from training.networks.build import count_parameters

#: Cycles of a network, and faces and seeds of INT8's calibration and of its comparison with FP32.
CYCLES, CALIBRATION, COMPARED = 3, (8, 11), (16, 7)

#: Networks that are applied to their own output: CFRNet's, and those that differ from it in nothing
#: else. The other systems are made for one pass.
CYCLED = {'plain', 'encoder_decoder', 'cfrnet_attention'}

#: What ships, by the names of rows: title, file.
SHIPPED = {
    'shipped_cfrnet': ('CFRNet as shipped, INT8', 'cfrnet_256_int8.onnx'),
    'shipped_plain': ('plain CNN as shipped, INT8', 'cfrnet_plain_256_int8.onnx'),
}


@dataclass(frozen=True)
class Request:
    """What is to be measured.

    Attributes:
        data: Folder with MANIFEST.tsv.
        runs: Folders of trained rows.
        work: Folder of models and cache.
        out: Path of the JSON file; what it holds of other rows stays.
        faces: People of each set, 0 for all.
        rounds: Number of runs of each file for its time.
        names: Names of rows; none for all.
        machine: Name of the processor, '' to look it up.
        costs: Whether times and memory are measured too.
        quality: Whether faces are restored and judged; otherwise those figures stay as they are.

    """

    data: Path
    runs: tuple[Path, ...]
    work: Path
    out: Path
    faces: int
    rounds: int
    names: tuple[str, ...]
    machine: str
    costs: bool
    quality: bool = True


def measure(request: Request) -> Report:
    """Measure and write after each row, so that a stop loses one row at most.

    Raises:
        FileNotFoundError: Data or a metric's weights are missing.
        ValueError: There is no row of a name, or the file holds another measurement's figures.

    """
    rows = read_rows().rows
    known = [*classical.FILTERS, *WHEELS, *SHIPPED, *rows]
    unknown = sorted(set(request.names) - set(known))
    if unknown:
        raise ValueError(f'unknown row(s) {", ".join(unknown)}; known are {", ".join(known)}')
    cv2.setNumThreads(1)
    report = _begin(request)
    quality = Quality(request.data, request.work / 'cache', request.faces)
    measuring = _Measuring(request, report, quality)
    for name in request.names or known:
        figures = report.rows.get(name)
        report.rows[name] = measuring.row(name, rows.get(name), figures)
        report.rows = {key: report.rows[key] for key in known if key in report.rows}
        report.write(request.out)
    measuring.compare()
    report.write(request.out)
    if request.costs:
        measuring.times()
        report.write(request.out)
    return report


def _begin(request: Request) -> Report:
    fresh = Report(
        machine=request.machine or _machine(),
        faces=request.faces,
        seed=SEED,
        manifest_sha256=manifest_sha256(request.data),
        rounds=request.rounds,
    )
    if not request.out.is_file():
        return fresh
    earlier = read_report(request.out)
    # Costs alone are of no people.
    judged = any(row.quality for row in earlier.rows.values())
    for name in ('faces', 'seed', 'manifest_sha256') if judged else ():
        if getattr(earlier, name) != getattr(fresh, name):
            raise ValueError(
                f"'{request.out}' was measured with {name} {getattr(earlier, name)}, not "
                f'{getattr(fresh, name)}; measure all rows alike, or move the file away'
            )
    if request.costs and earlier.machine != fresh.machine and request.names:
        raise ValueError(
            f"'{request.out}' has times of {earlier.machine}, this is {fresh.machine}: measure all "
            'rows here, or give --quality-only'
        )
    fresh.rows = earlier.rows
    if not request.costs:
        fresh.machine, fresh.rounds = earlier.machine, earlier.rounds
    return fresh


def _machine() -> str:
    info = Path('/proc/cpuinfo')
    for line in info.read_text(encoding='utf-8').splitlines() if info.is_file() else ():
        if line.startswith('model name'):
            return line.split(':', 1)[1].strip()
    return 'unknown processor'


class _Measuring:
    """State of one measurement."""

    def __init__(self, request: Request, report: Report, quality: Quality) -> None:
        self._request, self._report, self._quality = request, report, quality
        self._files: dict[str, Path] = {}
        self._functions: dict[str, Any] = {}
        self._exported: dict[str, graphs.Exported] = {}
        self._truth: dict[str, list[Readings]] = {}
        self._readings: dict[tuple[str, str], list[Readings]] = {}
        drawn = degraded_faces(request.data, 'train', *CALIBRATION)
        self._calibration = [face.degraded for face in drawn]
        self._sets = [*SETS, *([REAL] if has_real_faces(request.data) else [])]

    def row(self, name: str, row: Row | None, earlier: RowFigures | None) -> RowFigures:
        """Measure one row but for its times, which it keeps."""
        tqdm.write(name)
        if name in classical.FILTERS:
            figures = RowFigures(classical.TITLES[name], 'classical')
            function = classical.FILTERS[name]
            self._functions[name] = function
            self._judge(name, figures, brightened(function), name, 1, 1)
        elif name in WHEELS:
            figures = self._wheel(name)
        elif name in SHIPPED:
            figures = self._shipped(*SHIPPED[name], name)
        else:
            assert row is not None
            figures = self._system(row)
        if earlier is not None:
            figures.ms, figures.costs = earlier.ms, earlier.costs
            if not self._request.quality:
                figures.quality = earlier.quality
        return figures

    def _wheel(self, name: str) -> RowFigures:
        wheel = WHEELS[name]
        figures = RowFigures(wheel.title, 'wheel')
        try:
            restorer = WheelRestorer(wheel)
        except ImportError as error:
            figures.absent = str(error)
            return figures
        self._functions[name] = restorer
        identity = f'{name} {wheel.requirement}'
        self._judge(name, figures, brightened(restorer), identity, 1, wheel.every)
        return figures

    def _shipped(self, title: str, file: str, name: str) -> RowFigures:
        path = MODEL_DIR / file
        runner = CycleRunner(path)
        figures = RowFigures(title, 'shipped', network=str(runner.card.training.get('layout', '')))
        figures.parameters = runner.card.extra.get('parameters')
        figures.gmac = runner.card.extra.get('gmac_per_cycle')
        figures.operators = graphs.operators(path)
        self._files[f'{name}/int8'] = path
        self._judge(name, figures, _cycles(runner), runner.card.sha256, CYCLES, 1)
        return figures

    def _system(self, row: Row) -> RowFigures:
        network, state = graphs.trained_network(row, self._request.runs)
        folder = self._request.work / ('trained' if state else 'random')
        # Untrained, rows of one network are one file.
        name = row.name if state else row.network
        if name not in self._exported:
            # What random weights cost does not depend on the ranges of their activations.
            crops = self._calibration if state else self._calibration[:1]
            self._exported[name] = graphs.export(network, name, folder, crops)
        exported = self._exported[name]
        figures = RowFigures(row.title, row.group, network=row.network)
        figures.parameters, figures.reasons = count_parameters(network), exported.reasons
        for precision, path in exported.files.items():
            self._files[f'{row.name}/{precision}'] = path
        fp32 = exported.files.get('fp32')
        if fp32 is None:
            return figures
        figures.operators = graphs.operators(fp32)
        figures.gmac = round(graphs.count_graph_macs(fp32) / 1e9, 3)
        if state is None:
            figures.absent = 'not trained yet'
            return figures
        figures.training = _training(state)
        digest = hashlib.sha256(fp32.read_bytes()).hexdigest()
        cycles = CYCLES if row.network in CYCLED else 1
        self._judge(row.name, figures, _cycles(CycleRunner(fp32), cycles), digest, cycles, 1)
        if 'int8' in exported.files:
            faces = degraded_faces(self._request.data, 'val', *COMPARED)
            figures.int8_loss = Comparison(fp32, faces).measure(exported.files['int8'])
        return figures

    def _judge(
        self,
        row: str,
        figures: RowFigures,
        restore: Restore,
        identity: str,
        cycles: int,
        every: int,
    ) -> None:
        for name in self._sets if self._request.quality else ():
            if identity == 'as_it_is':
                faces = self._input(name)
            else:
                faces = self._quality.measure(name, restore, identity, cycles, every, False)
            self._readings[row, name] = faces
            table = means(faces)
            truth = table.pop(TRUTH, {})
            self._add_kid(name, faces, table)
            figures.quality[name] = {'people': len(faces), 'k': table, 'truth': truth}

    def _add_kid(
        self, name: str, faces: list[Readings], table: Mapping[str, dict[str, float]]
    ) -> None:
        reference = features(self._input(SETS[0] if name == REAL else name), TRUTH)
        for stage, row in table.items():
            own = features(faces, stage)
            if min(len(own), len(reference)) >= KID_PEOPLE:
                first, second = (np.stack(f).astype(np.float32) for f in (own, reference))
                row['kid'] = float(f'{float(kid(first, second, SEED)[0]):.5g}')

    def compare(self) -> None:
        """Compare every row that was measured with CFRNet, if that was measured too."""
        for (row, name), faces in self._readings.items():
            reference = self._readings.get((REFERENCE, name))
            if reference is not None and name != REAL and row != REFERENCE:
                table = self._report.rows[row].quality[name]
                table['against_cfrnet'] = against_reference(faces, reference)

    def _input(self, name: str) -> list[Readings]:
        """Return the readings of faces that nothing restores, and of their truths."""
        if name not in self._truth:
            restore = brightened(classical.as_it_is)
            self._truth[name] = self._quality.measure(name, restore, 'as_it_is', 1, 1, True)
        return self._truth[name]

    def times(self) -> None:
        """Time every row that was measured, in turns."""
        baseline = cost.peak_megabytes(None)
        paths = {str(path): path for path in self._files.values()}
        costs = {
            name: FileCost(
                ms_1=times['ms_1'] or 0.0,
                ms_2=times['ms_2'],
                megabytes=round(paths[name].stat().st_size / 1e6, 2),
                peak_megabytes=round(cost.peak_megabytes(paths[name]) - baseline, 1),
            )
            for name, times in cost.time_files(paths, self._request.rounds).items()
        }
        for name, path in self._files.items():
            row, precision = name.split('/')
            self._report.rows[row].costs[precision] = costs[str(path)]
        rounds = min(5, self._request.rounds)
        for name, milliseconds in cost.time_functions(self._functions, rounds).items():
            self._report.rows[name].ms = milliseconds


def _cycles(runner: CycleRunner, cycles: int = CYCLES) -> Restore:
    # Brightened here, the crop is the one that every other row gets: the restorer smooths the
    # colours of very dark faces only where it brightens them itself.
    return lambda crop: runner(expose_face(crop), cycles)[0]


def _training(state: Mapping[str, Any]) -> Training:
    points = [
        (int(windows), str(phase), float(value))
        for _, windows, _, phase, name, value in state['curve']
        if name == 'psnr'
    ]
    last = [value for _, phase, value in points if phase == state['phase']]
    tenth = len(last) // 10
    gained = None
    if tenth >= 1:
        gained = round(float(np.mean(last[-tenth:]) - np.mean(last[-2 * tenth : -tenth])), 3)
    return Training(
        windows=int(state['windows']),
        seconds=float(state['seconds']),
        device=str(state.get('run', {}).get('device', '')),
        skipped=int(state['skipped']),
        phase=str(state['phase']),
        psnr_gained_db=gained,
        curve=points,
    )
