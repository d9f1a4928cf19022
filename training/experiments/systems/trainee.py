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

"""One row while it is trained: networks, optimisers, curve, and going on after a stop."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from training.critics.discriminator import PatchDiscriminator
from training.experiments.systems.critics import SharedCritics
from training.experiments.systems.objectives.objective import Objective, Outcome, Setting
from training.experiments.systems.objectives.registry import OBJECTIVES
from training.experiments.systems.rows import CLOCK, Row
from training.experiments.systems.shares import for_row
from training.losses.ccfp import ActivationRange, Batch
from training.losses.games import judge_game
from training.networks.systems.build import build_system
from training.run.checkpoint import save_atomically
from training.run.config import RunConfig
from training.run.precision import choose_precision, cpu_flags

#: Steps between two points of a curve, which are means over them.
EVERY = 10


class Trainee:
    """A row's networks and how far they are.

    Attributes:
        row: Row that is trained.
        average: Averaged weights, the ones that are measured.
        step: Number of steps done; each has seen one batch.
        windows: Number of windows seen.
        seconds: Seconds of computing on the device, batches not counted.
        phase: Name of the objective that holds.
        curve: Points (step, windows, seconds, phase, name, value).
        skipped: Number of steps left out because their gradients were not finite.

    """

    def __init__(self, row: Row, critics: SharedCritics, device: torch.device) -> None:
        """Begin with the seed's weights.

        Args:
            row: Row to be trained.
            critics: Networks that judge all rows.
            device: Device that trains.

        """
        torch.manual_seed(row.config.seed)
        self.row, self.device, self._critics = row, device, critics
        self.precision = choose_precision(row.config.precision, device, cpu_flags())
        self.network = build_system(row.network).to(device, memory_format=torch.channels_last)
        self.average = build_system(row.network).to(device).requires_grad_(False).eval()
        self.average.load_state_dict(self.network.state_dict())
        self._ranges = (
            ActivationRange(self.network, self.network.stages, row.config.loss.activation_limit)
            if self.network.stages
            else None
        )
        self.judges: dict[str, PatchDiscriminator] = {}
        self._judge_optimisers: dict[str, torch.optim.Adam] = {}
        self._helpers: dict[str, nn.Module] = {}
        self._objective: Objective | None = None
        self._optimiser: torch.optim.Adam | None = None
        self.step = self.windows = self.skipped = self._phase_step = 0
        self.seconds, self.phase = 0.0, ''
        self.curve: list[tuple[int, int, float, str, str, float]] = []
        self._sums: dict[str, list[float]] = {}

    def _enter(self, name: str, begin: bool) -> None:
        """Make what an objective needs; at the beginning of a phase go on from the average."""
        # The helpers' and discriminators' first weights are those of the phase, after a stop too.
        torch.manual_seed(self.row.config.seed + [n for _, n in self.row.objectives].index(name))
        objective = OBJECTIVES[name]()
        if begin and self.phase:
            self.network.load_state_dict(self.average.state_dict())
        self._objective, self.phase = objective, name
        self._helpers = {
            key: module.to(self.device)
            for key, module in objective.make_helpers(self.network).items()
        }
        for part, parameter in self.network.named_parameters():
            held = objective.trained and part.split('.')[0] not in objective.trained
            parameter.requires_grad_(not held)
        learning = [p for p in self.network.parameters() if p.requires_grad]
        for module in self._helpers.values():
            learning += [p for p in module.parameters() if p.requires_grad]
        self._optimiser = torch.optim.Adam(learning, betas=self.row.config.betas)
        for judge in objective.judges:
            self._add_judge(judge)
        if begin:
            self._phase_step = 0

    def _add_judge(self, name: str) -> None:
        if name not in self.judges:
            judge = PatchDiscriminator(32 if name == 'face' else 16).to(self.device)
            self.judges[name] = judge
            self._judge_optimisers[name] = torch.optim.Adam(
                judge.parameters(), betas=self.row.config.betas
            )

    def train(self, batch: Batch, progress: float) -> None:
        """Do one step; one whose gradient is not finite is left out, but counted.

        Args:
            batch: Batch of all rows.
            progress: Share of the budget that is spent, 0..1.

        """
        begin = clock(self.device)
        position = min(CLOCK - 1, int(progress * CLOCK))
        wanted = self.row.objective(position)
        if wanted != self.phase:
            self._enter(wanted, begin=True)
        now = self.row.at(position)
        self.network.train()
        outcome = self._compute(for_row(batch, now, self.step), now)
        self._learn(outcome, now, position)
        self.step += 1
        self._phase_step += 1
        self.windows += len(batch.truth)
        error = (outcome.restored.detach().float().clamp(0.0, 1.0) - batch.truth).square()
        mean = error.mean(dim=(1, 2, 3)).clamp(min=1e-6)
        self._note({'psnr': float((-10.0 * mean.log10()).mean()), **outcome.terms})
        self.seconds += clock(self.device) - begin
        if self.step % EVERY == 0:
            self._write_curve()

    def _compute(self, batch: Batch, now: RunConfig) -> Outcome:
        objective = self._objective
        assert objective is not None
        setting = Setting(
            network=self.network,
            helpers=self._helpers,
            batch=batch,
            weights=now.loss,
            critics=self._critics.chosen(now.loss),
            judges=self.judges,
            rounding=self.row.rounding,
        )
        with self.precision.autocast(self.device):
            outcome = objective(setting)
        if self._ranges is not None:
            excess = self._ranges.take()
            outcome.loss = outcome.loss + now.loss.activation * excess
        return outcome

    def _learn(self, outcome: Outcome, now: RunConfig, position: int) -> None:
        optimiser = self._optimiser
        assert optimiser is not None
        rate = self.row.config.rate(position)
        rate *= min(1.0, (self._phase_step + 1) / max(1, now.warmup_steps))
        outcome.terms['loss'] = float(outcome.loss.detach())
        if not _stepped(optimiser, outcome.loss, rate):
            self.skipped += 1
            return
        decay = min(now.ema, (1 + self._phase_step) / (10 + self._phase_step))
        with torch.no_grad():
            # Of one phase alone: what is held equals its average already.
            torch._foreach_lerp_(
                list(self.average.parameters()), list(self.network.parameters()), 1.0 - decay
            )
        for name, (real, fake) in outcome.judged.items():
            with self.precision.autocast(self.device):
                loss, right = judge_game(self.judges[name], real, fake, self._game)
            _stepped(self._judge_optimisers[name], loss, rate * now.discriminator_rate)
            outcome.terms[f'judge_{name}_right'] = right

    @property
    def _game(self) -> Any:
        assert self._objective is not None
        return self._objective.game

    def _note(self, terms: Mapping[str, float]) -> None:
        for name, value in terms.items():
            self._sums.setdefault(name, []).append(value)

    def _write_curve(self) -> None:
        for name, values in self._sums.items():
            point = (self.step, self.windows, round(self.seconds, 2), self.phase, name)
            self.curve.append((*point, float(f'{np.mean(values):.6g}')))
        self._sums.clear()

    def curve_csv(self) -> str:
        """Return the curve as a CSV table with a header."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator='\n')
        writer.writerow(['step', 'windows', 'seconds', 'phase', 'name', 'value'])
        writer.writerows(self.curve)
        return stream.getvalue()

    def state(self) -> dict[str, Any]:
        """Return everything that the row goes on from."""
        return {
            'row': self.row.name,
            'digest': self.row.digest(),
            'network': self.network.state_dict(),
            'average': self.average.state_dict(),
            'optimiser': self._optimiser.state_dict() if self._optimiser else {},
            'helpers': {name: module.state_dict() for name, module in self._helpers.items()},
            'judges': {name: judge.state_dict() for name, judge in self.judges.items()},
            'judge_optimisers': {
                name: optimiser.state_dict() for name, optimiser in self._judge_optimisers.items()
            },
            'step': self.step,
            'windows': self.windows,
            'seconds': self.seconds,
            'skipped': self.skipped,
            'phase': self.phase,
            'phase_step': self._phase_step,
            'curve': self.curve,
        }

    def save(self, folder: Path) -> None:
        """Write ``<row>.pt``."""
        save_atomically(self.state(), folder / f'{self.row.name}.pt')

    def resume(self, folder: Path) -> None:
        """Go on from ``<row>.pt``, if there is one.

        Raises:
            ValueError: The file was trained by another description of the row, or holds weights
                alone.

        """
        path = folder / f'{self.row.name}.pt'
        if not path.is_file():
            return
        state = torch.load(path, map_location='cpu', weights_only=True)
        if state['digest'] != self.row.digest():
            raise ValueError(
                f"'{path}' was trained by another description of the row; give another folder"
            )
        if 'network' not in state:
            raise ValueError(
                f"'{path}' came back from a borrowed machine and holds weights alone: it can be "
                'measured, not trained on; give another folder'
            )
        self.average.load_state_dict(state['average'])
        self.network.load_state_dict(state['network'])
        for name in ('step', 'windows', 'seconds', 'skipped'):
            setattr(self, name, state[name])
        self._phase_step = int(state['phase_step'])
        self.curve = [tuple(point) for point in state['curve']]
        if state['phase']:
            self._enter(state['phase'], begin=False)
            assert self._optimiser is not None
            for name, module in self._helpers.items():
                module.load_state_dict(state['helpers'][name])
            self._optimiser.load_state_dict(state['optimiser'])
        for name, weights in state['judges'].items():
            # That of an earlier phase may come back in a later one.
            self._add_judge(name)
            self.judges[name].load_state_dict(weights)
            self._judge_optimisers[name].load_state_dict(state['judge_optimisers'][name])


def clock(device: torch.device) -> float:
    """Return seconds of computing: of this process on a CPU, which others may share."""
    if device.type == 'cpu':
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def _stepped(optimiser: torch.optim.Adam, loss: Tensor, rate: float) -> bool:
    """Do an optimiser's step with the gradients limited; return whether they were finite."""
    parameters = [p for group in optimiser.param_groups for p in group['params']]
    for group in optimiser.param_groups:
        group['lr'] = rate
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    norm = float(nn.utils.clip_grad_norm_(parameters, 1.0))
    if not math.isfinite(norm):
        return False
    optimiser.step()
    return True
