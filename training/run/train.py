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

"""Train CFRNet by CCFP: ``python -m training.run.train --config C --data FACES --out RUN``.

Resumes from the run's last checkpoint whenever it is started again. Every draw
depends on the seed and the step alone, so a resumed run sees what an
uninterrupted one would have seen. ``--processes 2`` shares the run among two
cores or GPUs.
"""

from __future__ import annotations

import argparse
import functools
import time
from pathlib import Path

import cv2
import torch
from tqdm import tqdm

from training.run.config import load_config
from training.run.processes import Processes, run_in_processes
from training.run.runlog import RunLog
from training.run.trainer import Trainer
from training.run.validation import Validation


def validate(trainer: Trainer, validation: Validation, log: RunLog) -> None:
    """Measure the averaged weights, log them and draw the sheet."""
    figures, sheet = validation.measure(trainer.average)
    cv2.imwrite(str(trainer.out / f'sheet_{trainer.step:07d}.jpg'), sheet)
    log.validation(trainer.step, trainer.elapsed, figures)
    tqdm.write(
        f'step {trainer.step}: ' + ' '.join(f'{n}={v:.4f}' for n, v in sorted(figures.items()))
    )


def run(trainer: Trainer, data: Path, stop_after_s: float) -> None:
    """Train until the run is done or stopped; the first of its processes logs and validates.

    Args:
        trainer: Trainer of the run.
        data: Folder with MANIFEST.tsv.
        stop_after_s: Seconds after which to stop; 0 for no limit.

    """
    config, processes = trainer.config, trainer.processes
    # The others compute; one of them writes.
    log = validation = None
    if processes.first:
        log, validation = RunLog(trainer.out), Validation(data, trainer.device)
        machine = f'trains on {trainer.device} in {trainer.precision}'
        log.note(trainer.step, trainer.elapsed, machine)
        tqdm.write(machine)
    begin = last = saved = validated = time.monotonic()
    bar = tqdm(
        total=config.steps,
        initial=trainer.clock,
        unit='step',
        smoothing=0.05,
        disable=log is None,
    )
    while trainer.clock < config.steps:
        terms = trainer.train_step()
        now = time.monotonic()
        # Schedules that go by the clock must go by one clock.
        trainer.elapsed = processes.agree(trainer.elapsed + now - last, trainer.device)
        last = now
        if log is not None and validation is not None:
            log.step(trainer.step, trainer.elapsed, terms)
            bar.update(trainer.clock - bar.n)
            bar.set_postfix(log.brief(), refresh=False)
            if now - saved > config.checkpoint_every_s:
                trainer.save()
                saved = now
            if now - validated > config.validate_every_s:
                trainer.save()
                validate(trainer, validation, log)
                # Validation is not training: it must not eat the time budget.
                validated = last = time.monotonic()
        if 0 < stop_after_s < processes.agree(time.monotonic() - begin, trainer.device):
            break
    trainer.source.close()
    if log is not None and validation is not None:
        trainer.save()
        validate(trainer, validation, log)
        log.close()
    bar.close()


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--config', type=Path, required=True, help='YAML file of the run')
    parser.add_argument('--data', type=Path, required=True, help='folder with MANIFEST.tsv')
    parser.add_argument('--out', type=Path, required=True, help="the run's folder")
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument(
        '--threads', type=int, default=0, help='CPU threads of a process, 0 = its share'
    )
    parser.add_argument('--stop-after', type=float, default=0.0, help='seconds, 0 = no limit')
    parser.add_argument(
        '--processes', type=int, default=1, help='that share the run, a core or a GPU each'
    )
    args = parser.parse_args()
    run_in_processes(args.processes, args.device, functools.partial(_train, args))


def _train(args: argparse.Namespace, processes: Processes, device: str) -> None:
    if args.threads > 0:
        torch.set_num_threads(args.threads)
    else:
        processes.share_threads()
    cv2.setNumThreads(1)
    trainer = Trainer(load_config(args.config), args.data, args.out, device, processes)
    run(trainer, args.data, args.stop_after)


if __name__ == '__main__':
    main()
