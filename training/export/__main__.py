"""Export a run: ``python -m training.export --run RUN --data FACES``.

Writes the FP32 and the INT8 (QDQ) model with a card each and the page of the cards, and
replaces nothing unless FP32 agrees with PyTorch and INT8 with FP32.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from training.checkpoint import read_run
from training.data import SIZE
from training.export.camera_format import BytePixels, FloatPlanes, fold
from training.export.card import IO_FORMATS, data_sources, make_card, write_card
from training.export.compare import LPIPS_LIMIT, PSNR_LIMIT_DB, Comparison
from training.export.equalise import equalise
from training.export.faces import degraded_faces
from training.export.fp32 import check_against_pytorch, write_onnx
from training.export.page import write_page
from training.export.quantise import METHODS, calibration_inputs, quantise
from training.network import NetworkConfig, build_network, count_macs, count_parameters

#: By `--name`, what people call the network.
TITLES = {'cfrnet': 'CFRNet', 'cfrnet_plain': 'CFRNet plain'}

#: Faces on which FP32 is checked against PyTorch, and the seed of the validation faces.
CHECKED_FACES, VALIDATION_SEED = 4, 7


def load_run(run: Path) -> tuple[nn.Module, dict[str, Any]]:
    """Load the averaged weights of a run, and what else its checkpoint says.

    Raises:
        FileNotFoundError: the run has no checkpoint.

    """
    state = read_run(run, '--run')
    network = build_network(NetworkConfig.read(json.loads(state['config'])['network']))
    network.load_state_dict(state['average'])
    return network.eval(), state


def main() -> None:
    """Export a run."""
    args = _arguments()
    network, state = load_run(args.run)
    as_bytes = args.io == 'uint8'
    facts: dict[str, Any] = {
        'title': TITLES[args.name],
        'io': args.io,
        'size': SIZE,
        'parameters': count_parameters(network),
        'macs': count_macs(network, SIZE),
        'data': data_sources(args.data),
    }
    training = {
        'config': json.loads(state['config']),
        'steps': state['step'],
        'seconds': round(state['elapsed']),
        'manifest_sha256': state['manifest_sha256'],
        'source_sha256': state['source_sha256'],
        'code_version': state['code_version'],
    }
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        fp32 = work / f'{args.name}_{SIZE}_fp32.onnx'
        validation = degraded_faces(args.data, 'val', args.validation_faces, VALIDATION_SEED)
        if as_bytes:
            example = torch.zeros(1, SIZE, SIZE, 3, dtype=torch.uint8)
            write_onnx(BytePixels(fold(network, 255.0)), example, fp32)
        else:
            write_onnx(FloatPlanes(network, clip=True), torch.zeros(1, 3, SIZE, SIZE), fp32)
        checked = [face.degraded for face in validation[:CHECKED_FACES]]
        difference = check_against_pytorch(fp32, network, checked)
        training['max_difference_from_pytorch'] = difference
        write_card(
            fp32.with_suffix('.json'), make_card(fp32, precision='fp32', training=training, **facts)
        )

        floats = work / 'floats.onnx'
        open_ended = FloatPlanes(fold(network) if as_bytes else network, clip=False)
        write_onnx(open_ended, torch.zeros(1, 3, SIZE, SIZE), floats)
        faces = degraded_faces(args.data, 'train', args.calibration_faces, args.seed)
        inputs = calibration_inputs(
            floats, [face.degraded for face in faces], 'BGR' if as_bytes else 'RGB'
        )
        equalise(floats, floats, inputs)
        comparison = Comparison(fp32, validation)
        trials: dict[str, dict[str, Any]] = {}
        for method in tqdm(args.calibration, desc='calibrations', unit='method'):
            path = work / method / f'{args.name}_{SIZE}_int8.onnx'
            path.parent.mkdir()
            quantise(floats, path, inputs, METHODS[method], as_bytes)
            card = make_card(path, precision='int8', training=training, **facts)
            write_card(path.with_suffix('.json'), card)
            trials[method] = comparison.measure(path)
        best = choose(trials)
        int8 = work / best / f'{args.name}_{SIZE}_int8.onnx'
        if not trials[best]['within_limits'] and not args.allow_int8_loss:
            raise SystemExit(
                f'the best INT8 model ({best}) is not within {PSNR_LIMIT_DB} dB and {LPIPS_LIMIT} '
                f'LPIPS of FP32: {trials[best]}; nothing was written. Raise --calibration-faces, '
                'train with the activation term, or accept it with --allow-int8-loss'
            )
        training = {
            **training,
            'calibration': {
                'faces': len(faces),
                'seed': args.seed,
                'split': 'train',
                'scheme': f'QDQ, U8 activations, S8 weights by channel, equalised, {best}',
                'tried': trials,
            },
            'int8_against_fp32': trials[best],
        }
        write_card(
            int8.with_suffix('.json'), make_card(int8, precision='int8', training=training, **facts)
        )
        _ship([fp32, int8], args.out)
    print(f'largest difference between ONNX Runtime and PyTorch: {difference:.1e}')
    for name, trial in trials.items():
        print(f'{name}{" (kept)" if name == best else ""}: {trial}')


def choose(trials: dict[str, dict[str, Any]]) -> str:
    """Return the calibration that uses least of the limits, PSNR's or LPIPS's, at any k.

    The nearest to FP32 in decibels is not always it: a grain that FP32 does not have is few
    decibels, and on a face that was smooth a whole limit of LPIPS.
    """

    def used(name: str) -> float:
        trial = trials[name]
        return max(
            max(abs(v) for v in trial['psnr_change_db']) / PSNR_LIMIT_DB,
            max(abs(v) for v in trial['lpips_change']) / LPIPS_LIMIT,
        )

    return min(trials, key=used)


def _ship(models: Sequence[Path], out: Path) -> None:
    """Copy models and cards, and write the page of all cards there."""
    out.mkdir(parents=True, exist_ok=True)
    for model in models:
        for path in (model, model.with_suffix('.json')):
            shutil.copy(path, out / path.name)
        print(f'{out / model.name}: {model.stat().st_size / 1e6:.1f} MB')
    write_page(out)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--run', type=Path, required=True, help="the run's folder")
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
        help='methods to try; the one that uses least of the limits is kept (default: all)',
    )
    parser.add_argument('--calibration-faces', type=int, default=48)
    parser.add_argument('--validation-faces', type=int, default=24)
    parser.add_argument('--seed', type=int, default=11, help='of the calibration faces')
    parser.add_argument(
        '--allow-int8-loss', action='store_true', help='write INT8 even beyond the limits'
    )
    return parser.parse_args()


if __name__ == '__main__':
    main()
