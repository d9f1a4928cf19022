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

"""From one row a face to the figures of `docs/results.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from training.evaluation import bootstrap
from training.evaluation.bootstrap import Contrast
from training.evaluation.meters import Readings
from training.evaluation.protocol import CLEAN, REAL, SEED, SETS, TRUTH
from training.evaluation.records import Curve, Row, Spread, Summary
from training.evaluation.schedule import Task
from training.evaluation.work import FIXED_POINT, QUALITY
from training.metrics import kid

#: Fewer people than this have no distribution worth comparing.
KID_PEOPLE = 50


def column(faces: Sequence[Readings], stage: str, metric: str) -> dict[int, float]:
    """Return one metric at one stage by the faces' numbers, of those it was measured on."""
    return {
        face.number: face.values[stage][metric]
        for face in faces
        if metric in face.values.get(stage, {})
    }


def stages_of(faces: Sequence[Readings]) -> list[str]:
    """List the stages that were measured: '0', '1'... in order, then 'truth'."""
    found = {stage for face in faces for stage in face.values}
    return [*sorted(found - {TRUTH}, key=int), *sorted(found & {TRUTH})]


def summarise(faces: Sequence[Readings]) -> Summary:
    """Return the figures of one model on one set.

    Args:
        faces: Readings of the faces of the set.

    """
    table: dict[str, Row] = {}
    for stage in stages_of(faces):
        metrics = sorted({m for face in faces for m in face.values.get(stage, {})})
        for metric in metrics:
            values = list(column(faces, stage, metric).values())
            if not np.isnan(values).all():
                table.setdefault(stage, {})[metric] = bootstrap.mean(values)
    truth = table.pop(TRUTH, {})
    return Summary(len(faces), table, truth, _contrasts(faces, sorted(table, key=int)))


def _contrasts(faces: Sequence[Readings], stages: Sequence[str]) -> dict[str, Contrast]:
    """Compare stages pairwise on the people on whom both were measured."""
    found: dict[str, Contrast] = {}

    def compare(name: str, metric: str, one: str, two: str, relative: bool) -> None:
        first, second = column(faces, one, metric), column(faces, two, metric)
        people = sorted(set(first) & set(second))
        if people:
            a, b = ([values[n] for n in people] for values in (first, second))
            how = bootstrap.reduction if relative else bootstrap.difference
            found[name] = how(a, b)

    compare('lpips_3_below_1', 'lpips', '3', '1', True)
    compare('lpips_3_below_0', 'lpips', '3', '0', True)
    compare('lpips_1_below_0', 'lpips', '1', '0', True)
    for k in stages[1:]:
        compare(f'psnr_{k}_minus_{int(k) - 1}', 'psnr', k, str(int(k) - 1), False)
        for metric in ('deg', 'lmd', 'eye_error'):
            compare(f'{metric}_{k}_minus_0', metric, k, '0', False)
    return found


def with_kid(summary: Summary, faces: Sequence[Readings], clean: Sequence[Readings]) -> Summary:
    """Return a summary with the kernel distance of each stage to the undegraded faces.

    It is left out where there are fewer than `KID_PEOPLE` people.

    Args:
        summary: Figures of `faces`.
        faces: Readings with their features.
        clean: Readings with the features of the stage `truth`.

    """
    reference = [f.features[TRUTH] for f in clean if TRUTH in f.features]
    table: dict[str, Row] = {}
    for stage, row in summary.k.items():
        table[stage] = dict(row)
        features = [f.features[stage] for f in faces if stage in f.features]
        if min(len(features), len(reference)) >= KID_PEOPLE:
            mean, std = kid(_stack(features), _stack(reference), SEED)
            table[stage]['kid'] = Spread(float(mean), float(std), len(features))
    return replace(summary, k=table)


def share_input(faces: Sequence[Readings], main: Sequence[Readings]) -> None:
    """Give a model's faces the figures of the degraded input that the main model's have.

    Of each face only the metrics that were measured on it after a cycle, so that every row
    of a table is about the same people.
    """
    measured = {face.number: face for face in main}
    for face in faces:
        after = {metric for values in face.values.values() for metric in values}
        given = measured[face.number].values.get('0', {}) if face.number in measured else {}
        shared = {metric: value for metric, value in given.items() if metric in after}
        face.values['0'] = {**shared, **face.values.get('0', {})}
        features = measured[face.number].features.get('0') if face.number in measured else None
        if features is not None and face.features:
            face.features.setdefault('0', features)


def _curve(faces: Sequence[Readings]) -> Curve:
    summary = summarise(faces)
    return Curve(summary.faces, summary.k)


def _stack(features: Sequence[Any]) -> torch.Tensor:
    return torch.from_numpy(np.stack(features).astype(np.float32))


def summarise_all(
    results: Mapping[Task, Sequence[Readings]], main: str
) -> tuple[dict[str, dict[str, Summary]], dict[str, dict[str, Curve]]]:
    """Return the tables (by model and set) and the curves of the fixed point.

    Args:
        results: Readings of each task, as `schedule.read_results` returns them.
        main: Name of the model that everything was measured of.

    Returns:
        By model and set the summary, with `kid`; by model the curves `clean` and `degraded`,
        each of the same people for every model, and `clean_everyone`.

    """
    tables: dict[str, dict[str, Summary]] = {}
    curves: dict[str, dict[str, Curve]] = {}
    for (kind, model, name), faces in results.items():
        if kind == FIXED_POINT:
            continue
        reference = results.get((QUALITY, main, SETS[0] if name == REAL else name))
        if model != main and reference is not None:
            share_input(faces, reference)
        summary = summarise(faces)
        if reference is not None:
            summary = with_kid(summary, faces, reference)
        tables.setdefault(model, {})[name] = summary
    for name in (CLEAN, SETS[0]):
        found = {m: f for (kind, m, n), f in results.items() if (kind, n) == (FIXED_POINT, name)}
        people = [{face.number for face in faces} for faces in found.values()]
        common = set[int]().union(*people).intersection(*people)
        for model, faces in found.items():
            drawn = [face for face in faces if face.number in common]
            entry = curves.setdefault(model, {})
            entry['clean' if name == CLEAN else 'degraded'] = _curve(drawn)
            if name == CLEAN:
                entry['clean_everyone'] = _curve(faces)
    return tables, curves
