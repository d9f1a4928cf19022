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

"""Account of a run, printed at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from cfrnet_ros.vision.types import RestoredFace


@dataclass
class Summary:
    """What was done.

    Attributes:
        written: Number of results by kind of input.
        restored: Number of restored faces in pictures, and of restored faces in frames of videos.
        refused: Number of faces that were left as they were, by reason.
        faceless: Inputs without any face.
        skipped: Number of inputs whose results were there already.
        failures: Inputs that failed, with the reason.
        notes: Inputs and what was lost in them.

    """

    written: Counter[str] = field(default_factory=Counter)
    restored: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    faceless: list[str] = field(default_factory=list)
    skipped: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)

    def add_faces(self, faces: Sequence[RestoredFace]) -> None:
        """Count the faces of a picture or frame."""
        for face in faces:
            if face.restored:
                self.restored += 1
            else:
                self.refused[face.reason] += 1

    def lines(self) -> list[str]:
        """Return the lines of the summary, without the failures."""
        done = ', '.join(_number(n, kind) for kind, n in sorted(self.written.items())) or 'nothing'
        lines = [f'written: {done}; faces restored: {self.restored}']
        if self.refused:
            reasons = ', '.join(f'{n} {reason}' for reason, n in sorted(self.refused.items()))
            lines.append(f'faces left as they were: {reasons}')
        if self.skipped:
            lines.append(
                f'skipped: {self.skipped}, since their results are there (--overwrite makes them'
                ' again)'
            )
        lines += [f'no face: {name}' for name in self.faceless]
        lines += [f'note: {name}: {text}' for name, text in self.notes]
        return lines

    def failure_lines(self) -> list[str]:
        """Return one line for each input that failed."""
        return [f'failed: {name}: {text}' for name, text in self.failures]


def _number(number: int, noun: str) -> str:
    return f'{number} {noun}' if number == 1 else f'{number} {noun}s'
