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

"""The figures of an evaluation as records, and as `docs/results.json` holds them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from training.evaluation.bootstrap import Contrast, Mean


@dataclass(frozen=True)
class Spread:
    """Mean over draws of subsets.

    Attributes:
        mean: Mean over the draws.
        std: Standard deviation over the draws.
        people: Number of people that the subsets are drawn from.

    """

    mean: float
    std: float
    people: int


#: Figures of one stage by metric.
Row: TypeAlias = dict[str, Mean | Spread]


@dataclass(frozen=True)
class Summary:
    """Figures of one model on one set.

    Attributes:
        faces: Number of faces.
        k: Figures by cycle, '0' for the degraded input.
        truth: Figures of the undegraded faces.
        contrasts: Differences between stages by name, for instance 'psnr_2_minus_1'.

    """

    faces: int
    k: dict[str, Row]
    truth: Row = field(default_factory=dict)
    contrasts: dict[str, Contrast] = field(default_factory=dict)

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Summary:
        """Return what a JSON object holds."""
        return cls(
            values['faces'],
            {k: _row(row) for k, row in values['k'].items()},
            _row(values['truth']),
            {
                name: Contrast(entry['value'], tuple(entry['ci95']))
                for name, entry in values['contrasts'].items()
            },
        )


@dataclass(frozen=True)
class Curve:
    """Figures of one model, restored again and again.

    Attributes:
        faces: Number of faces.
        k: Figures by cycle, from '1'.

    """

    faces: int
    k: dict[str, Row]

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Curve:
        """Return what a JSON object holds."""
        return cls(values['faces'], {k: _row(row) for k, row in values['k'].items()})


@dataclass(frozen=True)
class MeasuredModel:
    """One ONNX file and its figures.

    Attributes:
        title: Name of the model in its card.
        sha256: Hash of the file.
        sets: Figures by set.

    """

    title: str
    sha256: str
    sets: dict[str, Summary]

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> MeasuredModel:
        """Return what a JSON object holds."""
        sets = {name: Summary.read(entry) for name, entry in values['sets'].items()}
        return cls(values['title'], values['sha256'], sets)


@dataclass(frozen=True)
class Verdict:
    """One figure that the weights were to reach, on one set.

    Attributes:
        figure: What is measured, in words.
        target: What is to be reached, in words.
        name: Name of the set.
        measured: Measured figure in words, with the 95% confidence interval where there is one.
        reached: Whether the target is reached, by the means.

    """

    figure: str
    target: str
    name: str
    measured: str
    reached: bool


@dataclass(frozen=True)
class Results:
    """Content of `docs/results.json`.

    Attributes:
        command: Command that wrote the file.
        complete: Whether everything was measured.
        seed: Seed of the degradations.
        cycles: Largest k of the tables.
        people: Number of test people.
        manifest_sha256: Hash of the manifest, which names the data.
        software: Version of each library that the figures depend on.
        metric_weights_sha256: Hash of the weights of each metric's network.
        highest_psnr_db: PSNR that higher ones count as, dB.
        main: Name of the model that everything was measured of.
        labels: Name of each model for people.
        without_ccfp: Name of the weights trained without CCFP; empty if there are none.
        plans: Share of the images that each group of metrics was measured on, as
            `protocol.Coverage.describe` tells it, by what it holds for.
        models: Measured files by name.
        fixed_point: Curves by model and by what was restored ('clean', 'degraded',
            'clean_everyone').
        figures: Figures to reach.

    """

    command: str
    complete: bool
    seed: int
    cycles: int
    people: int
    manifest_sha256: str
    software: dict[str, str]
    metric_weights_sha256: dict[str, str]
    highest_psnr_db: float
    main: str
    labels: dict[str, str]
    without_ccfp: str
    plans: dict[str, dict[str, dict[str, Any]]]
    models: dict[str, MeasuredModel]
    fixed_point: dict[str, dict[str, Curve]]
    figures: list[Verdict] = field(default_factory=list)

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Results:
        """Return what a JSON object holds.

        Raises:
            KeyError: A key is missing.
            TypeError: A key is missing, or there is an unknown one.

        """
        models = {name: MeasuredModel.read(entry) for name, entry in values['models'].items()}
        curves = {
            model: {name: Curve.read(entry) for name, entry in sets.items()}
            for model, sets in values['fixed_point'].items()
        }
        figures = [Verdict(**entry) for entry in values['figures']]
        return cls(**{**values, 'models': models, 'fixed_point': curves, 'figures': figures})

    def as_json(self) -> dict[str, Any]:
        """Return the object that `read` takes."""
        return dataclasses.asdict(self)


def _row(values: Mapping[str, Any]) -> Row:
    return {
        metric: Spread(**entry)
        if 'std' in entry
        else Mean(entry['mean'], tuple(entry['ci95']), entry['people'])
        for metric, entry in values.items()
    }
