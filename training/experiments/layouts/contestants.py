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

"""Train all layouts side by side, each on the very same batches."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from training.data.training_faces import TrainingFaces
from training.losses.ccfp import ActivationRange, Batch, Critics, ccfp_loss
from training.networks.build import build_network
from training.networks.config import NetworkConfig
from training.networks.parts import Restorer
from training.run.batches import make_batch
from training.run.checkpoint import provenance, save_atomically
from training.run.config import RunConfig
from training.run.precision import choose_precision, cpu_flags


class Contestant:
    """One layout: its weights, and the time that training it has cost.

    Attributes:
        step: Number of optimiser steps done.
        seconds: Seconds of computing spent in those steps, batches not counted; see `clock`.
        history: Rows of step, seconds and the figures of one look at the averaged weights.
        provenance: Hashes of the data and of the code that trained the layout.

    """

    def __init__(
        self, layout: str, config: RunConfig, device: torch.device, provenance: dict[str, str]
    ) -> None:
        """Begin with the seed's weights."""
        torch.manual_seed(config.seed)
        self.layout, self.config, self.device = layout, config, device
        self.provenance = provenance
        self.precision = choose_precision(config.precision, device, cpu_flags())
        choice = NetworkConfig(layout=layout)
        self.network: Restorer = build_network(choice).to(device, memory_format=torch.channels_last)
        self.average: Restorer = build_network(choice).to(device).requires_grad_(False)
        self.average.load_state_dict(self.network.state_dict())
        self.ranges = ActivationRange(
            self.network, self.network.stages, config.loss.activation_limit
        )
        self.optimiser = torch.optim.Adam(self.network.parameters(), betas=config.betas)
        self.step, self.seconds = 0, 0.0
        self.history: list[dict[str, float]] = []

    def train(self, batch: Batch) -> None:
        """Do one step; one whose gradient is not finite is left out, but counted."""
        begin = clock(self.device)
        now = self.config.at(self.step)
        rate = self.config.rate(self.step) * min(1.0, (self.step + 1) / max(1, now.warmup_steps))
        for group in self.optimiser.param_groups:
            group['lr'] = rate
        with self.precision.autocast(self.device):
            loss, _, _ = ccfp_loss(self.network, batch, now.loss, Critics())
        loss = loss + now.loss.activation * self.ranges.take()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.step += 1
        if bool(torch.isfinite(norm)):
            self.optimiser.step()
            decay = min(now.ema, self.step / (9 + self.step))
            with torch.no_grad():
                torch._foreach_lerp_(
                    list(self.average.parameters()), list(self.network.parameters()), 1.0 - decay
                )
        self.seconds += clock(self.device) - begin

    def save(self, folder: Path) -> None:
        """Write ``<layout>.pt``."""
        state: dict[str, Any] = {
            'network': self.network.state_dict(),
            'average': self.average.state_dict(),
            'optimiser': self.optimiser.state_dict(),
            'step': self.step,
            'seconds': self.seconds,
            'history': self.history,
            'config': json.dumps(dataclasses.asdict(self.config)),
            **self.provenance,
        }
        save_atomically(state, folder / f'{self.layout}.pt')

    def resume(self, folder: Path) -> None:
        """Go on from ``<layout>.pt``, if there is one.

        Raises:
            ValueError: The checkpoint was trained by another configuration.

        """
        path = folder / f'{self.layout}.pt'
        if not path.is_file():
            return
        state = torch.load(path, map_location='cpu', weights_only=True)
        if state['config'] != json.dumps(dataclasses.asdict(self.config)):
            raise ValueError(
                f"'{path}' was trained by another configuration; give --out another folder"
            )
        self.network.load_state_dict(state['network'])
        self.average.load_state_dict(state['average'])
        self.optimiser.load_state_dict(state['optimiser'])
        self.step, self.seconds = int(state['step']), float(state['seconds'])
        self.history = state['history']
        self.provenance = {name: state[name] for name in self.provenance}


def clock(device: torch.device) -> float:
    """Return seconds of computing: of this process on a CPU, which others may share."""
    if device.type == 'cpu':
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def train_all(
    layouts: Sequence[str],
    config: RunConfig,
    data: Path,
    out: Path,
    device: torch.device,
    look: Callable[[nn.Module], dict[str, float]],
    look_every: int,
) -> list[Contestant]:
    """Train the layouts in turns, a step each; resumes what a kill has left.

    Args:
        layouts: Names of the layouts.
        config: Configuration of the training that each layout gets; its `network` is not used.
        data: Folder with MANIFEST.tsv.
        out: Folder of the checkpoints, made if need be.
        device: Device that trains.
        look: Function that measures averaged weights, for `Contestant.history`.
        look_every: Number of steps between two looks.

    Returns:
        The trained layouts.

    """
    out.mkdir(parents=True, exist_ok=True)
    origin = provenance(data)
    contestants = [Contestant(name, config, device, origin) for name in layouts]
    for one in contestants:
        one.resume(out)
    first = min(one.step for one in contestants)
    if first < config.steps:
        faces = TrainingFaces(data, device=device)
        saved = time.monotonic()
        for step in tqdm(range(first, config.steps), initial=first, total=config.steps):
            batch, _ = make_batch(faces, config.at(step), step)
            for one in contestants:
                # A kill between two checkpoints leaves some layouts a little ahead.
                if one.step > step:
                    continue
                one.train(batch)
                if one.step % look_every == 0 or one.step == config.steps:
                    seen = {'step': one.step, 'seconds': round(one.seconds, 2)}
                    one.history.append({**seen, **look(one.average)})
            if time.monotonic() - saved > config.checkpoint_every_s:
                _save(contestants, out)
                saved = time.monotonic()
        _save(contestants, out)
    return contestants


def _save(contestants: Sequence[Contestant], out: Path) -> None:
    for one in contestants:
        one.save(out)
