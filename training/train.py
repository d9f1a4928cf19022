"""Train CFRNet by CCFP: ``python -m training.train --config C --data FACES --out RUN``.

Resumes from the run's last checkpoint whenever it is started again. Every draw
depends on the seed and the step alone, so a resumed run sees what an
uninterrupted one would have seen.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import hashlib
import json
import math
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from training.config import RunConfig, load_config, scheduled
from training.data import (
    TrainingFaces,
    aligned,
    expose,
    manifest_sha256,
    read_manifest,
    to_image,
    to_tensor,
)
from training.degradation import Degradation, sample
from training.losses import ActivationRange, ccfp_loss
from training.metrics import psnr
from training.network import CFRNet, count_parameters
from training.perceptual import Lpips
from training.sheet import contact_sheet

CHECKPOINT = 'checkpoint.pt'


def make_batch(
    faces: TrainingFaces, config: RunConfig, step: int, crop: int
) -> tuple[Tensor, Tensor, Tensor, list[Degradation]]:
    """Draw the batch of a step: degraded, truth, component map, plans.

    Images are (B, 3, crop, crop) float32 RGB in 0..1, the map (B, 1, crop, crop).
    """
    rng = np.random.default_rng((config.seed, step))
    size = max(2, config.pixels // (crop * crop))
    inputs, truths, maps, plans = [], [], [], []
    for index in rng.choice(len(faces), size, replace=len(faces) < size):
        face, components = faces.draw(rng, int(index), crop)
        if rng.random() < config.clean_share:
            plan = Degradation(steps=(), names=('clean',))
        else:
            plan = sample(rng, config.shares)
        inputs.append(expose(plan(face)))
        # A photograph that is dark by intent would ask for darkening what was brightened.
        truths.append(expose(plan.truth(face)))
        maps.append(components)
        plans.append(plan)
    return torch.cat(inputs), torch.cat(truths), torch.cat(maps), plans


class Validation:
    """A fixed set of degraded validation faces, measured by k."""

    def __init__(self, root: Path, count: int = 32, cycles: int = 4) -> None:
        """Degrade the faces once, by the seed 7."""
        records = read_manifest(root, 'val')[:count]
        shares = {'general': 0.5, 'car': 0.5}
        self.cycles = cycles
        self.lpips = Lpips('alex')
        self.pairs: list[tuple[Tensor, Tensor]] = []
        for number, record in enumerate(records):
            truth = to_tensor(aligned(record))
            plan = sample(np.random.default_rng((7, number)), shares)
            degraded = expose((plan(truth) * 255.0).round() / 255.0)
            self.pairs.append((degraded, plan.truth(truth)))

    @torch.no_grad()
    def measure(self, network: CFRNet) -> tuple[dict[str, float], np.ndarray]:
        """Return PSNR and LPIPS (AlexNet) of the input and of k = 1.., and a sheet."""
        sums: dict[str, list[float]] = {}
        rows: list[list[NDArray[np.uint8]]] = []
        for degraded, truth in self.pairs:
            stages = [degraded]
            for _ in range(self.cycles):
                stages.append(network(stages[-1]))
            reference = self.lpips.features(truth)
            for k, image in enumerate(stages):
                sums.setdefault(f'psnr_{k}', []).append(float(psnr(image, truth)))
                distance = self.lpips.distance(self.lpips.features(image), reference)
                sums.setdefault(f'lpips_{k}', []).append(float(distance))
            kept = float(psnr(network(truth), truth).clamp(max=60.0))
            sums.setdefault('clean_kept_db', []).append(kept)
            if len(rows) < 12 and len(sums['psnr_0']) % 2:
                rows.append([to_image(s) for s in [*stages, truth]])
        titles = ['input', *(f'k={k}' for k in range(1, self.cycles + 1)), 'truth']
        return {n: float(np.mean(v)) for n, v in sums.items()}, contact_sheet(rows, titles)


def code_version() -> str:
    """Return the commit of the code that trains, with a mark if it was changed."""
    run = subprocess.run(
        ['git', 'describe', '--always', '--dirty'], capture_output=True, text=True, check=False
    )
    return run.stdout.strip() or 'unknown'


def source_sha256() -> str:
    """Return one hash over the training code's files, in name order."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob('*.py')):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def save_atomically(state: dict[str, Any], path: Path) -> None:
    """Write a checkpoint so that a kill at any moment leaves the old or the new one."""
    partial = path.with_suffix('.partial')
    torch.save(state, partial)
    os.replace(partial, path)


