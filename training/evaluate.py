"""Measure the shipped ONNX files on the held-out people: ``python -m training.evaluate``.

Everything runs through ONNX Runtime, as it does in the node, and every image is
rounded to eight bits before it is measured, as it is when it is published.
Writes the figures as JSON and, from them, the tables of ``docs/results.md``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from training.data import aligned, expose, manifest_sha256, read_manifest, to_image, to_tensor
from training.degradation import SAMPLERS
from training.metrics import psnr, ssim
from training.perceptual import Lpips, weights_sha256
from training.results_page import render_page
from training.sheet import contact_sheet

#: Seed of the test degradations; face i of a set gets (SEED, set's number, i).
SEED = 2026
SETS = ('general', 'car', 'mosaic')
METRICS = ('psnr', 'ssim', 'lpips')


class OnnxModel:
    """A restorer as an ONNX file."""

    def __init__(self, path: Path, threads: int) -> None:
        """Open a session on the CPU."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self.path = path
        self.session = ort.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
        self.input = self.session.get_inputs()[0].name

    def __call__(self, face: NDArray[np.float32]) -> NDArray[np.float32]:
        """Apply one cycle to (1, 3, H, W) RGB in 0..1."""
        restored: NDArray[np.float32] = self.session.run(None, {self.input: face})[0]
        return restored


def eight_bit(image: torch.Tensor) -> torch.Tensor:
    """Round an image in 0..1 to what eight bits hold."""
    return (image.clamp(0.0, 1.0) * 255.0).round() / 255.0


