"""The command ``python -m training.evaluate``.

Measures the shipped ONNX files on the held-out people and writes ``docs/results.json``,
``docs/results.md``, the plots beside them, the figures of the model cards, and contact
sheets into a folder that git ignores. A run that was stopped goes on where it was; what
neither the models, the data nor the measuring code changed is not measured again.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime as ort
import torch

from cfrnet_ros.vision.engine.model_card import load_card
from cfrnet_ros.vision.errors import ModelError
from training.data import manifest_sha256
from training.evaluation import plots, sheets
from training.evaluation.cases import CaseSet, has_real_faces
from training.evaluation.figures import figures_to_reach
from training.evaluation.meters import HIGHEST_PSNR, Meters, Readings
from training.evaluation.page import render_page
from training.evaluation.plans import (
    CLEAN,
    CYCLES,
    MAIN,
    OTHER,
    OTHER_GENERAL,
    REAL,
    SEED,
    SETS,
)
from training.evaluation.schedule import Request, Task, do_units, plan_units, read_results
from training.evaluation.summary import summarise_all
from training.evaluation.work import QUALITY
from training.export.card import write_metrics
from training.export.page import write_page

#: What a whole run writes to, and where partial ones go instead.
DOCS, RUNS = Path('docs'), Path('runs/evaluation')


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m training.evaluate',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--data', type=Path, required=True, help='folder with MANIFEST.tsv')
    parser.add_argument('--models', type=Path, default=Path('cfrnet_ros/models'))
    parser.add_argument(
        '--main', default='cfrnet_256_int8', help='name of the model measured by everything'
    )
    parser.add_argument('--only', nargs='+', metavar='NAME', help='these models only')
    parser.add_argument(
        '--without-ccfp',
        type=Path,
        metavar='ONNX',
        help='a file trained without CCFP, for a curve; default: the curve that --out has',
    )
    parser.add_argument('--sets', nargs='+', choices=(*SETS, REAL), default=[*SETS, REAL])
    parser.add_argument('--cycles', type=int, choices=range(1, CYCLES + 1), default=CYCLES)
    parser.add_argument('--limit', type=int, default=0, help='first N people only, 0 = all')
    parser.add_argument('--jobs', type=int, default=os.cpu_count() or 1, help='processes')
    parser.add_argument('--threads', type=int, default=1, help='CPU threads of each process')
    parser.add_argument('--cache', type=Path, default=RUNS / 'cache')
    parser.add_argument(
        '--out', type=Path, help=f'default: {DOCS}, {RUNS / "partial"} for a part of the whole'
    )
    parser.add_argument('--sheets', type=Path, help='contact sheets (they show people: keep them)')
    args = parser.parse_args(arguments)
    if args.limit < 0 or args.jobs < 1 or args.threads < 1:
        parser.error('--limit must be 0 or more, --jobs and --threads 1 or more')
    return args


def make_request(args: argparse.Namespace) -> tuple[Request, bool]:
    """Return what is to be measured, and whether that is the whole.

    Raises:
        FileNotFoundError: no models, or no such model.
        ValueError: two models would have one name.

    """
    present = {path.stem: path for path in sorted(args.models.glob('*.onnx'))}
    wanted = args.only or list(present)
    missing = [name for name in wanted if name not in present]
    if missing or not present:
        raise FileNotFoundError(
            f'{args.models} holds {", ".join(present) or "no ONNX file"}, not '
            f'{", ".join(missing) or "one to measure"}; run `make export`, or name others by '
            '--models and --only'
        )
    models = sorted((present[name] for name in wanted), key=lambda path: path.stem != args.main)
    if args.without_ccfp is not None and args.without_ccfp.stem in wanted:
        raise ValueError(
            f"'{args.without_ccfp}' has the name of a measured model; give the file another"
        )
    whole = (
        args.main in wanted
        and len(wanted) == len(present)
        and set(SETS) <= set(args.sets)
        and args.cycles == CYCLES
        and not args.limit
    )
    names = list(args.sets)
    if REAL in names and not has_real_faces(args.data):
        print(f'{args.data} holds no real low-quality faces: the set {REAL} is left out')
        names.remove(REAL)
    return Request(
        args.data,
        tuple(models),
        args.main,
        args.without_ccfp,
        tuple(name for name in (*SETS, REAL) if name in names),
        args.cycles,
        args.limit,
        args.cache,
    ), whole


def output_folders(args: argparse.Namespace, whole: bool) -> tuple[Path, Path]:
    """Return where page and figures go, and where contact sheets go.

    A part of the whole never replaces `docs/results.md`, and sheets never lie in `docs`.
    """
    out = args.out or (DOCS if whole else RUNS / 'partial')
    return out, args.sheets or (RUNS if args.out is None else out / 'sheets')


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
        'command': 'python -m training.evaluate',
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


def draw_sheets(request: Request, results: Mapping[Task, Sequence[Readings]], folder: Path) -> None:
    """Draw the contact sheets of the main model, or of the first if that was not measured."""
    model = next((m for m in request.models if m.stem == request.main), request.models[0])
    for name in request.sets:
        faces = results.get((QUALITY, model.stem, name))
        if faces and name == REAL:
            path = folder / f'{name}.jpg'
            sheets.draw_real(request.data, model, len(faces), request.cycles, path)
        elif faces:
            path = folder / f'{name}.jpg'
            sheets.draw_ranked(request.data, model, name, faces, request.cycles, path)
    people = len(CaseSet(request.data, CLEAN))
    sheets.draw_clean(
        request.data, model, min(people, request.limit or people), folder / 'clean.jpg'
    )


def _rounded(value: Any) -> Any:
    """Round to six significant digits: more would be noise of the machine."""
    if isinstance(value, Mapping):
        return {str(key): _rounded(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(entry) for entry in value]
    return float(f'{value:.6g}') if isinstance(value, float) else value


def main(arguments: Sequence[str] | None = None) -> None:
    """Evaluate the models and write what people read."""
    args = parse(arguments)
    try:
        request, whole = make_request(args)
        units = plan_units(request)
    except (FileNotFoundError, ImportError, ModelError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error
    out, folder = output_folders(args, whole)
    do_units(units, args.jobs, args.threads)
    results, seconds = read_results(units)
    result = collect(request, results, whole)
    keep_curve(result, read_earlier(out))
    stored = write_results(result, out)
    write_faces(results, folder / 'faces.csv')
    draw_sheets(request, results, folder)
    if whole and args.out is None:
        for path in request.models:
            write_metrics(path.with_suffix('.json'), stored)
        write_page(args.models)
    reached = sum(figure['reached'] for figure in result['figures'])
    print(f'{out / "results.md"}; contact sheets in {folder}')
    print(f'{reached} of {len(result["figures"])} figures are reached')
    for name, took in seconds.items():
        print(f'{name}: {took / 60:.1f} minutes of one core ({platform.machine()})')
