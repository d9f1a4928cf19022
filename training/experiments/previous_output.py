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

"""Trains CFRNet to read its own last output.

``python -m training.experiments.previous_output --data FACES --out RUN --given previous``

A network that restores the fused crops of a camera could profit from what it made of the frame
before. Here it gets that as further input channels, which begin without an effect, and is
fine-tuned for one cycle on short clips: one face and one camera a clip, the network rolled over the
frames, the loss on the last one. With ``--given map`` or ``--given nothing`` the same batches train
the same network without the last output, so that the difference between two runs is what the last
output gives. ``python -m benchmarks.previous_output`` measures the runs on real motion.
"""

from __future__ import annotations

import argparse
import csv
import math
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from cfrnet_ros.vision.engine.model_card import load_card
from cfrnet_ros.vision.engine.models import MODEL_DIR
from training.critics.perceptual import Lpips
from training.data.training_faces import TrainingFaces
from training.experiments.recurrent.clips import Clips, carried, make_clips
from training.experiments.recurrent.network import (
    GIVEN,
    RecurrentCFRNet,
    joined,
    parameter_groups,
    read,
    recurrent_from,
    save,
)
from training.losses.ccfp import balance, restoration_loss
from training.run.checkpoint import CHECKPOINT, provenance
from training.run.precision import choose_precision, cpu_flags

SHIPPED = MODEL_DIR / 'cfrnet_256_fp32.onnx'
LOOKALIKES = Path(__file__).resolve().parents[1] / 'configs' / 'lookalikes.txt'

#: Clips of a step, side of their windows in pixels, and frames of a clip.
CLIPS, CROP, LENGTH = 12, 128, 4

#: Largest learning rate, that of the further channels, and steps until they are reached.
RATE, MEMORY_RATE, WARMUP = 5e-5, 1e-3, 30

#: Weights of the image gradients and of the tones in the pixel loss, extra weights of eyes, nose
#: and mouth, and of hardly spoilt faces; those of the shipped network's first cycle.
GRADIENT, TONE, COMPONENT, LIGHT = 4.0, 0.5, 1.0, 15.0

#: Weight of LPIPS (VGG16), steps between two that have it, and clips that it sees.
PERCEPTUAL, PERCEPTUAL_EVERY, PERCEPTUAL_CLIPS = 0.5, 4, 3

#: Steps between two checkpoints.
SAVE_EVERY = 100


def roll(network: RecurrentCFRNet, clips: Clips, given: str) -> Tensor:
    """Roll a network over clips.

    Args:
        network: Network.
        clips: Clips of B faces.
        given: Name of what the network is given, one of `GIVEN`.

    Returns:
        (B, 3, H, W) output of the last frame, not clipped; only this application has a gradient.
        Before the first frame there is no output, and the fused crop stands for it.

    """
    *before, last = clips.fused.unbind()
    previous = last
    if given == 'previous' and before:
        with torch.no_grad():
            previous = before[0]
            for fused, pasts in zip(before, clips.pasts):
                output = network(joined(fused, previous, clips.newest, given))
                previous = carried(output, clips.moved, pasts)
    restored: Tensor = network(joined(last, previous, clips.newest, given), clip=False)
    return restored


def rate_at(step: int, steps: int) -> float:
    """Return the share of the largest learning rate: warm-up, then half a cosine to zero."""
    warm = min(1.0, (step + 1) / WARMUP)
    return warm * 0.5 * (1.0 + math.cos(math.pi * step / steps))


def losses(output: Tensor, clips: Clips, lpips: Lpips | None) -> dict[str, Tensor]:
    """Return the terms of the loss by name.

    Args:
        output: (B, 3, H, W) outputs of the last frame.
        clips: Clips.
        lpips: LPIPS with VGG16, or None in a step without it.

    """
    attention = 1.0 + COMPONENT * clips.components
    weight = attention * balance(clips.fused[-1], clips.truth, LIGHT)
    terms = {'pixel': restoration_loss(output, clips.truth, weight, GRADIENT, TONE)}
    if lpips is not None:
        seen = slice(0, PERCEPTUAL_CLIPS)
        terms['perceptual'] = PERCEPTUAL * lpips(output[seen], clips.truth[seen]).mean()
    return terms


def train(faces: TrainingFaces, args: argparse.Namespace, facts: dict[str, str]) -> None:
    """Train a run, or go on with it.

    Args:
        faces: Training faces.
        args: Arguments of the command line.
        facts: What the checkpoint is to carry about data, code and the network at the start.

    """
    args.out.mkdir(parents=True, exist_ok=True)
    network, begin, elapsed = recurrent_from(args.model), 0, 0.0
    optimiser = torch.optim.Adam(parameter_groups(network, RATE, MEMORY_RATE))
    largest = [group['lr'] for group in optimiser.param_groups]
    if (args.out / CHECKPOINT).is_file():
        kept, state = read(args.out)
        if (state['given'], state['seed'], state['steps']) != (args.given, args.seed, args.steps):
            raise SystemExit(f"'{args.out}' is a run of other options; give another folder")
        network.load_state_dict(kept.state_dict())
        optimiser.load_state_dict(state['optimiser'])
        begin, elapsed = int(state['step']), float(state['seconds'])
    network.train().to(memory_format=torch.channels_last)
    lpips = Lpips('vgg')
    precision = choose_precision('auto', torch.device('cpu'), cpu_flags())
    started = time.monotonic() - elapsed
    rows: list[tuple[int, str, float]] = []
    for step in tqdm(range(begin, args.steps), initial=begin, total=args.steps, unit='step'):
        clips = make_clips(faces, (args.seed, step), CLIPS, CROP, LENGTH)
        share = rate_at(step, args.steps)
        for group, most in zip(optimiser.param_groups, largest):
            group['lr'] = share * most
        with precision.autocast(torch.device('cpu')):
            output = roll(network, clips, args.given)
            seen = lpips if step % PERCEPTUAL_EVERY == 0 else None
            terms = losses(output, clips, seen)
        optimiser.zero_grad(set_to_none=True)
        torch.stack(list(terms.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        rows += [(step, name, float(value.detach())) for name, value in terms.items()]
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == args.steps:
            state = {
                **facts, 'given': args.given, 'seed': args.seed, 'steps': args.steps,
                'step': step + 1, 'windows': (step + 1) * CLIPS,
                'seconds': time.monotonic() - started, 'optimiser': optimiser.state_dict(),
            }  # fmt: skip
            save(args.out, network, state)
            # Rows of steps that a kill undoes are never written.
            write_rows(args.out / 'train.csv', rows)
            rows.clear()


def write_rows(path: Path, rows: Sequence[tuple[int, str, float]]) -> None:
    """Append steps, names and values of terms to a CSV file."""
    with path.open('a', newline='', encoding='utf-8') as stream:
        if stream.tell() == 0:
            csv.writer(stream).writerow(('step', 'name', 'value'))
        csv.writer(stream).writerows((step, name, round(value, 6)) for step, name, value in rows)


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, required=True, help='folder with MANIFEST.tsv')
    parser.add_argument('--out', type=Path, required=True, help="the run's folder")
    parser.add_argument('--given', choices=GIVEN, required=True, help='what the network reads')
    parser.add_argument('--model', type=Path, default=SHIPPED, help='FP32 file to begin with')
    parser.add_argument('--steps', type=int, default=600)
    parser.add_argument('--seed', type=int, default=18)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    faces = TrainingFaces(args.data, exclude=LOOKALIKES)
    train(faces, args, {**provenance(args.data), 'model_sha256': load_card(args.model).sha256})


if __name__ == '__main__':
    main()
