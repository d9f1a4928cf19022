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

"""One run's networks and optimisers: how a step is done, saved and gone on from."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.critics.discriminator import PatchDiscriminator, judge_loss
from training.critics.eye_openness import EyeOpennessCritic
from training.critics.identity_networks import CRITICS, IdentityCritic
from training.critics.identity_weights import used_critics
from training.critics.perceptual import Lpips
from training.data.training_faces import TrainingFaces
from training.losses.ccfp import ActivationRange, Batch, Critics, ccfp_loss
from training.networks.build import build_network, count_parameters
from training.run.batches import BatchSource
from training.run.checkpoint import CHECKPOINT, load_weights, provenance, save_atomically
from training.run.config import RunConfig
from training.run.precision import choose_precision, cpu_flags
from training.run.processes import Processes

CONFIGS = Path(__file__).parents[1] / 'configs'


class Trainer:
    """One run: its state, and how to go on with it."""

    def __init__(
        self,
        config: RunConfig,
        data: Path,
        out: Path,
        device: str,
        processes: Processes | None = None,
        by_time: bool = False,
    ) -> None:
        """Load the data and the run's last checkpoint, if there is one.

        Args:
            config: Configuration of the run.
            data: Folder with MANIFEST.tsv.
            out: Folder of the run, made if need be.
            device: 'cpu', 'cuda', 'cuda:1'...
            processes: Place of this process among those that share the run; None if it is alone.
            by_time: Whether the schedules go by the time alone; the run then ends when
                `time_budget_s` is spent, however many steps it has done by then.

        Raises:
            FileNotFoundError: Data, the weights of a critic that the run needs, or the checkpoint
                that it starts from are missing.

        """
        torch.manual_seed(config.seed)
        self.config, self.out, self.by_time = config, out, by_time
        self.processes = processes or Processes()
        self.device = torch.device(device)
        self.precision = choose_precision(config.precision, self.device, cpu_flags())
        out.mkdir(parents=True, exist_ok=True)
        left_out = CONFIGS / config.exclude if config.exclude else None
        faces = TrainingFaces(data, device=self.device, exclude=left_out)
        self.source = BatchSource(faces, config, self.processes.rank)
        # Channels last is what bfloat16 convolutions are fast with, on either device.
        layout = torch.channels_last
        self.network = build_network(config.network).to(self.device, memory_format=layout)
        self.average = build_network(config.network).to(self.device).requires_grad_(False)
        self.judge = PatchDiscriminator().to(self.device, memory_format=layout)
        if config.start_from:
            load_weights(self.network, Path(config.start_from))
        self.average.load_state_dict(self.network.state_dict())
        self.ranges = ActivationRange(
            self.network, self.network.stages, config.loss.activation_limit
        )
        self.optimiser = _adam(self.network, config)
        self.judge_optimiser = _adam(self.judge, config)
        self._lpips: Lpips | None = None
        self._identity: dict[str, IdentityCritic] = {}
        self._eyes: EyeOpennessCritic | None = None
        # Windows are those that all processes have trained on.
        self.step, self.windows, self.elapsed = 0, 0, 0.0
        if (out / CHECKPOINT).is_file():
            self._resume(out / CHECKPOINT)
        # Taken once, at the start: files that are edited later are not what trains.
        self.provenance = provenance(data)

    def _resume(self, path: Path) -> None:
        state = torch.load(path, map_location='cpu', weights_only=True)
        self.network.load_state_dict(state['network'])
        self.average.load_state_dict(state['average'])
        # Made of a shipped model (`training.tools.from_model`), a checkpoint has weights alone.
        if 'optimiser' in state:
            self.optimiser.load_state_dict(state['optimiser'])
        self.step, self.elapsed = int(state['step']), float(state['elapsed'])
        self.windows = int(state.get('windows', 0))
        if 'judge' in state:
            self.judge.load_state_dict(state['judge'])
            self.judge_optimiser.load_state_dict(state['judge_optimiser'])

    @property
    def clock(self) -> int:
        """The step by which the schedules go: that of the run, or that which is due by the time."""
        config = self.config
        if config.time_budget_s <= 0:
            return self.step
        due = int(config.steps * self.elapsed / config.time_budget_s)
        return due if self.by_time else max(self.step, due)

    def _rate(self, warmup: int) -> float:
        return self.config.rate(self.clock) * min(1.0, (self.step + 1) / max(1, warmup))

    def _critics(self, now: RunConfig, whole: bool) -> Critics:
        """Load what this step needs; a run without a term needs no weights for it."""
        if max(now.loss.perceptual) > 0 and self._lpips is None:
            self._lpips = Lpips('vgg', half=self.precision.bfloat16).to(self.device)
        named = used_critics(now.loss.identity_critics) if now.loss.identity > 0 else []
        for name in named:
            if name not in self._identity:
                self._identity[name] = CRITICS[name]().to(self.device)
        if now.loss.eyes > 0 and self._eyes is None:
            self._eyes = EyeOpennessCritic().to(self.device)
        return Critics(
            lpips=self._lpips if max(now.loss.perceptual) > 0 else None,
            judge=self.judge if max(now.loss.adversarial) > 0 else None,
            identity={name: self._identity[name] for name in named} if whole else {},
            eyes=self._eyes if whole and now.loss.eyes > 0 else None,
        )

    def train_step(self) -> dict[str, float]:
        """Do one optimiser step; return its loss terms."""
        now = self.config.at(self.clock)
        batch, whole = self.source.take(self.step, self.clock)
        rate = self._rate(now.warmup_steps)
        _set_rate(self.optimiser, rate)
        self.ranges.limit = now.loss.activation_limit
        with self.precision.autocast(self.device):
            loss, terms, outputs = ccfp_loss(
                self.network, batch, now.loss, self._critics(now, whole)
            )
        excess = self.ranges.take()
        terms['activation'] = now.loss.activation * float(excess.detach())
        loss = loss + now.loss.activation * excess
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.processes.average_gradients(self.network.parameters())
        norm = float(torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0))
        self.step += 1
        self.windows += len(batch.truth) * self.processes.count
        if not math.isfinite(norm):
            # Rare overflow in half precision: skipping one step loses nothing.
            return {'skipped': 1.0}
        self.optimiser.step()
        judged = now.loss.judged_cycle(batch.cycles)
        if judged:
            terms.update(self._train_judge(now, batch, outputs[judged - 1], rate))
        decay = min(now.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self.average.parameters()), list(self.network.parameters()), 1.0 - decay
            )
        return {
            'loss': float(loss.detach()),
            'lr': rate,
            'gradient_norm': norm,
            f'k{batch.cycles}': 1.0,
            **terms,
        }

    def _train_judge(
        self, now: RunConfig, batch: Batch, output: Tensor, rate: float
    ) -> dict[str, float]:
        _set_rate(self.judge_optimiser, rate * now.discriminator_rate)
        with self.precision.autocast(self.device):
            loss, right = judge_loss(
                self.judge,
                batch.truth,
                output.detach().clamp(0.0, 1.0),
                1.0 + now.loss.component * batch.components,
            )
        self.judge_optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.processes.average_gradients(self.judge.parameters())
        norm = float(torch.nn.utils.clip_grad_norm_(self.judge.parameters(), 1.0))
        if math.isfinite(norm):
            self.judge_optimiser.step()
        return {'judge': float(loss.detach()), 'judge_right': right}

    def state(self) -> dict[str, Any]:
        """Return everything that the run goes on from, and what made it."""
        return {
            'network': self.network.state_dict(),
            'average': self.average.state_dict(),
            'optimiser': self.optimiser.state_dict(),
            'judge': self.judge.state_dict(),
            'judge_optimiser': self.judge_optimiser.state_dict(),
            'step': self.step,
            'windows': self.windows,
            'elapsed': self.elapsed,
            'device': self.device.type,
            'config': json.dumps(dataclasses.asdict(self.config)),
            **self.provenance,
            'parameters': count_parameters(self.network),
        }

    def save(self) -> None:
        """Write the checkpoint."""
        save_atomically(self.state(), self.out / CHECKPOINT)


def _adam(network: torch.nn.Module, config: RunConfig) -> torch.optim.Adam:
    return torch.optim.Adam(network.parameters(), lr=1e-3, betas=config.betas)


def _set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group['lr'] = rate
