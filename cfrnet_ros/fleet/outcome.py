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

"""What became of one recording, and the account of all of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

#: Name of the file in the folder of the results with one line for each recording that was tried.
JOURNAL = 'fleet.jsonl'


@dataclass
class Counts:
    """Counts of one recording.

    Attributes:
        frames: Number of frames that were processed.
        rejected: Number of images that could not be decoded.
        faces: Number of restored faces in all frames.
        media_s: Length of the recording in seconds, summed over its cameras.

    """

    frames: int = 0
    rejected: int = 0
    faces: int = 0
    media_s: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What became of one recording.

    Attributes:
        source: Path of the recording.
        target: Path of the result.
        error: Reason of a failure; '' if the result is there.
        notes: Sentences on what was lost.
        counts: Counts of the recording.
        cpu_s: Processor seconds of the process that restored it.
        wall_s: Seconds that it took.
        host: Name of the machine.

    """

    source: str
    target: str
    error: str = ''
    notes: tuple[str, ...] = ()
    counts: Counts = field(default_factory=Counts)
    cpu_s: float = 0.0
    wall_s: float = 0.0
    host: str = ''

    def write(self, journal: Path) -> None:
        """Append the outcome to a file as one line of JSON."""
        with journal.open('a', encoding='utf-8') as file:
            file.write(json.dumps(asdict(self)) + '\n')


@dataclass
class Account:
    """Account of a run.

    Attributes:
        done: Outcomes of recordings whose results are there.
        failed: Outcomes of recordings that failed.
        skipped: Number of recordings whose results were there before.

    """

    done: list[Outcome] = field(default_factory=list)
    failed: list[Outcome] = field(default_factory=list)
    skipped: int = 0

    def add(self, outcome: Outcome) -> None:
        """Add the outcome of a recording."""
        (self.failed if outcome.error else self.done).append(outcome)

    def lines(self) -> list[str]:
        """Return the lines of the summary, without the failures."""
        frames = sum(each.counts.frames for each in self.done)
        faces = sum(each.counts.faces for each in self.done)
        rejected = sum(each.counts.rejected for each in self.done)
        lines = [
            f'restored: {len(self.done)} recordings, {frames} frames, {faces} faces;'
            f' failed: {len(self.failed)}'
        ]
        if rejected:
            lines.append(f'images that could not be decoded: {rejected}')
        if self.skipped:
            lines.append(f'skipped: {self.skipped}, since their results are there')
        media_s = sum(each.counts.media_s for each in self.done)
        cpu_s = sum(each.cpu_s for each in self.done)
        if media_s > 0 and cpu_s > 0:
            lines.append(
                f'{media_s / 3600:.2f} hours of recording took {cpu_s / 3600:.2f} core hours: a'
                f' thousand hours like these take about {1000 * cpu_s / media_s:.0f} core hours'
            )
        lines += [f'note: {each.source}: {text}' for each in self.done for text in each.notes]
        return lines

    def failure_lines(self) -> list[str]:
        """Return one line for each recording that failed."""
        return [f'failed: {each.source}: {each.error}' for each in self.failed]


def read_journal(journal: Path) -> Iterable[Outcome]:
    """Yield the outcomes of a journal; a last line that was cut off by a crash is left out.

    Args:
        journal: Path of the file; there are no outcomes if it does not exist.

    """
    if not journal.exists():
        return
    for line in journal.read_text(encoding='utf-8').splitlines():
        try:
            values = json.loads(line)
            counts = Counts(**values.pop('counts'))
            yield Outcome(**{**values, 'notes': tuple(values['notes']), 'counts': counts})
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
