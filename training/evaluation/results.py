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

"""The content of `docs/results.json`, and the files that are made of it."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime as ort
import torch

from cfrnet_ros.vision.engine.model_card import load_card
from training.data.manifest import manifest_sha256
from training.evaluation import plots
from training.evaluation.cases import CaseSet
from training.evaluation.figures import figures_to_reach
from training.evaluation.meters import HIGHEST_PSNR, Meters, Readings
from training.evaluation.protocol import CLEAN, MAIN, OTHER, OTHER_GENERAL, SEED
from training.evaluation.records import MeasuredModel, Results
from training.evaluation.results_page import render_page
from training.evaluation.schedule import Request, Task
from training.evaluation.summary import summarise_all


def collect(request: Request, results: Mapping[Task, Sequence[Readings]], whole: bool) -> Results:
    """Return the content of `docs/results.json`.

    Args:
        request: What was to be measured.
        results: Readings of each task.
        whole: Whether everything was to be measured.

    """
    tables, curves = summarise_all(results, request.main)
    models: dict[str, MeasuredModel] = {}
    labels: dict[str, str] = {}
    for path in request.models:
        card = load_card(path)
        labels[path.stem] = card.name
        models[path.stem] = MeasuredModel(card.name, card.sha256, tables.get(path.stem, {}))
    without = request.without_ccfp
    if without is not None:
        labels[without.stem] = f'{load_card(without).name} without CCFP'
    people = CaseSet(request.data, CLEAN)
    return Results(
        command='python -m training.tools.evaluate',
        complete=whole,
        seed=SEED,
        cycles=request.cycles,
        people=min(len(people), request.limit or len(people)),
        manifest_sha256=manifest_sha256(request.data),
        software={
            'onnxruntime': ort.__version__,
            'torch': torch.__version__,
            'opencv': cv2.__version__,
            'numpy': np.__version__,
        },
        metric_weights_sha256=Meters().weights(),
        highest_psnr_db=HIGHEST_PSNR,
        main=request.main,
        labels=labels,
        without_ccfp=without.stem if without is not None else '',
        plans={
            'main model': MAIN.describe(),
            'other models, general set': OTHER_GENERAL.describe(),
            'other models, other sets': OTHER.describe(),
        },
        models=models,
        fixed_point=curves,
        figures=figures_to_reach(request.main, models, curves),
    )


def keep_curve(result: Results, earlier: Results | None) -> Results:
    """Return a result with an earlier result's curve of weights trained without CCFP.

    Such weights do not ship: without this, whoever measures what ships would lose the curve. It is
    kept if it is of the same people, degraded by the same seed, and if the result has none.
    """
    if earlier is None or not earlier.without_ccfp or result.without_ccfp:
        return result
    made_of = [(r.seed, r.people, r.manifest_sha256) for r in (result, earlier)]
    if made_of[0] != made_of[1]:
        return result
    name = earlier.without_ccfp
    return replace(
        result,
        without_ccfp=name,
        labels={**result.labels, name: earlier.labels[name]},
        fixed_point={**result.fixed_point, name: earlier.fixed_point[name]},
    )


def keep_sets(result: Results, earlier: Results | None) -> Results:
    """Return a result with what an earlier one holds of the same files and was not measured now.

    Args:
        result: Results of some sets, without curves of the fixed point.
        earlier: Earlier results, which must be of the same people, seed, cycles and main model.

    Raises:
        ValueError: There are no earlier results, or they are of something else; a measured file
            has another hash than it had then.

    """
    earlier = _comparable(result, earlier)
    models = dict(earlier.models)
    for name, model in result.models.items():
        before = models.get(name)
        if before is None or before.sha256 != model.sha256:
            raise ValueError(
                f'{name} is not the file that was measured earlier; measure everything again, '
                'without --add'
            )
        models[name] = replace(model, sets={**before.sets, **model.sets})
    return replace(
        earlier,
        models=models,
        figures=figures_to_reach(earlier.main, models, earlier.fixed_point),
    )


def keep_models(result: Results, earlier: Results | None) -> Results:
    """Return earlier results in which the measured files take the place of those of their names.

    The place of the main model may be taken too: what is measured with it alone, the degraded
    input and the real faces, is measured anew with the new file.

    Args:
        result: Results of some files, of all sets that were measured of them earlier, or of more.
        earlier: Earlier results, which must be of the same people, seed, cycles and main model.

    Raises:
        ValueError: There are no earlier results, or they are of something else; they lack a file of
            that name, or have a set of it that was not measured now.

    """
    earlier = _comparable(result, earlier)
    models, curves = dict(earlier.models), dict(earlier.fixed_point)
    for name, model in result.models.items():
        before = models.get(name)
        if before is None or set(before.sets) - set(model.sets):
            raise ValueError(
                f'{name} cannot replace what was measured earlier, since there was none, or it has '
                'further sets; measure everything again, without --replace'
            )
        models[name] = model
    return replace(
        earlier,
        models=models,
        labels={**earlier.labels, **result.labels},
        fixed_point={**curves, **result.fixed_point},
        figures=figures_to_reach(earlier.main, models, {**curves, **result.fixed_point}),
    )


def _comparable(result: Results, earlier: Results | None) -> Results:
    """Return earlier results that may be joined with new ones.

    Raises:
        ValueError: There are none, or they are of something else.

    """
    if earlier is None:
        raise ValueError('there are no earlier results to add to; measure everything')
    made_of = [
        (r.seed, r.people, r.cycles, r.main, r.manifest_sha256, r.metric_weights_sha256)
        for r in (result, earlier)
    ]
    if made_of[0] != made_of[1]:
        raise ValueError(
            'the earlier results are of other people, another seed, another number of cycles, '
            'another main model or other metrics; measure everything again'
        )
    return earlier


def read_earlier(out: Path) -> Results | None:
    """Return what an earlier run wrote into a folder; None, if none did.

    Raises:
        ValueError: The file is damaged, or of another version of the evaluation.

    """
    path = out / 'results.json'
    if not path.is_file():
        return None
    try:
        return Results.read(json.loads(path.read_text(encoding='utf-8')))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"'{path}' does not hold the results of an evaluation ({error}); move it away, or "
            'write elsewhere by --out'
        ) from error


def write_faces(results: Mapping[Task, Sequence[Readings]], path: Path) -> None:
    """Write every figure of every face, in long form, for whoever wants to look closer."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('w', newline='', encoding='utf-8') as stream:
        writer = csv.writer(stream)
        writer.writerow(['kind', 'model', 'set', 'file', 'stage', 'metric', 'value'])
        for task, faces in results.items():
            for face in faces:
                for stage, values in face.values.items():
                    for metric, value in values.items():
                        writer.writerow([*task, face.file, stage, metric, f'{value:.6g}'])


def write_results(result: Results, out: Path) -> Results:
    """Write `results.json`, `results.md` and the plots; return what `results.json` says."""
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_rounded(result.as_json()), indent=1)
    (out / 'results.json').write_text(text + '\n', encoding='utf-8')
    # From what was written, so that page, cards and file cannot differ.
    stored = Results.read(json.loads(text))
    plots.quality_by_cycle(stored, out / 'images' / 'quality_by_cycle.png')
    plots.fixed_point(stored, out / 'images' / 'fixed_point.png')
    (out / 'results.md').write_text(render_page(stored), encoding='utf-8')
    return stored


def _rounded(value: Any) -> Any:
    """Round to six significant digits: more would be noise of the machine."""
    if isinstance(value, Mapping):
        return {str(key): _rounded(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(entry) for entry in value]
    return float(f'{value:.6g}') if isinstance(value, float) else value
