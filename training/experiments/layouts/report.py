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

"""The figures of the comparison of layouts as records, and as `docs/layouts.json` holds them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from training.experiments.layouts.quality import PairedDifference
from training.experiments.layouts.speed import CycleTime


@dataclass(frozen=True)
class LayoutFigures:
    """What was measured of one layout.

    Attributes:
        parameters: Number of parameters.
        gmac: Multiply-accumulate operations of one cycle, in thousands of millions.
        speed: Times of one cycle by precision, 'fp32' and 'int8'.
        int8_time_ratio: Median INT8 time as a share of the reference's.
        int8_to_fp32_db: PSNR between the INT8 and the FP32 model's outputs, dB.
        quality: Means over the faces of a set for k = 0, 1..., by set and metric.
        mean: Means over the sets for k = 1.., by metric.
        against_reference: Difference to the reference's figures face by face, by metric.
        train_seconds: Seconds of computing that the training took.
        step_ms: Milliseconds of an optimiser step at k = 1.
        at_equal_time: Step and figures that the layout had reached after equal training time.
        history: Step, seconds and figures of each look.

    """

    parameters: int
    gmac: float
    speed: dict[str, CycleTime]
    int8_time_ratio: float
    int8_to_fp32_db: float
    quality: dict[str, dict[str, list[float]]]
    mean: dict[str, list[float]]
    against_reference: dict[str, PairedDifference]
    train_seconds: float
    step_ms: float
    at_equal_time: dict[str, float]
    history: list[dict[str, float]]

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> LayoutFigures:
        """Return what a JSON object holds."""
        speed = {name: CycleTime(**entry) for name, entry in values['speed'].items()}
        against = {
            metric: PairedDifference(**entry)
            for metric, entry in values['against_reference'].items()
        }
        return cls(**{**values, 'speed': speed, 'against_reference': against})


@dataclass(frozen=True)
class EqualTime:
    """Training time after which layouts are compared.

    Attributes:
        seconds: Seconds of computing.
        fastest: Name of the layout that needs them for its first steps, the cheapest to train.
        faces: Number of faces that a look measures.

    """

    seconds: float
    fastest: str
    faces: int


@dataclass(frozen=True)
class Report:
    """Content of `docs/layouts.json`.

    Attributes:
        seed: Seed of the training.
        steps: Number of optimiser steps of each layout.
        first_steps: Number of steps with one cycle.
        faces: Number of validation faces.
        reference: Name of the layout that the others are compared with.
        front_cycles: Number of cycles at which layouts are compared.
        front: Names of the layouts that no other beats in everything.
        input: Means of the degraded input over the sets, by metric.
        rounds: Number of runs of each file for its time.
        machine: Name of the processor.
        provenance: Hashes of the data and of the code that trained.
        equal_time: Training time after which layouts are compared.
        kept: Text for the page: what is kept, and why; empty for none.
        layouts: Figures by layout.

    """

    seed: int
    steps: int
    first_steps: int
    faces: int
    reference: str
    front_cycles: int
    front: list[str]
    input: dict[str, float]
    rounds: int
    machine: str
    provenance: dict[str, str]
    equal_time: EqualTime
    kept: str
    layouts: dict[str, LayoutFigures]

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Report:
        """Return what a JSON object holds.

        Raises:
            KeyError: A key is missing.
            TypeError: A key is missing, or there is an unknown one.

        """
        layouts = {name: LayoutFigures.read(row) for name, row in values['layouts'].items()}
        equal_time = EqualTime(**values['equal_time'])
        return cls(**{**values, 'equal_time': equal_time, 'layouts': layouts})

    def as_json(self) -> dict[str, Any]:
        """Return the object that `read` takes."""
        return dataclasses.asdict(self)
