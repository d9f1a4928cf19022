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

"""The command ``python -m training.tools.evaluate``.

Measures the shipped ONNX files on the held-out people and writes ``docs/results.json``,
``docs/results.md``, the plots beside them, the figures of the model cards, and contact
sheets into a folder that git ignores. A run that was stopped goes on where it was; what
neither the models, the data nor the measuring code changed is not measured again.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Sequence
from pathlib import Path

from cfrnet_ros.vision.errors import ModelError
from training.evaluation.cases import has_real_faces
from training.evaluation.protocol import CYCLES, REAL, SETS
from training.evaluation.results import (
    collect,
    keep_curve,
    keep_models,
    keep_sets,
    read_earlier,
    write_faces,
    write_results,
)
from training.evaluation.schedule import Request, do_units, list_units, read_results
from training.evaluation.sheets import draw_sheets
from training.export.card import write_metrics
from training.export.cards_page import write_page

#: What a whole run writes to, and where partial ones go instead.
DOCS, RUNS = Path('docs'), Path('runs/evaluation')


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m training.tools.evaluate',
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
    parser.add_argument(
        '--add',
        action='store_true',
        help='add --sets to the earlier results of the same files, without curves',
    )
    parser.add_argument(
        '--replace',
        action='store_true',
        help='put the models of --only, whose files are new, into the earlier results',
    )
    args = parser.parse_args(arguments)
    if args.add and args.replace:
        parser.error('--add is for the files of the earlier results, --replace for new ones')
    if args.limit < 0 or args.jobs < 1 or args.threads < 1:
        parser.error('--limit must be 0 or more, --jobs and --threads 1 or more')
    return args


def make_request(args: argparse.Namespace) -> tuple[Request, bool]:
    """Return what is to be measured, and whether that is the whole.

    Raises:
        FileNotFoundError: There are no models, or there is no model of a given name.
        ValueError: Two models would have one name.

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
        curves=not args.add,
    ), whole


def output_folders(args: argparse.Namespace, whole: bool) -> tuple[Path, Path]:
    """Return where page and figures go, and where contact sheets go.

    A part of the whole never replaces `docs/results.md`, it is added to what that holds or lies
    elsewhere. Sheets never lie in `docs`.
    """
    joined = args.add or args.replace
    out = args.out or (DOCS if whole or joined else RUNS / 'partial')
    return out, args.sheets or (RUNS if args.out is None else out / 'sheets')


def main(arguments: Sequence[str] | None = None) -> None:
    """Evaluate the models and write what people read."""
    args = parse(arguments)
    try:
        request, whole = make_request(args)
        units = list_units(request)
        out, folder = output_folders(args, whole)
        # Before the hours of measuring: a file that cannot be read must not end them.
        earlier = read_earlier(out)
    except (FileNotFoundError, ImportError, ModelError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error
    do_units(units, args.jobs, args.threads)
    results, seconds = read_results(units)
    result = collect(request, results, whole)
    try:
        keep = keep_sets if args.add else keep_models if args.replace else keep_curve
        result = keep(result, earlier)
    except ValueError as error:
        raise SystemExit(f'error: {error}') from error
    stored = write_results(result, out)
    write_faces(results, folder / 'faces.csv')
    draw_sheets(request, results, folder)
    if (whole or args.add or args.replace) and args.out is None:
        for path in request.models:
            write_metrics(path.with_suffix('.json'), stored.as_json())
        write_page(args.models)
    reached = sum(verdict.reached for verdict in result.figures)
    print(f'{out / "results.md"}; contact sheets in {folder}')
    print(f'{reached} of {len(result.figures)} figures are reached')
    for name, took in seconds.items():
        print(f'{name}: {took / 60:.1f} minutes of one core ({platform.machine()})')


if __name__ == '__main__':
    main()
