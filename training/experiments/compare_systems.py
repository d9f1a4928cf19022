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

"""Train, measure and page the comparison of systems, step by step.

``python -m training.experiments.compare_systems STEP``

The steps are: ``train`` (every row gets the same windows; resumes where it was stopped),
``take-home`` (a run's folder of what a borrowed machine left, see ``python -m
training.tools.pack --systems``), ``measure`` (docs/comparison.json: cost of every row, quality of
the trained ones and of what needs no training), ``sheet`` (the same 12 faces through all rows, in
the folder of work: it shows people), ``npu``, ``htp``, ``openvino`` and ``rockchip``
(docs/deployability.json: what Arm's, Qualcomm's, Intel's and Rockchip's compilers make of every
row) and ``page`` (pages and plots, from these files alone).
"""

from __future__ import annotations

import argparse
from pathlib import Path

#: Where figures and pages go, and the folder of what measuring leaves behind.
DOCS, WORK = Path('docs'), Path('runs/systems')

#: Where `requirements/npu/install.sh` puts the compilers, by step.
PACKAGES = {'htp': Path('.npu/qnn'), 'openvino': Path('.npu/openvino')}
RKNN = Path('.npu/rknn/bin/python')


def main() -> None:
    """Do one step."""
    args = _arguments()
    try:
        args.step(args)
    except (FileNotFoundError, FileExistsError, ImportError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error


def _train(args: argparse.Namespace) -> None:
    import cv2
    import torch

    from training.experiments.systems.rows import read_rows
    from training.experiments.systems.training_loop import Budget, Comparison

    if args.threads > 0:
        torch.set_num_threads(args.threads)
    cv2.setNumThreads(1)
    device = torch.device(args.device or ('cuda' if torch.cuda.is_available() else 'cpu'))
    rows = read_rows(args.rows_file) if args.rows_file else read_rows()
    chosen = rows.named(args.rows)
    budget = Budget(args.windows, args.seconds)
    comparison = Comparison(rows, chosen, args.data, args.out, device, budget)
    train = comparison.in_turn if args.in_turn else comparison.side_by_side
    train(lambda: False, args.save_every)


def _take_home(args: argparse.Namespace) -> None:
    from training.experiments.systems.borrowed import take_home

    names = take_home(args.results, args.out)
    print(f'{args.out}: {", ".join(names)}')


def _measure(args: argparse.Namespace) -> None:
    from training.experiments.systems.measuring.measure import Request, measure

    measure(
        Request(
            data=args.data,
            runs=tuple(args.run),
            work=args.work,
            out=args.docs / 'comparison.json',
            faces=args.faces,
            rounds=args.rounds,
            names=tuple(args.rows),
            machine=args.machine,
            costs=not args.quality_only,
            quality=not args.costs_only,
        )
    )


def _sheet(args: argparse.Namespace) -> None:
    from training.experiments.systems.measuring.sheet import draw_sheet

    print(draw_sheet(args.data, args.work))


def _npu(args: argparse.Namespace) -> None:
    from training.experiments.systems.measuring.npu import measure_npu

    out = args.docs / 'deployability.json'
    measure_npu(tuple(args.run), args.work, args.vela, out, tuple(args.rows))


def _provider(args: argparse.Namespace) -> None:
    from training.experiments.systems.measuring.onnx_providers import (
        measure_provider,
        trained_files,
    )

    files = trained_files(args.work, 'int8', args.rows)
    measure_provider(args.key, files, args.package, args.docs / 'deployability.json')


def _rockchip(args: argparse.Namespace) -> None:
    from training.experiments.systems.measuring.onnx_providers import trained_files
    from training.experiments.systems.measuring.rockchip import measure_rockchip

    files = trained_files(args.work, 'fp32', args.rows)
    measure_rockchip(files, args.rknn, args.work, args.docs / 'deployability.json')


def _page(args: argparse.Namespace) -> None:
    from training.experiments.systems.pages.write import write_pages

    for path in write_pages(args.docs):
        print(path)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    steps = parser.add_subparsers(required=True, metavar='STEP')
    train = steps.add_parser('train', help='train the rows')
    train.set_defaults(step=_train)
    train.add_argument('--data', type=Path, required=True, help='folder with MANIFEST.tsv')
    train.add_argument('--out', type=Path, required=True, help="the run's folder")
    train.add_argument('--rows', nargs='+', default=['comparison'], help='names of rows or groups')
    train.add_argument('--rows-file', type=Path, help='another file of rows')
    train.add_argument('--windows', type=int, default=0, help='windows a row')
    train.add_argument('--seconds', type=float, default=0.0, help='of all rows together, instead')
    train.add_argument('--in-turn', action='store_true', help='one row after another')
    train.add_argument('--device', help="'cpu' or 'cuda'; default: a GPU where there is one")
    train.add_argument('--threads', type=int, default=0, help='CPU threads, 0 = all')
    train.add_argument('--save-every', type=float, default=120.0, help='seconds')
    home = steps.add_parser('take-home', help='make a run of what came back')
    home.set_defaults(step=_take_home)
    home.add_argument('--results', type=Path, required=True, help='folder that came back')
    home.add_argument('--out', type=Path, required=True, help="the run's folder")
    measure = steps.add_parser('measure', help='measure cost and quality')
    measure.set_defaults(step=_measure)
    measure.add_argument('--data', type=Path, required=True, help='folder with MANIFEST.tsv')
    measure.add_argument('--rows', nargs='*', default=[], help='these rows only')
    measure.add_argument('--faces', type=int, default=60, help='people of each set, 0 = all')
    measure.add_argument('--rounds', type=int, default=20, help='runs of each file for its time')
    measure.add_argument('--machine', default='', help="processor's name for the page")
    only = measure.add_mutually_exclusive_group()
    only.add_argument('--quality-only', action='store_true', help='leave the costs as they are')
    only.add_argument('--costs-only', action='store_true', help='leave the quality as it is')
    sheet = steps.add_parser('sheet', help='draw the same 12 faces through all rows')
    sheet.set_defaults(step=_sheet)
    sheet.add_argument('--data', type=Path, required=True, help='folder with MANIFEST.tsv')
    sheet.add_argument('--work', type=Path, default=WORK, help='folder of models')
    npu = steps.add_parser('npu', help="ask Arm's NPU compiler")
    npu.set_defaults(step=_npu)
    npu.add_argument('--vela', help="path of Vela's command; default: as installed")
    htp = steps.add_parser('htp', help="ask Qualcomm's compiler, and its emulator of the NPU")
    openvino = steps.add_parser('openvino', help='ask OpenVINO, on its device CPU')
    for key, step in (('htp', htp), ('openvino', openvino)):
        step.set_defaults(step=_provider, key=key)
        step.add_argument(
            '--package', type=Path, default=PACKAGES[key], help="folder with the tool's package"
        )
    rockchip = steps.add_parser('rockchip', help="ask Rockchip's compiler and its simulator")
    rockchip.set_defaults(step=_rockchip)
    rockchip.add_argument(
        '--rknn', type=Path, default=RKNN, help='Python of the environment with rknn-toolkit2'
    )
    for step in (htp, openvino, rockchip):
        step.add_argument('--work', type=Path, default=WORK, help='folder of models')
    for step in (npu, htp, openvino, rockchip):
        step.add_argument('--rows', nargs='*', default=[], help='these rows only')
    for step in (measure, npu):
        step.add_argument(
            '--run', type=Path, nargs='*', default=[], help="folders of runs' trained rows"
        )
        step.add_argument('--work', type=Path, default=WORK, help='folder of models and cache')
    page = steps.add_parser('page', help='write pages and plots')
    page.set_defaults(step=_page)
    for step in (measure, npu, htp, openvino, rockchip, page):
        step.add_argument('--docs', type=Path, default=DOCS, help='where figures and pages go')
    args = parser.parse_args()
    if 'windows' in args and (args.windows > 0) == (args.seconds > 0):
        parser.error('give either --windows or --seconds')
    return args


if __name__ == '__main__':
    main()
