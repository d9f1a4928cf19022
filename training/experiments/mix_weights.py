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
are enough. Started again with the same RUN, it goes on from its last checkpoint. ``--scale`` adds a
difference that none of the weights has: each channel of the first W against nothing, so that it may
grow or shrink. ``--each tensor`` has one share for a whole weight or bias: some hundred numbers,
whose gradients a small batch shows more surely. ``--processes 2`` shares the run among two cores.

Sources: Wortsman et al., "Model soups", ICML 2022, for averages of weights; Yang et al.,
"AdaMerging", ICLR 2024, for learned shares by layer, though there they minimise entropy.
"""

from __future__ import annotations

import argparse
import functools
import time
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from tqdm import tqdm

from training.experiments.mixtures import fingerprint
from training.export.shipped import read_network
from training.run.checkpoint import CHECKPOINT, read_run, save_atomically
from training.run.config import load_config
from training.run.processes import Processes, run_in_processes
from training.run.trainer import Trainer

Weights = Mapping[str, Tensor]

CHANNEL, TENSOR = 'channel', 'tensor'
#: What may have shares of its own: each output channel, or each weight and bias of a layer.
EACH = (CHANNEL, TENSOR)


class MixedWeight(nn.Module):
    """A weight that is a base plus shares of differences, as a parametrisation of PyTorch."""

    def __init__(
        self, base: Tensor, others: Sequence[Tensor], begin: Sequence[float], each: str = CHANNEL
    ) -> None:
        """Keep the base and the differences.

        Args:
            base: (C, ...) weight whose first axis counts output channels.
            others: Weights of the same shape.
            begin: Share of each difference at the start: 0 is the base, 1 the other weight.
            each: One of `EACH`: whether each output channel has its shares, or the whole weight.

        """
        super().__init__()
        self.register_buffer('base', base.clone())
        self.register_buffer('differences', torch.stack([other - base for other in others]))
        channels = base.shape[0] if each == CHANNEL else 1
        ones = torch.ones(channels, *[1] * (base.ndim - 1))
        self.shares = nn.Parameter(torch.stack([share * ones for share in begin]))

    def forward(self, _: Tensor) -> Tensor:
        """Return the mixed weight; the weight that is replaced has no part in it."""
        base, differences = self.get_buffer('base'), self.get_buffer('differences')
        return base + (self.shares * differences).sum(dim=0)


def mix(
    network: nn.Module,
    base: Weights,
    others: Sequence[Weights],
    begin: Sequence[float],
    each: str = CHANNEL,
) -> list[nn.Parameter]:
    """Replace the weights of a network by mixtures; return the shares, which alone are trained."""
    names = [name for name, _ in network.named_parameters()]
    for name in names:
        place, _, own = name.rpartition('.')
        mixed = MixedWeight(base[name], [other[name] for other in others], begin, each)
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


class Mixing:
    """A run that trains shares: what it trains, and how it is saved and gone on from."""

    def __init__(
        self,
        trainer: Trainer,
        base: Weights,
        others: Sequence[Weights],
        begin: Sequence[float],
        each: str = CHANNEL,
    ) -> None:
        """Let a trainer train the shares, and go on from its checkpoint if it has one.

        Args:
            trainer: Trainer of the run.
            base: Weights from which the differences are taken.
            others: Weights to go towards.
            begin: Share of each difference at the start.
            each: One of `EACH`: what has shares of its own.

        Raises:
            KeyError: The weights are not of one layout.
            ValueError: The checkpoint is of other weights, has shares of something else, or is of a
                run that trained no shares.

        """
        self.trainer = trainer
        self._names = list(base)
        self._of = [fingerprint(weights) for weights in (base, *others)]
        self._each = each
        self._average = mix(trainer.average, base, others, begin, each)
        trainer.average.requires_grad_(False)
        self._shares = mix(trainer.network, base, others, begin, each)
        trainer.optimiser = torch.optim.Adam(self._shares, betas=trainer.config.betas)
        if (trainer.out / CHECKPOINT).is_file():
            self._resume(trainer.out / CHECKPOINT)

    def _resume(self, path: Path) -> None:
        saved = _read(path).get('mixing')
        if saved is None or saved['of'] != self._of:
            raise ValueError(f"'{path}' is not a mixture of these weights; give another --out")
        each = saved.get('each', CHANNEL)
        if each != self._each:
            raise ValueError(
                f"'{path}' has shares for each {each}; give --each {each} or another --out"
            )
        with torch.no_grad():
            for kind, shares in (('shares', self._shares), ('average', self._average)):
                for share, value in zip(shares, saved[kind], strict=True):
                    share.copy_(value)
        self.trainer.optimiser.load_state_dict(saved['optimiser'])

    def state(self) -> dict[str, Any]:
        """Return the checkpoint: the mixture as a run's weights, and all to go on from."""
        trainer = self.trainer
        saved = {
            'of': self._of,
            'each': self._each,
            'shares': [share.detach() for share in self._shares],
            'average': [share.detach() for share in self._average],
            'optimiser': trainer.optimiser.state_dict(),
        }
        network = mixed_weights(trainer.network, self._names)
        average = mixed_weights(trainer.average, self._names)
        state = {**trainer.state(), 'network': network, 'average': average, 'mixing': saved}
        # Moments of the shares mean nothing to a run that trains weights from here.
        del state['optimiser']
        return state

    def learn(self, stop_after_s: float = 0.0) -> None:
        """Train the shares to the end of the trainer's config, or until it is time to stop.

        Args:
            stop_after_s: Seconds after which to stop; 0 for no limit.

        """
        trainer, processes = self.trainer, self.trainer.processes
        steps = trainer.config.steps
        begin = last = saved = time.monotonic()
        bar = tqdm(total=steps, initial=trainer.clock, unit='step', disable=not processes.first)
        while trainer.clock < steps:
            with parametrize.cached():
                terms = trainer.train_step()
            now = time.monotonic()
            # Schedules that go by the clock must go by one clock.
            trainer.elapsed = processes.agree(trainer.elapsed + now - last, trainer.device)
            last = now
            bar.update(trainer.clock - bar.n)
            bar.set_postfix({k: f'{v:.3f}' for k, v in terms.items()}, refresh=False)
            if processes.first and now - saved > trainer.config.checkpoint_every_s:
                save_atomically(self.state(), trainer.out / CHECKPOINT)
                saved = now
            if 0 < stop_after_s < processes.agree(now - begin, trainer.device):
                break
        bar.close()
        if processes.first:
            save_atomically(self.state(), trainer.out / CHECKPOINT)


