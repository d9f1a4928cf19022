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

"""Export a run: ``python -m training.tools.export --run RUN --data FACES``.

``--model FP32.onnx`` instead of ``--run`` quantises again what ships.

Writes the FP32 and the INT8 (QDQ) model with a card each and the page of the cards, and
replaces nothing unless FP32 agrees with PyTorch and INT8 with FP32.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn

from cfrnet_ros.vision.engine.cpu import cpu_kind
from training.data.crops import SIZE
from training.export.camera_format import BytePixels, FloatPlanes, fold
from training.export.card import IO_FORMATS, data_sources, integer_sums, make_card, write_card
from training.export.cards_page import write_page
from training.export.compare import LPIPS_LIMIT, PSNR_LIMIT_DB, Comparison
from training.export.equalise import equalise
from training.export.faces import degraded_faces
from training.export.fp32 import check_against_pytorch, write_onnx
from training.export.golden import limit_of, write_golden
from training.export.int8 import Trial, find_int8
from training.export.learning import Learning
from training.export.quantise import METHODS, calibration_inputs, write_quantised
from training.export.shipped import read_model
from training.networks.build import count_macs, count_parameters
from training.run.checkpoint import load_run

#: By `--name`, what people call the network.
TITLES = {'cfrnet': 'CFRNet', 'cfrnet_plain': 'CFRNet plain'}

#: Faces on which FP32 is checked against PyTorch, and the seed of the validation faces.
CHECKED_FACES, VALIDATION_SEED = 4, 7


def main() -> None:
    """Export a run, or quantise again what ships."""
    args = _arguments()
    network, training, shipped = _source(args)
    as_bytes = args.io == 'uint8'
    facts: dict[str, Any] = {
        'title': TITLES[args.name],
        'io': args.io,
        'size': SIZE,
        'parameters': count_parameters(network),
        'macs': count_macs(network, SIZE),
        'data': data_sources(args.data),
    }
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        fp32 = work / f'{args.name}_{SIZE}_fp32.onnx'
        validation = degraded_faces(args.data, 'val', args.validation_faces, VALIDATION_SEED)
        if shipped is not None:
            shutil.copy(shipped, fp32)
        else:
            _write_fp32(network, fp32, as_bytes)
        checked = [face.degraded for face in validation[:CHECKED_FACES]]
        difference = check_against_pytorch(fp32, network, checked)
        training['max_difference_from_pytorch'] = difference
        write_card(
            fp32.with_suffix('.json'), make_card(fp32, precision='fp32', training=training, **facts)
        )
        golden = write_golden(fp32, f'{args.name}_{SIZE}')
        _write_card(fp32, golden, facts, precision='fp32', training=training)

        colour = 'BGR' if as_bytes else 'RGB'
        floats, int8 = work / 'floats.onnx', work / f'{args.name}_{SIZE}_int8.onnx'
        open_ended = FloatPlanes(fold(network) if as_bytes else network, clip=False)
        write_onnx(open_ended, torch.zeros(1, 3, SIZE, SIZE), floats)
        learning = Learning(
            steps=args.learning_steps, faces=args.learning_faces, layers=args.learning_layers
        )
        calibration, learners = (
            [face.degraded for face in degraded_faces(args.data, 'train', count, seed)]
            if count
            else []
            for count, seed in (
                (args.calibration_faces, args.seed),
                (learning.faces if learning.steps else 0, learning.seed),
            )
        )
        # Equalising changes the network's cycles by the rounding of float32 alone.
        inputs = calibration_inputs(floats, calibration, colour)
        carrying = equalise(floats, floats, inputs)
        comparison = Comparison(fp32, validation)

        def measure(model: onnx.ModelProto) -> Trial:
            write_quantised(model, int8, as_bytes)
            card = make_card(int8, precision='int8', training=training, **facts)
            write_card(int8.with_suffix('.json'), card)
            return comparison.measure(int8)

        found = find_int8(
            floats, carrying, inputs, learners, colour, args.calibration, learning, measure
        )
        if not found.figures['within_limits'] and not args.allow_int8_loss:
            raise SystemExit(
                f'the best INT8 model ({found.name}) is not within {PSNR_LIMIT_DB} dB and '
                f'{LPIPS_LIMIT} LPIPS of FP32: {found.figures}; nothing was written. Raise '
                '--calibration-faces or --learning-steps, train with the activation term, or '
                'accept it with --allow-int8-loss'
            )
        scheme = (
            'QDQ, U8 activations, S8 weights by channel whose pairs fit into 16 bits, equalised, '
            f'{found.name}'
        )
        training = {
            **training,
            'calibration': {
                'faces': len(calibration),
                'seed': args.seed,
                'split': 'train',
                'scheme': scheme,
                'tried': found.trials,
            },
            'learning': asdict(learning),
            'int8_against_fp32': {**found.figures, 'cpu': cpu_kind()},
        }
        write_quantised(found.model, int8, as_bytes)
        _write_card(int8, golden, facts, precision='int8', training=training)
        _ship([fp32, int8], work / golden['file'], args.out)
    print(f'largest difference between ONNX Runtime and PyTorch: {difference:.1e}')
    for name, trial in found.trials.items():
        print(f'{name}{" (kept)" if name == found.name else ""}: {trial}')


def _source(args: argparse.Namespace) -> tuple[nn.Module, dict[str, Any], Path | None]:
    """Return the network, what the card says of its training, and the FP32 file to keep if any."""
    if args.model is not None:
        network, card = read_model(args.model)
        training = dict(card['training'])
        return network, training, args.model
    network, state = load_run(args.run)
    training = {
        'config': json.loads(state['config']),
        'steps': state['step'],
        'seconds': round(state['elapsed']),
        'manifest_sha256': state['manifest_sha256'],
        'source_sha256': state['source_sha256'],
        'code_version': state['code_version'],
    }
    # How `training.experiments.mix_parts` and `gauss_newton` made the weights.
    training |= {key: state[key] for key in ('mixture', 'figure_steps') if key in state}
    return network, training, None


def _write_fp32(network: nn.Module, path: Path, as_bytes: bool) -> None:
    if as_bytes:
        example = torch.zeros(1, SIZE, SIZE, 3, dtype=torch.uint8)
        write_onnx(BytePixels(fold(network, 255.0)), example, path)
    else:
        write_onnx(FloatPlanes(network, clip=True), torch.zeros(1, 3, SIZE, SIZE), path)


def _write_card(
    model: Path,
    golden: dict[str, Any],
    facts: dict[str, Any],
    *,
    precision: str,
    training: dict[str, Any],
) -> None:
    """Write the card of a file that ships, with the limit of its self-test."""
    card = make_card(model, precision=precision, training=training, **facts)
    if precision == 'int8':
        card['integer_sums'] = integer_sums(model)
    # The self-test reads the card; a limit of 0 dB lets it measure.
    card['golden'] = {**golden, 'limit_db': 0.0}
    write_card(model.with_suffix('.json'), card)
    limit, reached = limit_of(model)
    card['golden'] = {**golden, 'limit_db': limit, 'reached_db': reached}
    write_card(model.with_suffix('.json'), card)


def _ship(models: Sequence[Path], golden: Path, out: Path) -> None:
    """Copy models, cards and golden crops, and write the page of all cards there."""
    out.mkdir(parents=True, exist_ok=True)
    shutil.copy(golden, out / golden.name)
    for model in models:
        for path in (model, model.with_suffix('.json')):
            shutil.copy(path, out / path.name)
        print(f'{out / model.name}: {model.stat().st_size / 1e6:.1f} MB')
    write_page(out)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument('--run', type=Path, help="the run's folder")
    source.add_argument(
        '--model', type=Path, help='shipped FP32 file, which is kept; only INT8 is made anew'
    )
    parser.add_argument('--data', type=Path, required=True, help='folder with MANIFEST.tsv')
    parser.add_argument('--out', type=Path, default=Path('cfrnet_ros/models'))
    parser.add_argument('--name', choices=sorted(TITLES), default='cfrnet')
    parser.add_argument(
        '--io',
        choices=sorted(IO_FORMATS),
        default='uint8',
        help='camera bytes (default), or float planes for compilers that want them',
    )
    parser.add_argument(
        '--calibration',
        nargs='+',
        choices=sorted(METHODS),
        default=list(METHODS),
        help='methods to try; the one that loses least against FP32 is kept (default: all)',
    )
    parser.add_argument('--calibration-faces', type=int, default=48)
    parser.add_argument(
        '--learning-steps',
        type=int,
        default=Learning.steps,
        help='steps in which the best calibration learns to give what FP32 gives; 0: none',
    )
    parser.add_argument('--learning-faces', type=int, default=Learning.faces)
    parser.add_argument(
        '--learning-layers',
        type=int,
        default=Learning.layers,
        help='number of the last convolutions that learn; 0: all',
    )
    parser.add_argument('--validation-faces', type=int, default=24)
    parser.add_argument('--seed', type=int, default=11, help='of the calibration faces')
    parser.add_argument(
        '--allow-int8-loss', action='store_true', help='write INT8 even beyond the limits'
    )
    return parser.parse_args()


if __name__ == '__main__':
    main()
