"""The content of `docs/results.json`, and the files that are made of it."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
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
from training.evaluation.results_page import render_page
from training.evaluation.schedule import Request, Task
from training.evaluation.summary import summarise_all


def collect(
    request: Request, results: Mapping[Task, Sequence[Readings]], whole: bool
) -> dict[str, Any]:
    """Return the content of `docs/results.json`."""
    tables, curves = summarise_all(results, request.main)
    models: dict[str, Any] = {}
    labels: dict[str, str] = {}
    for path in request.models:
        card = load_card(path)
        labels[path.stem] = card.name
        models[path.stem] = {
            'title': card.name,
            'sha256': card.sha256,
            'sets': tables.get(path.stem, {}),
        }
    without = request.without_ccfp
    if without is not None:
        labels[without.stem] = f'{load_card(without).name} without CCFP'
    people = CaseSet(request.data, CLEAN)
    result: dict[str, Any] = {
        'command': 'python -m training.tools.evaluate',
        'complete': whole,
        'seed': SEED,
        'cycles': request.cycles,
        'people': min(len(people), request.limit or len(people)),
        'manifest_sha256': manifest_sha256(request.data),
        'software': {
            'onnxruntime': ort.__version__,
            'torch': torch.__version__,
            'opencv': cv2.__version__,
            'numpy': np.__version__,
        },
        'metric_weights_sha256': Meters().weights(),
        'highest_psnr_db': HIGHEST_PSNR,
        'main': request.main,
        'labels': labels,
        'without_ccfp': without.stem if without is not None else '',
        'plans': {
            'main model': MAIN.describe(),
            'other models, general set': OTHER_GENERAL.describe(),
            'other models, other sets': OTHER.describe(),
        },
        'models': models,
        'fixed_point': curves,
    }
    result['figures'] = figures_to_reach(result)
    return result


def keep_curve(result: dict[str, Any], earlier: Mapping[str, Any]) -> None:
    """Give a result without weights trained without CCFP an earlier result's curve of them.

    Such weights do not ship: without this, whoever measures what ships would lose the curve. It is
    kept if it is of the same people, degraded by the same seed.
    """
    name = earlier.get('without_ccfp', '')
    same = all(earlier.get(k) == result[k] for k in ('seed', 'people', 'manifest_sha256'))
    if not name or not same or result['without_ccfp']:
        return
    result['without_ccfp'] = name
    result['labels'][name] = earlier['labels'][name]
    result['fixed_point'][name] = earlier['fixed_point'][name]


def read_earlier(out: Path) -> dict[str, Any]:
    """Return what an earlier run wrote into a folder; nothing, if none did."""
    path = out / 'results.json'
    if not path.is_file():
        return {}
    stored: dict[str, Any] = json.loads(path.read_text(encoding='utf-8'))
    return stored


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


def write_results(result: Mapping[str, Any], out: Path) -> dict[str, Any]:
    """Write `results.json`, `results.md` and the plots; return what `results.json` says."""
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_rounded(result), indent=1)
    (out / 'results.json').write_text(text + '\n', encoding='utf-8')
    # From what was written, so that page, cards and file cannot differ.
    stored: dict[str, Any] = json.loads(text)
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