def bootstrap(values: Sequence[float], draws: int = 1000) -> tuple[float, float, float]:
    """Return the mean and its 95% confidence interval (percentile bootstrap over people)."""
    array = np.asarray(values, dtype=np.float64)
    rng = np.random.default_rng(SEED)
    means = array[rng.integers(0, len(array), (draws, len(array)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(array.mean()), float(low), float(high)


class Meter:
    """Measures images against their truth."""

    def __init__(self) -> None:
        """Load LPIPS with AlexNet: training used VGG16, so this one is not fitted to."""
        self.lpips = Lpips('alex')

    @torch.no_grad()
    def measure(self, images: Sequence[torch.Tensor], truth: torch.Tensor) -> list[list[float]]:
        """Return PSNR (dB), SSIM and LPIPS of each (1, 3, H, W) image."""
        reference = self.lpips.features(truth)
        return [
            [
                float(psnr(image, truth)),
                float(ssim(image, truth)),
                float(self.lpips.distance(self.lpips.features(image), reference)),
            ]
            for image in images
        ]


def evaluate_set(
    model: OnnxModel, name: str, data: Path, cycles: int, limit: int, sheet: Path | None
) -> dict[str, Any]:
    """Degrade every test face once, restore it k = 1..cycles times, measure each."""
    records = read_manifest(data, 'test')[: limit or None]
    meter = Meter()
    figures: list[list[list[float]]] = []
    residuals: list[list[float]] = []
    rows = []
    for number, record in enumerate(tqdm(records, desc=f'{model.path.stem} {name}', unit='face')):
        rng = np.random.default_rng((SEED, SETS.index(name), number))
        plan = SAMPLERS[name](rng)
        clean = to_tensor(aligned(record))
        truth = eight_bit(plan.truth(clean))
        stages = [eight_bit(plan(clean))]
        # As the node does, and like it on eight bits.
        current = eight_bit(expose(stages[0])).numpy()
        steps = []
        for _ in range(cycles):
            following = model(current)
            steps.append(float(np.abs(following - current).mean()))
            current = following
            stages.append(eight_bit(torch.from_numpy(current)))
        figures.append(meter.measure(stages, truth))
        residuals.append(steps)
        rows.append([to_image(stage) for stage in (*stages, truth)])
    table = np.asarray(figures)
    if sheet is not None:
        # Worst, median and best by LPIPS at k = 2, so that nothing is picked by hand.
        order = np.argsort(-table[:, min(2, cycles), 2])
        middle = len(order) // 2 - 4
        chosen = [*order[:8], *order[middle : middle + 8], *order[-8:]]
        titles = ['input', *(f'k={k}' for k in range(1, cycles + 1)), 'truth']
        cv2.imwrite(str(sheet), contact_sheet([rows[i] for i in chosen], titles))
    result: dict[str, Any] = {'faces': len(records), 'k': {}}
    for k in range(cycles + 1):
        entry: dict[str, Any] = {}
        for index, metric in enumerate(METRICS):
            mean, low, high = bootstrap(table[:, k, index].tolist())
            entry[metric] = {'mean': mean, 'ci95': [low, high]}
        if k > 0:
            entry['residual'] = float(np.mean([r[k - 1] for r in residuals]))
        result['k'][str(k)] = entry
    return result


def evaluate_clean(model: OnnxModel, data: Path, cycles: int, limit: int) -> dict[str, Any]:
    """Restore clean test faces again and again: how much do they drift?"""
    records = read_manifest(data, 'test')[: limit or None]
    kept: dict[int, list[float]] = {}
    marks = sorted({1, 2, 4, 8, cycles})
    for record in tqdm(records, desc=f'{model.path.stem} clean', unit='face'):
        clean = to_tensor(aligned(record))
        first = eight_bit(expose(clean))
        current = first.numpy()
        for k in range(1, cycles + 1):
            current = model(current)
            if k in marks:
                kept.setdefault(k, []).append(
                    float(psnr(eight_bit(torch.from_numpy(current)), first).clamp(max=60.0))
                )
    return {
        'faces': len(records),
        'psnr_to_itself_db': {str(k): bootstrap(v)[0] for k, v in kept.items()},
    }


def evaluate_model(path: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Measure one file on every set, and on clean faces."""
    torch.set_num_threads(args.threads)
    model = OnnxModel(path, args.threads)
    sets = {}
    for name in args.sets:
        sheet = args.sheets / f'{path.stem}_{name}.jpg' if args.sheets else None
        sets[name] = evaluate_set(model, name, args.data, args.cycles, args.limit, sheet)
    return {
        'sha256': hashlib.sha256(path.read_bytes()).hexdigest(),
        'sets': sets,
        'clean': evaluate_clean(model, args.data, args.clean_cycles, args.clean_faces),
    }


def main() -> None:
    """Evaluate the models and write the figures and their page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, required=True, help='folder with MANIFEST.tsv')
    parser.add_argument('--models', type=Path, default=Path('cfrnet_ros/models'))
    parser.add_argument('--only', nargs='*', default=['fp32', 'int8'], help='precisions')
    parser.add_argument('--sets', nargs='*', default=list(SETS), choices=SETS)
    parser.add_argument('--cycles', type=int, default=3)
    parser.add_argument('--clean-cycles', type=int, default=16)
    parser.add_argument('--clean-faces', type=int, default=30)
    parser.add_argument('--limit', type=int, default=0, help='first N people only, 0 = all')
    parser.add_argument('--threads', type=int, default=1, help='a job')
    parser.add_argument('--jobs', type=int, default=2, help='models measured at the same time')
    parser.add_argument('--out', type=Path, default=Path('docs/results.json'))
    parser.add_argument('--page', type=Path, help='write this Markdown page as well')
    parser.add_argument('--sheets', type=Path, help='folder for contact sheets (not to be shared)')
    args = parser.parse_args()
    if args.sheets:
        args.sheets.mkdir(parents=True, exist_ok=True)
    result: dict[str, Any] = {
        'command': 'python -m training.evaluate',
        'seed': SEED,
        'manifest_sha256': manifest_sha256(args.data),
        'lpips': {'backbone': 'alex', 'weights_sha256': weights_sha256('alex')},
        'onnxruntime': ort.__version__,
        'models': {},
    }
    paths = [args.models / f'cfrnet_256_{precision}.onnx' for precision in args.only]
    # Spawned, not forked: neither PyTorch nor ONNX Runtime survives a fork with its threads.
    with ProcessPoolExecutor(args.jobs, multiprocessing.get_context('spawn')) as pool:
        futures = [pool.submit(evaluate_model, path, args) for path in paths]
        for precision, future in zip(args.only, futures):
            result['models'][precision] = future.result()
    args.out.write_text(json.dumps(result, indent=1) + '\n', encoding='utf-8')
    if args.page:
        args.page.write_text(render_page(result), encoding='utf-8')


if __name__ == '__main__':
    main()
