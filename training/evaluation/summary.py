"""From one row a face to the figures of `docs/results.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from training.evaluation import bootstrap
from training.evaluation.meters import Readings
from training.evaluation.protocol import CLEAN, REAL, SEED, SETS, TRUTH
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


def summarise(faces: Sequence[Readings]) -> dict[str, Any]:
    """Return the figures of one model on one set.

    Returns:
        `faces`; `k`, by stage and metric the mean, interval and number of people;
        `truth`, the same of the undegraded faces; `contrasts`, how stages differ.

    """
    table: dict[str, dict[str, Any]] = {}
    for stage in stages_of(faces):
        metrics = sorted({m for face in faces for m in face.values.get(stage, {})})
        for metric in metrics:
            values = list(column(faces, stage, metric).values())
            if not np.isnan(values).all():
                table.setdefault(stage, {})[metric] = bootstrap.mean(values)
    truth = table.pop(TRUTH, {})
    return {
        'faces': len(faces),
        'k': table,
        'truth': truth,
        'contrasts': _contrasts(faces, sorted(table, key=int)),
    }


def _contrasts(faces: Sequence[Readings], stages: Sequence[str]) -> dict[str, Any]:
    """Compare stages pairwise on the people on whom both were measured."""
    found: dict[str, Any] = {}

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


def add_kid(summary: dict[str, Any], faces: Sequence[Readings], clean: Sequence[Readings]) -> None:
    """Add the kernel distance of each stage to the undegraded faces, where there are enough.

    Args:
        summary: of `faces`, gets `kid` (`mean`, `std` over draws of subsets) at each stage.
        faces: with their features.
        clean: faces with the features of the stage `truth`.

    """
    reference = [f.features[TRUTH] for f in clean if TRUTH in f.features]
    for stage, entry in summary['k'].items():
        features = [f.features[stage] for f in faces if stage in f.features]
        if min(len(features), len(reference)) >= KID_PEOPLE:
            mean, std = kid(_stack(features), _stack(reference), SEED)
            entry['kid'] = {'mean': float(mean), 'std': float(std), 'people': len(features)}


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


def _curve(faces: Sequence[Readings]) -> dict[str, Any]:
    summary = summarise(faces)
    return {'faces': summary['faces'], 'k': summary['k']}


def _stack(features: Sequence[Any]) -> torch.Tensor:
    return torch.from_numpy(np.stack(features).astype(np.float32))


def summarise_all(
    results: Mapping[Task, Sequence[Readings]], main: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the tables (by model and set) and the curves of the fixed point.

    Args:
        results: of `schedule.read_results`.
        main: name of the model that everything was measured of.

    Returns:
        By model and set what `summarise` returns, with `kid`; by model the curves `clean`
        and `degraded`, each of the same people for every model, and `clean_everyone`.

    """
    tables: dict[str, Any] = {}
    curves: dict[str, Any] = {}
    for (kind, model, name), faces in results.items():
        if kind == FIXED_POINT:
            continue
        reference = results.get((QUALITY, main, SETS[0] if name == REAL else name))
        if model != main and reference is not None:
            share_input(faces, reference)
        summary = summarise(faces)
        if reference is not None:
            add_kid(summary, faces, reference)
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
