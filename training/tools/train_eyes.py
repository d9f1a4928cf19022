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

"""Trains and exports the network of the eye guard: ``python -m training.tools.train_eyes``.

The labels need no people who blink: portraits whose lids are drawn down by a known share, with the
openness of the photographed eyes measured by MediaPipe's eye network (`examples.eyelids`). The same
seed gives the same network on the same machine. Takes about a quarter of an hour of one CPU core.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from training.critics.eye_network import EyeNetwork
from training.data.manifest import manifest_sha256, read_manifest, read_names
from training.export.card import data_sources
from training.export.texts import LICENCE
from training.eyes.export import export_eyes
from training.eyes.fit import BATCH, fit, measure_errors
from training.eyes.samples import KINDS, EyeSamples, make_samples

ROOT = Path(__file__).resolve().parents[2]
#: Seeds of the training samples, of the fit and of the validation samples.
SEEDS = (7, 1, 2)
#: Samples of each training face, and of each validation face.
PER_FACE, PER_VALIDATION_FACE = 4, 24
STEPS = 3000

LIMITS = [
    'Trained on portraits whose lids were drawn down, degraded as cameras do; real shut eyes, '
    'sunglasses and faces turned far away are not among them.',
    'Height over width of the opening, not drowsiness, gaze or attention. It is made to compare '
    'two crops of one face, not one person with another.',
]


def errors_by_kind(network: EyeNetwork, samples: EyeSamples) -> dict[str, dict[str, float]]:
    """Return the errors on all samples, and on each kind of picture."""
    found = {'all': asdict(measure_errors(network, samples))}
    for number, name in enumerate(KINDS):
        chosen = samples.kind == number
        if chosen.any():
            part = EyeSamples(
                samples.strips[chosen],
                samples.openness[chosen],
                samples.face[chosen],
                samples.kind[chosen],
            )
            found[name] = asdict(measure_errors(network, part))
    return {name: {k: round(v, 4) for k, v in values.items()} for name, values in found.items()}


def make_card(
    path: Path, data: Path, network: EyeNetwork, training: dict[str, Any]
) -> dict[str, Any]:
    """Return the model card of an exported network."""
    return {
        'name': 'Eye openness',
        'file': path.name,
        'sha256': hashlib.sha256(path.read_bytes()).hexdigest(),
        'intended_use': "Comparing the opening of a face's eyes before and after restoration.",
        'limits': LIMITS,
        'input': 'float32 Nx1x40x56 luma 0..255 of image-left eyes and mirrored image-right eyes',
        'output': 'float32 Nx2: height over width of the opening, and its standard deviation',
        'parameters': sum(p.numel() for p in network.parameters()),
        'licence': LICENCE,
        'training': training,
        'data': data_sources(data)['data'],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog='python -m training.tools.train_eyes',
        description=(__doc__ or '').splitlines()[0].split(':')[0] + '.',
    )
    parser.add_argument('--data', type=Path, required=True, help='folder with MANIFEST.tsv')
    parser.add_argument('--out', type=Path, default=ROOT / 'cfrnet_ros/models/eyes')
    parser.add_argument('--steps', type=int, default=STEPS)
    parser.add_argument('--seeds', type=int, nargs=3, default=SEEDS)
    parser.add_argument('--threads', type=int, default=1)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    left_out = read_names(ROOT / 'training/configs/lookalikes.txt')
    records = [r for r in read_manifest(given.data, 'train') if r.path.name not in left_out]
    training_seed, fit_seed, validation_seed = given.seeds
    network = fit(make_samples(records, PER_FACE, training_seed), given.steps, fit_seed)
    validation = make_samples(
        read_manifest(given.data, 'val'), PER_VALIDATION_FACE, validation_seed
    )
    errors = errors_by_kind(network, validation)
    given.out.mkdir(parents=True, exist_ok=True)
    path = export_eyes(network, given.out / 'eye_openness.onnx')
    training = {
        'steps': given.steps,
        'batch': BATCH,
        'seeds': list(given.seeds),
        'faces': len(records),
        'samples_per_face': PER_FACE,
        'manifest_sha256': manifest_sha256(given.data),
        'validation_errors': errors,
    }
    card = make_card(path, given.data, network, training)
    path.with_suffix('.json').write_text(json.dumps(card, indent=1) + '\n', encoding='utf-8')
    print(json.dumps(errors, indent=1))
    return 0


if __name__ == '__main__':
    sys.exit(main())
