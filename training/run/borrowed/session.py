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

"""Training on the borrowed machine: by the clock, without validation."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import cv2
import torch

from training.run.borrowed import results
from training.run.borrowed.layout import CONFIG, FACES, RUN
from training.run.borrowed.visit import print_files, watch_for_the_end
from training.run.config import load_config
from training.run.runlog import RunLog
from training.run.trainer import Trainer

#: Seconds between two states that are left to go home, and between two lines on the terminal.
LEAVE_EVERY_S, TELL_EVERY_S = 60.0, 10.0


def train_for(work: Path, out: Path, seconds: float, device: str | None = None) -> None:
    """Train the packed run until its seconds are spent, and leave what goes home.

    A machine that is taken away early leaves the state of the last minute; one that says so
    first (SIGTERM, SIGINT) leaves the last state.

    Args:
        work: Folder of the parts put together.
        out: Folder of what goes home.
        seconds: Seconds of training, over all starts.
        device: 'cpu', 'cuda'...; None = a GPU where there is one.

    """
    device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
    cv2.setNumThreads(1)
    config = dataclasses.replace(load_config(work / CONFIG), time_budget_s=seconds, start_from='')
    stopped = watch_for_the_end()
    trainer = Trainer(config, work / FACES, work / RUN, device, by_time=True)
    log = RunLog(trainer.out, events=False)
    machine = f'trains on {_name(trainer.device)} in {trainer.precision}'
    log.note(trainer.step, trainer.elapsed, f'{machine}; PyTorch {torch.__version__}')
    print(machine, flush=True)

    def leave() -> None:
        log.means(trainer.step, trainer.elapsed)
        trainer.save()
        results.leave(trainer.state(), trainer.out, out)

    before = trainer.elapsed
    begin = left = told = time.monotonic()
    first = trainer.windows
    while trainer.clock < config.steps and not stopped():
        terms = trainer.train_step()
        now = time.monotonic()
        trainer.elapsed = before + now - begin
        log.step(trainer.step, trainer.elapsed, terms)
        if now - told > TELL_EVERY_S:
            told = now
            rate = (trainer.windows - first) / (now - begin)
            brief = ' '.join(f'{name} {value}' for name, value in log.brief().items())
            print(
                f'{trainer.elapsed:.0f} of {seconds:g} s: step {trainer.step}, '
                f'{rate:.1f} windows/s, {brief}',
                flush=True,
            )
        if now - left > LEAVE_EVERY_S:
            leave()
            left = time.monotonic()
    trainer.source.close()
    log.note(
        trainer.step,
        trainer.elapsed,
        f'{"stopped early" if stopped() else "done"} after {trainer.windows} windows',
    )
    leave()
    log.close()
    print(f'{trainer.step} steps, {trainer.windows} windows in {trainer.elapsed:.0f} s; take home:')
    print_files(out)


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == 'cuda' else str(device)
