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

"""The log of a run: CSV files that any tool reads, and TensorBoard's events beside them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, TextIO

#: Steps between two rows; the values are running means over about as many.
EVERY = 50


class RunLog:
    """Writes ``train.csv`` (long form: step, seconds, name, value), ``validation.csv`` and events.

    The long form lets terms come and go with the stages of a run. Sentences go to ``notes.txt``.
    """

    def __init__(self, folder: Path, events: bool = True) -> None:
        """Go on with the files in a run's folder, or begin them.

        Args:
            folder: Folder of the run.
            events: Whether to write TensorBoard's events, which need its package.

        """
        self._train: TextIO = (folder / 'train.csv').open('a', newline='', encoding='utf-8')
        self._validation: TextIO = (folder / 'validation.csv').open(
            'a', newline='', encoding='utf-8'
        )
        self._notes: TextIO = (folder / 'notes.txt').open('a', encoding='utf-8')
        self._events: Any = None
        if events:
            from torch.utils.tensorboard import SummaryWriter

            self._events = SummaryWriter(str(folder))
        self._means: dict[str, float] = {}
        self._written = -1
        for stream in (self._train, self._validation):
            if stream.tell() == 0:
                csv.writer(stream).writerow(['step', 'seconds', 'name', 'value'])

    def step(self, step: int, seconds: float, terms: dict[str, float]) -> None:
        """Take in one step's terms; now and then write their running means."""
        for name, value in terms.items():
            self._means[name] = 0.98 * self._means.get(name, value) + 0.02 * value
        if step % EVERY == 0:
            self.means(step, seconds)
            # What a stage has switched off must not be written for ever after.
            self._means = {n: v for n, v in self._means.items() if n in terms or n[0] == 'k'}

    def means(self, step: int, seconds: float) -> None:
        """Write the running means of a step, unless they are written already."""
        if step != self._written:
            self._write(self._train, 'train', step, seconds, self._means)
            self._written = step

    def validation(self, step: int, seconds: float, figures: dict[str, float]) -> None:
        """Write one validation."""
        self._write(self._validation, 'validation', step, seconds, figures)

    def note(self, step: int, seconds: float, text: str) -> None:
        """Write a sentence about the run, such as what it computes on."""
        self._notes.write(f'step {step}, {seconds:.0f} s: {text}\n')
        self._notes.flush()
        if self._events is not None:
            self._events.add_text('notes', text, step)

    def brief(self) -> dict[str, str]:
        """Return what the progress bar shows."""
        return {'loss': f'{self._means.get("loss", 0.0):.4f}'}

    def _write(
        self, stream: TextIO, group: str, step: int, seconds: float, values: dict[str, float]
    ) -> None:
        writer = csv.writer(stream)
        for name, value in values.items():
            writer.writerow([step, round(seconds), name, f'{value:.6g}'])
            if self._events is not None:
                self._events.add_scalar(f'{group}/{name}', value, step)
        stream.flush()

    def close(self) -> None:
        """Close the files."""
        self._train.close()
        self._validation.close()
        self._notes.close()
        if self._events is not None:
            self._events.close()
