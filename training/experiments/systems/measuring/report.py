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

"""The figures of the comparison as records, and as `docs/comparison.json` holds them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class FileCost:
    """Cost of one file.

    Attributes:
        ms_1: Milliseconds of computing a pass with one thread, median.
        ms_2: Milliseconds that a pass takes with two threads, shortest; None where the machine was
            too busy to tell.
        megabytes: Size of the file in MB.
        peak_megabytes: Peak of a process's memory in MB, beyond that without a model.

    """

    ms_1: float
    ms_2: float | None
    megabytes: float
    peak_megabytes: float


@dataclass
class Training:
    """How a row was trained.

    Attributes:
        windows: Number of windows that the row has seen.
        seconds: Seconds of computing on the device.
        device: Name of the device.
        skipped: Number of steps left out because their gradients were not finite.
        phase: Name of the objective at the end.
        psnr_gained_db: PSNR of the last tenth of the last phase minus that of the tenth before, on
            training faces; what is well above 0 was still improving. None for too short a curve.
        curve: (windows, phase, PSNR in dB) on training faces.

    """

    windows: int
    seconds: float
    device: str
    skipped: int
    phase: str
    psnr_gained_db: float | None
    curve: list[tuple[int, str, float]]


@dataclass
class RowFigures:
    """What is known of one row.

    Attributes:
        title: Name for people.
        group: 'classical', 'wheel', 'shipped', 'comparison' or 'ablation'.
        network: Name of the network, '' for none.
        training: Training of the row; None if it needs none here or has not been trained yet.
        parameters: Number of parameters; None if there is no network, or its file does not tell.
        gmac: Multiply-accumulate operations of a pass, in thousands of millions; None likewise.
        ms: Milliseconds of computing a face with one thread, of rows without an ONNX file.
        costs: Cost by precision, 'fp32' and 'int8'.
        operators: How often each operator stands in the FP32 graph.
        reasons: Reason by precision, where there is no file.
        int8_loss: Figures of `training.export.compare.Comparison`; None where nothing is trained.
        quality: By set 'people' and, by cycle and metric, means in 'k' and 'truth'; in
            'against_cfrnet' what `contrast.against_reference` returns, where it was compared.
        absent: Reason why nothing was measured; '' otherwise.

    """

    title: str
    group: str
    network: str = ''
    training: Training | None = None
    parameters: int | None = None
    gmac: float | None = None
    ms: float | None = None
    costs: dict[str, FileCost] = field(default_factory=dict)
    operators: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    int8_loss: dict[str, Any] | None = None
    quality: dict[str, dict[str, Any]] = field(default_factory=dict)
    absent: str = ''

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> RowFigures:
        """Return what a JSON object holds."""
        given = dict(values)
        training = given['training']
        if training is not None:
            curve = [(int(w), str(p), float(v)) for w, p, v in training['curve']]
            given['training'] = Training(**{**training, 'curve': curve})
        given['costs'] = {name: FileCost(**cost) for name, cost in given['costs'].items()}
        return cls(**given)


@dataclass
class Report:
    """Content of `docs/comparison.json`.

    Attributes:
        machine: Name of the processor that the times were measured on.
        faces: Largest number of people a set.
        seed: Seed of the test degradations.
        manifest_sha256: Hash of the list of faces.
        rounds: Number of runs of each file for its time.
        rows: Rows by name.

    """

    machine: str
    faces: int
    seed: int
    manifest_sha256: str
    rounds: int
    rows: dict[str, RowFigures] = field(default_factory=dict)

    def title(self, name: str) -> str:
        """Return the title of a row for people; its name if it has not been measured."""
        return self.rows[name].title if name in self.rows else name

    def write(self, path: Path) -> None:
        """Write the JSON file."""
        text = json.dumps(dataclasses.asdict(self), indent=1)
        path.write_text(text + '\n', encoding='utf-8')


def read_report(path: Path) -> Report:
    """Read `docs/comparison.json`.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged or of another version.

    """
    if not path.is_file():
        raise FileNotFoundError(f"'{path}' is missing; make it by the step measure")
    try:
        values = json.loads(path.read_text(encoding='utf-8'))
        rows = {name: RowFigures.read(row) for name, row in values.pop('rows').items()}
        return Report(**values, rows=rows)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"'{path}' does not hold a comparison ({error}); move it away") from error
