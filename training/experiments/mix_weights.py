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

"""Learns by how much each output channel goes from some weights towards others.

``python -m training.experiments.mix_weights W W... --config CONFIG --data FACES --out RUN``

Each W is the folder of a run or a shipped FP32 file, all of one layout. Two runs often win
different things, and the mean of their weights wins half of both. Here each output channel of each
layer has a share of its own of every difference from the first W, and the shares minimise the loss
of the config: some thousand numbers instead of two million, for which a few hundred steps on a CPU
are enough.

Sources: Wortsman et al., "Model soups", ICML 2022, for averages of weights; Yang et al.,
"AdaMerging", ICLR 2024, for learned shares by layer, though there they minimise entropy.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from tqdm import tqdm

from training.export.shipped import read_network
from training.run.checkpoint import CHECKPOINT, read_run, save_atomically
from training.run.config import load_config
from training.run.trainer import Trainer

Weights = Mapping[str, Tensor]


class MixedWeight(nn.Module):
    """A weight that is a base plus shares of differences, as a parametrisation of PyTorch."""

    def __init__(self, base: Tensor, others: Sequence[Tensor], begin: Sequence[float]) -> None:
        """Keep the base and the differences.

        Args:
            base: (C, ...) weight whose first axis counts output channels.
            others: Weights of the same shape.
            begin: Share of each difference at the start: 0 is the base, 1 the other weight.

        """
        super().__init__()
        self.register_buffer('base', base.clone())
        self.register_buffer('differences', torch.stack([other - base for other in others]))
        ones = torch.ones(base.shape[0], *[1] * (base.ndim - 1))
        self.shares = nn.Parameter(torch.stack([share * ones for share in begin]))

    def forward(self, _: Tensor) -> Tensor:
        """Return the mixed weight; the weight that is replaced has no part in it."""
        base, differences = self.get_buffer('base'), self.get_buffer('differences')
        return base + (self.shares * differences).sum(dim=0)


def mix(
    network: nn.Module, base: Weights, others: Sequence[Weights], begin: Sequence[float]
) -> list[nn.Parameter]:
    """Replace the weights of a network by mixtures; return the shares, which alone are trained."""
    names = [name for name, _ in network.named_parameters()]
    for name in names:
        place, _, own = name.rpartition('.')
        mixed = MixedWeight(base[name], [other[name] for other in others], begin)
        parametrize.register_parametrization(network.get_submodule(place), own, mixed)
    network.requires_grad_(False)
    shares = [m.shares for m in network.modules() if isinstance(m, MixedWeight)]
    for share in shares:
        share.requires_grad_(True)
    return shares


def mixed_weights(network: nn.Module, names: Sequence[str]) -> dict[str, Tensor]:
    """Return the mixed weights of a network by the names that they had before `mix`."""
    found = {}
    with torch.no_grad():
        for name in names:
            place, _, own = name.rpartition('.')
            found[name] = getattr(network.get_submodule(place), own).detach().clone()
    return found


def learn(
    trainer: Trainer, base: Weights, others: Sequence[Weights], begin: Sequence[float]
) -> dict[str, Tensor]:
    """Train the shares for the steps of the trainer's config, and return the averaged mixture.

    Args:
        trainer: Trainer that has done no step yet.
        base: Weights from which the differences are taken.
        others: Weights to go towards.
        begin: Share of each difference at the start.

    """
    mix(trainer.average, base, others, begin)
    trainer.average.requires_grad_(False)
    shares = mix(trainer.network, base, others, begin)
    trainer.optimiser = torch.optim.Adam(shares, betas=trainer.config.betas)
    bar = tqdm(range(trainer.config.steps), unit='step')
    for _ in bar:
        with parametrize.cached():
            terms = trainer.train_step()
        bar.set_postfix(loss=f'{terms.get("loss", float("nan")):.3f}', refresh=False)
    return mixed_weights(trainer.average, list(base))


def main() -> None:
    """Learn the shares and write the mixture as a run's checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('weights', nargs='+', type=Path, help="runs' folders or FP32 files")
    parser.add_argument('--begin', type=float, nargs='+', help='shares at the start, default 0')
    parser.add_argument('--config', type=Path, required=True, help='its rates are of the shares')
    parser.add_argument('--data', type=Path, required=True, help='folder with MANIFEST.tsv')
    parser.add_argument('--judge', type=Path, help='run of which the discriminator is taken')
    parser.add_argument('--out', type=Path, required=True, help="the run's folder")
    args = parser.parse_args()
    if len(args.weights) < 2:
        raise SystemExit('give two weights at least: the first, and those to go towards')
    begin = args.begin or [0.0] * (len(args.weights) - 1)
    if len(begin) != len(args.weights) - 1:
        raise SystemExit(
            f'--begin needs {len(args.weights) - 1} shares, one for each W but the first'
        )
    if (args.out / CHECKPOINT).exists():
        raise SystemExit(f"'{args.out / CHECKPOINT}' exists; give another folder")
    try:
        first, *others = (read_network(path).state_dict() for path in args.weights)
        judge: dict[str, Any] = read_run(args.judge, '--judge') if args.judge else {}
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(str(error)) from error
    trainer = Trainer(load_config(args.config), args.data, args.out, 'cpu')
    if 'judge' in judge:
        trainer.judge.load_state_dict(judge['judge'])
        trainer.judge_optimiser.load_state_dict(judge['judge_optimiser'])
    try:
        weights = learn(trainer, first, others, begin)
    except KeyError as error:
        raise SystemExit(f'the weights are not of one layout: {error} is missing') from error
    finally:
        trainer.source.close()
    state = {**trainer.state(), 'network': weights, 'average': weights}
    # Moments of the shares mean nothing to a run that goes on from here.
    del state['optimiser']
    save_atomically(state, args.out / CHECKPOINT)


if __name__ == '__main__':
    main()