def main() -> None:
    """Learn the shares and write the mixture as a run's checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('weights', nargs='+', type=Path, help="runs' folders or FP32 files")
    parser.add_argument('--begin', type=float, nargs='+', help='shares at the start, default 0')
    parser.add_argument(
        '--scale', action='store_true', help='also let each channel of the first W grow or shrink'
    )
    parser.add_argument(
        '--each', choices=EACH, default=CHANNEL, help='what has shares of its own, default channel'
    )
    parser.add_argument('--config', type=Path, required=True, help='its rates are of the shares')
    parser.add_argument('--data', type=Path, required=True, help='folder with MANIFEST.tsv')
    parser.add_argument('--judge', type=Path, help='run of which the discriminator is taken')
    parser.add_argument('--out', type=Path, required=True, help="the run's folder")
    parser.add_argument('--stop-after', type=float, default=0.0, help='seconds, 0 = no limit')
    parser.add_argument('--processes', type=int, default=1, help='that share the run, a core each')
    args = parser.parse_args()
    if len(args.weights) + args.scale < 2:
        raise SystemExit('give two weights at least: the first, and those to go towards')
    if args.begin and len(args.begin) != len(args.weights) - 1:
        raise SystemExit(
            f'--begin needs {len(args.weights) - 1} shares, one for each W but the first'
        )
    try:
        _check_folder(args.out)
        weights = [dict(read_network(path).state_dict()) for path in args.weights]
        judge: dict[str, Any] = read_run(args.judge, '--judge') if args.judge else {}
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(str(error)) from error
    begin = args.begin or [0.0] * (len(args.weights) - 1)
    if args.scale:
        weights.append({name: 2.0 * value for name, value in weights[0].items()})
        begin = [*begin, 0.0]
    run_in_processes(
        args.processes, 'cpu', functools.partial(_mix, args, weights, list(begin), judge)
    )


def _check_folder(out: Path) -> None:
    """Refuse a folder with a run of another kind, which would be written over.

    Raises:
        ValueError: The folder's checkpoint is no mixture that this module can go on with.

    """
    path = out / CHECKPOINT
    if path.is_file() and 'mixing' not in _read(path):
        raise ValueError(f"'{path}' exists and is no mixture; give another --out")


def _read(path: Path) -> dict[str, Any]:
    """Return what a checkpoint holds; nothing if the file is none, which are ZIP files."""
    if not zipfile.is_zipfile(path):
        return {}
    state: dict[str, Any] = torch.load(path, map_location='cpu', weights_only=True)
    return state


def _mix(
    args: argparse.Namespace,
    weights: Sequence[Weights],
    begin: Sequence[float],
    judge: Mapping[str, Any],
    processes: Processes,
    device: str,
) -> None:
    processes.share_threads()
    cv2.setNumThreads(1)
    goes_on = (args.out / CHECKPOINT).is_file()
    trainer = Trainer(load_config(args.config), args.data, args.out, device, processes)
    try:
        mixing = Mixing(trainer, weights[0], weights[1:], begin, args.each)
        if 'judge' in judge and not goes_on:
            trainer.judge.load_state_dict(judge['judge'])
            trainer.judge_optimiser.load_state_dict(judge['judge_optimiser'])
        mixing.learn(args.stop_after)
    except KeyError as error:
        raise SystemExit(f'the weights are not of one layout: {error} is missing') from error
    except ValueError as error:
        raise SystemExit(str(error)) from error
    finally:
        trainer.source.close()


if __name__ == '__main__':
    main()
