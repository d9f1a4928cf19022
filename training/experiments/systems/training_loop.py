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

"""Training the rows: side by side on the same batches, or one after another on the same ones."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from training.data.training_faces import TrainingFaces
from training.experiments.systems.critics import SharedCritics
from training.experiments.systems.rows import Row, Rows
from training.experiments.systems.trainee import Trainee
from training.run.batches import BatchSource
from training.run.checkpoint import provenance
from training.run.precision import choose_precision, cpu_flags
from training.run.trainer import CONFIGS

#: File in a run's folder with the budget, the seconds spent and the provenance.
FACTS = 'run.json'

#: Seconds between two lines on the terminal.
TELL_EVERY_S = 10.0


@dataclass(frozen=True)
class Budget:
    """What every row may spend: the same number of windows.

    Attributes:
        windows: Number of windows that each row gets; 0 if the time decides.
        seconds: Seconds of all rows together, faces' drawing included, after which each has had the
            same number of windows; 0 if the windows decide.

    Raises:
        ValueError: Not exactly one of them is above 0.

    """

    windows: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        """Reject what does not end, or has two ends."""
        if (self.windows > 0) == (self.seconds > 0):
            raise ValueError('a budget is either a number of windows or a number of seconds')

    def progress(self, windows: int, seconds: float) -> float:
        """Return the share that is spent, 0..1."""
        spent = windows / self.windows if self.windows > 0 else seconds / self.seconds
        return min(1.0, spent)


class Comparison:
    """The rows of one run, and how they are trained.

    Attributes:
        trainees: Rows in the order of the file.
        elapsed: Seconds spent so far, over all starts.
        provenance: Hashes of the data and of the code that trained.

    """

    def __init__(
        self,
        rows: Rows,
        chosen: Sequence[Row],
        data: Path,
        out: Path,
        device: torch.device,
        budget: Budget,
    ) -> None:
        """Load faces, and what earlier starts have left.

        Args:
            rows: Content of the rows' file.
            chosen: Rows to be trained.
            data: Folder with MANIFEST.tsv.
            out: Folder of the checkpoints, made if need be.
            device: Device that trains.
            budget: What each row may spend.

        Raises:
            FileNotFoundError: Data or the weights of a critic are missing.
            ValueError: An earlier start had another budget or other rows.

        """
        out.mkdir(parents=True, exist_ok=True)
        self.out, self.budget, self._shared, self._device = out, budget, rows.shared, device
        precision = choose_precision(rows.shared.precision, device, cpu_flags())
        critics = SharedCritics(device, precision.bfloat16)
        self.trainees = [Trainee(row, critics, device) for row in chosen]
        self.elapsed, self.provenance = 0.0, provenance(data)
        self._precision = str(precision)
        self._read_facts()
        for one in self.trainees:
            one.resume(out)
        left_out = CONFIGS / rows.shared.exclude if rows.shared.exclude else None
        self._faces = TrainingFaces(data, device=device, exclude=left_out)

    def _read_facts(self) -> None:
        path = self.out / FACTS
        if not path.is_file():
            return
        facts = json.loads(path.read_text(encoding='utf-8'))
        if facts['budget'] != asdict(self.budget):
            raise ValueError(
                f"'{path}' was begun with the budget {facts['budget']}; give the same, or another "
                'folder'
            )
        self.elapsed = float(facts['elapsed'])
        self.provenance = facts['provenance']

    def facts(self) -> dict[str, object]:
        """Return what is known of the run beside its rows."""
        return {
            'budget': asdict(self.budget),
            'elapsed': round(self.elapsed, 2),
            'device': _name(self._device),
            'precision': self._precision,
            'torch': torch.__version__,
            'provenance': self.provenance,
        }

    def save(self, trainees: Sequence[Trainee] | None = None) -> None:
        """Write the checkpoints and the facts."""
        for one in self.trainees if trainees is None else trainees:
            one.save(self.out)
        text = json.dumps(self.facts(), indent=1) + '\n'
        (self.out / FACTS).write_text(text, encoding='utf-8')

    def side_by_side(self, stop: Callable[[], bool], save_every_s: float) -> None:
        """Train all rows on each batch in turn until the budget is spent or `stop` says so."""
        self._train(self.trainees, stop, save_every_s)

    def in_turn(self, stop: Callable[[], bool], save_every_s: float) -> None:
        """Train one row after another.

        Raises:
            ValueError: The budget is of seconds, which would give each row other windows.

        """
        if self.budget.windows == 0:
            raise ValueError('rows in turn need a budget of windows: seconds give each row others')
        for one in self.trainees:
            if not stop():
                self._train([one], stop, save_every_s)

    def _train(
        self, trainees: Sequence[Trainee], stop: Callable[[], bool], save_every_s: float
    ) -> None:
        source = BatchSource(self._faces, self._shared)
        begin = saved = time.monotonic()
        before = self.elapsed
        told = begin
        while not stop():
            # A kill between two checkpoints leaves some rows ahead.
            step = min(one.step for one in trainees)
            windows = min(one.windows for one in trainees)
            progress = self.budget.progress(windows, self.elapsed)
            if progress >= 1.0:
                break
            batch, _ = source.take(step, 0)
            for one in trainees:
                if one.step == step:
                    one.train(batch, progress)
            now = time.monotonic()
            self.elapsed = before + now - begin
            if now - told > TELL_EVERY_S:
                told = now
                print(self._brief(trainees), flush=True)
            if now - saved > save_every_s:
                self.save(trainees)
                saved = now
        source.close()
        self.save(trainees)
        print(self._brief(trainees), flush=True)

    def _brief(self, trainees: Sequence[Trainee]) -> str:
        names = trainees[0].row.name if len(trainees) == 1 else f'{len(trainees)} rows'
        windows = min(one.windows for one in trainees)
        share = self.budget.progress(windows, self.elapsed)
        return f'{names}: {100 * share:.1f}% after {windows} windows each, {self.elapsed:.0f} s'


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == 'cuda' else str(device)
