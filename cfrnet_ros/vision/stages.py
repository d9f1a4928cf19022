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

"""Stages of a frame, and the clock that times them.

A new stage is one more member of `Stage`: its position defines the order, its value the name in
diagnostics (`latency/<name>/...`), in `~/frame/status` and in the replay's tables.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType


class Stage(Enum):
    """Stages in the order in which a frame passes them; the value is the published name."""

    #: Time from the arrival of the message until a thread of the worker takes it.
    WAIT = 'wait'
    DECODE = 'decode'
    DETECT = 'detect'
    TRACK = 'track'
    ALIGN = 'align'
    #: Measuring faces, before and after restoration.
    QUALITY = 'quality'
    #: Averaging the crops over time, if `fusion` is above 0.
    FUSE = 'fuse'
    # There are `MAX_CYCLES` of these; each is the sum over the faces.
    RESTORE_CYCLE_1 = 'restore_cycle_1'
    RESTORE_CYCLE_2 = 'restore_cycle_2'
    RESTORE_CYCLE_3 = 'restore_cycle_3'
    RESTORE_CYCLE_4 = 'restore_cycle_4'
    RESTORE_CYCLE_5 = 'restore_cycle_5'
    RESTORE_CYCLE_6 = 'restore_cycle_6'
    RESTORE_CYCLE_7 = 'restore_cycle_7'
    RESTORE_CYCLE_8 = 'restore_cycle_8'
    #: Refining the crops at their full size, if `fine_stage` is on.
    FINE = 'fine'
    IDENTITY = 'identity'
    #: Measuring the eyes before and after restoration, if `eye_guard` is not off.
    EYES = 'eyes'
    #: Waiting for the frames before, where several frames are restored at once.
    ORDER = 'order'
    SMOOTH = 'smooth'
    #: Blending the restored faces into the frame, while there is a subscriber.
    BLEND = 'blend'
    #: Drawing the debug view, while there is a subscriber.
    DEBUG = 'debug'
    PUBLISH = 'publish'
    #: Time from the arrival of the message until the last message is sent.
    TOTAL = 'total'
    #: Time from the header's stamp until the crops are sent, by the node's clock.
    AGE = 'age'

    # Members are unique, so that their identity is a hash; that of Enum is computed in Python, and
    # each frame looks stages up some hundred times.
    __hash__ = object.__hash__

    @property
    def in_total(self) -> bool:
        """Whether the time of this stage is part of TOTAL."""
        return self not in _NOT_IN_TOTAL


_STAGES = tuple(Stage)
_NOT_IN_TOTAL = (Stage.TOTAL, Stage.AGE)

#: Stages of the restorer's cycles, the first cycle first.
RESTORE_CYCLES: tuple[Stage, ...] = tuple(
    stage for stage in Stage if stage.value.startswith('restore_cycle_')
)


@dataclass(frozen=True)
class Span:
    """One stretch of time that was spent on a stage.

    Attributes:
        stage: Stage that took the time.
        start_s: Start in seconds, by `time.perf_counter`.
        ms: Length in milliseconds.

    """

    stage: Stage
    start_s: float
    ms: float


def ms_since(moment_s: float) -> float:
    """Return the milliseconds since a time of `time.perf_counter`."""
    return (time.perf_counter() - moment_s) * 1e3


class StageClock:
    """Adds up the wall times of one frame by stage: `with clock(Stage.DETECT): ...`.

    Not thread-safe.
    """

    def __init__(self) -> None:
        """Start the clock."""
        self._started_s = time.perf_counter()
        self._ms: dict[Stage, float] = {}
        self._spans: list[Span] = []

    @contextmanager
    def __call__(self, stage: Stage) -> Iterator[None]:
        """Add the time of a block to a stage; a block that raises is not counted."""
        started_s = time.perf_counter()
        yield
        self.add_since(stage, started_s)

    def add_since(self, stage: Stage, start_s: float) -> None:
        """Add the time from a moment until now, in seconds by `time.perf_counter`, to a stage."""
        self._add_span(Span(stage, start_s, ms_since(start_s)))

    def add(self, stage: Stage, ms: float) -> None:
        """Add a time that was measured elsewhere, in milliseconds."""
        self._ms[stage] = self._ms.get(stage, 0.0) + ms

    def add_cycles(self, cycle_ms: Sequence[float], starts_s: Sequence[float] = ()) -> None:
        """Add the times of one face's cycles, the first cycle first.

        Args:
            cycle_ms: Milliseconds of each cycle.
            starts_s: Start of each cycle in seconds by `time.perf_counter`; without them the
                cycles count, but have no `spans`.

        """
        for index, ms in enumerate(cycle_ms):
            if starts_s:
                self._add_span(Span(RESTORE_CYCLES[index], starts_s[index], ms))
            else:
                self.add(RESTORE_CYCLES[index], ms)

    def _add_span(self, span: Span) -> None:
        self._spans.append(span)
        self.add(span.stage, span.ms)

    @property
    def started_s(self) -> float:
        """Time at which the clock was started, in seconds by `time.perf_counter`."""
        return self._started_s

    @property
    def spans(self) -> tuple[Span, ...]:
        """Stretches of time whose start is known, in the order in which they ended."""
        return tuple(self._spans)

    @property
    def elapsed_ms(self) -> float:
        """Milliseconds since the clock was started, including time that no stage covers."""
        return ms_since(self._started_s)

    @property
    def parts_ms(self) -> float:
        """Sum of the stages so far that are a part of TOTAL, in milliseconds."""
        return sum(ms for stage, ms in self._ms.items() if stage not in _NOT_IN_TOTAL)

    @property
    def stages_ms(self) -> Mapping[Stage, float]:
        """Copy of the times so far in milliseconds, in order, for the stages that ran."""
        return MappingProxyType({stage: self._ms[stage] for stage in _STAGES if stage in self._ms})