class Trainer:
    """One run: its state, and how to go on with it."""

    def __init__(self, config: RunConfig, data: Path, out: Path, device: str) -> None:
        """Load the data and the run's last checkpoint, if there is one."""
        torch.manual_seed(config.seed)
        self.config, self.out = config, out
        self.device = torch.device(device)
        out.mkdir(parents=True, exist_ok=True)
        self.faces = TrainingFaces(data)
        self.validation = Validation(data)
        self.lpips = Lpips('vgg').to(self.device)
        layout = torch.channels_last
        self.network = CFRNet(config.network).to(self.device, memory_format=layout)
        self.ranges = ActivationRange(self.network, config.loss.activation_limit)
        self.average = CFRNet(config.network)
        self.average.load_state_dict(self.network.state_dict())
        self.optimiser = torch.optim.Adam(
            self.network.parameters(), lr=config.learning_rate, betas=(0.9, 0.99)
        )
        # Taken once, at the start: files that are edited later are not what trains.
        self.provenance = {
            'manifest_sha256': manifest_sha256(data),
            'source_sha256': source_sha256(),
            'code_version': code_version(),
        }
        self.step, self.elapsed = 0, 0.0
        if (out / CHECKPOINT).is_file():
            state = torch.load(out / CHECKPOINT, map_location='cpu', weights_only=True)
            self.network.load_state_dict(state['network'])
            self.average.load_state_dict(state['average'])
            self.optimiser.load_state_dict(state['optimiser'])
            self.step, self.elapsed = int(state['step']), float(state['elapsed'])

    @property
    def progress(self) -> float:
        """The share of the run that is done, 0..1."""
        done = self.step / self.config.steps
        if self.config.time_budget_s > 0:
            done = max(done, self.elapsed / self.config.time_budget_s)
        return min(1.0, done)

    def _learning_rate(self) -> float:
        warm = min(1.0, (self.step + 1) / self.config.warmup_steps)
        cosine = 0.5 * (1.0 + math.cos(math.pi * self.progress))
        return self.config.learning_rate * warm * (0.02 + 0.98 * cosine)

    def train_step(self) -> dict[str, float]:
        """Do one optimiser step; return its loss terms."""
        config = self.config
        crop = scheduled(config.crop, self.progress)
        cycles = scheduled(config.cycles, self.progress)
        degraded, truth, maps, plans = make_batch(self.faces, config, self.step, crop)
        size = degraded.shape[0]
        rng = np.random.default_rng((config.seed, self.step, 1))
        side = min(config.perceptual_window, crop)
        top, left = (int(v) for v in rng.integers(0, crop - side + 1, 2))
        lpips = self.lpips if self.progress >= config.perceptual_from else None
        begin, end = config.fixed_point_ramp
        rate = self._learning_rate()
        for group in self.optimiser.param_groups:
            group['lr'] = rate
        layout = torch.channels_last
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            loss, terms = ccfp_loss(
                self.network,
                degraded.to(self.device, memory_format=layout),
                truth.to(self.device, memory_format=layout),
                maps.to(self.device),
                plans,
                cycles,
                config.loss,
                lpips,
                (top, left, side),
                slice(size - max(1, round(size * config.perceptual_share)), size),
                slice(0, max(1, round(size * config.extra_share))),
                min(1.0, max(0.0, (self.progress - begin) / max(end - begin, 1e-9))),
            )
        excess = self.ranges.take()
        terms['activation'] = config.loss.activation * float(excess.detach())
        loss = loss + config.loss.activation * excess
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = float(torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0))
        if not math.isfinite(norm):
            # Rare overflow in half precision: skipping one step loses nothing.
            self.step += 1
            return {'skipped': 1.0}
        self.optimiser.step()
        self.step += 1
        decay = min(config.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for kept, new in zip(self.average.parameters(), self.network.parameters(), strict=True):
                kept.lerp_(new.cpu() if new.device != kept.device else new, 1.0 - decay)
        return {'loss': float(loss.detach()), 'lr': rate, 'k': float(cycles), **terms}

    def save(self) -> None:
        """Write the checkpoint."""
        state = {
            'network': self.network.state_dict(),
            'average': self.average.state_dict(),
            'optimiser': self.optimiser.state_dict(),
            'step': self.step,
            'elapsed': self.elapsed,
            'config': json.dumps(dataclasses.asdict(self.config)),
            **self.provenance,
            'parameters': count_parameters(self.network),
        }
        save_atomically(state, self.out / CHECKPOINT)

    def validate(self) -> dict[str, float]:
        """Measure the averaged weights, log them and draw the sheet."""
        figures, sheet = self.validation.measure(self.average)
        cv2.imwrite(str(self.out / f'sheet_{self.step:07d}.jpg'), sheet)
        row = {'step': self.step, 'elapsed_s': round(self.elapsed), **figures}
        path = self.out / 'validation.csv'
        new = not path.is_file()
        with path.open('a', newline='', encoding='utf-8') as stream:
            writer = csv.DictWriter(stream, list(row))
            if new:
                writer.writeheader()
            writer.writerow(row)
        return figures

    def run(self, stop_after_s: float) -> None:
        """Train until the run is done or stop_after_s seconds have passed (0 = no limit)."""
        config = self.config
        begin = last = saved = validated = time.monotonic()
        bar = tqdm(total=100.0, initial=100 * self.progress, unit='%', smoothing=0.05)
        log = (self.out / 'train.jsonl').open('a', encoding='utf-8')
        mean: dict[str, float] = {}
        while self.progress < 1.0:
            terms = self.train_step()
            now = time.monotonic()
            self.elapsed += now - last
            last = now
            for name, value in terms.items():
                mean[name] = 0.98 * mean.get(name, value) + 0.02 * value
            bar.n = 100 * self.progress
            bar.set_postfix({'step': self.step, 'loss': f'{mean.get("loss", 0.0):.4f}'})
            if self.step % 50 == 0:
                values = {n: round(v, 6) for n, v in mean.items()}
                log.write(
                    json.dumps({'step': self.step, 's': round(self.elapsed), **values}) + '\n'
                )
                log.flush()
            if now - saved > config.checkpoint_every_s:
                self.save()
                saved = now
            if now - validated > config.validate_every_s:
                self.save()
                figures = self.validate()
                tqdm.write(
                    f'step {self.step}: '
                    + ' '.join(f'{n}={v:.4f}' for n, v in sorted(figures.items()))
                )
                # Validation is not training: it must not eat the time budget.
                validated = last = time.monotonic()
            if 0 < stop_after_s < time.monotonic() - begin:
                break
        self.save()
        self.validate()
        log.close()
        bar.close()


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--config', type=Path, required=True, help='YAML file of the run')
    parser.add_argument('--data', type=Path, required=True, help='folder with MANIFEST.tsv')
    parser.add_argument('--out', type=Path, required=True, help="the run's folder")
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--threads', type=int, default=0, help='CPU threads, 0 = all')
    parser.add_argument('--stop-after', type=float, default=0.0, help='seconds, 0 = no limit')
    args = parser.parse_args()
    if args.threads > 0:
        torch.set_num_threads(args.threads)
    cv2.setNumThreads(1)
    Trainer(load_config(args.config), args.data, args.out, args.device).run(args.stop_after)


if __name__ == '__main__':
    main()
