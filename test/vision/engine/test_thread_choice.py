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

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import chain

import pytest

from cfrnet_ros.vision.engine.thread_choice import (
    BUDGET_S,
    LEAST_ROUNDS,
    MOST_ROUNDS,
    PATIENCE_S,
    Run,
    ThreadChoice,
    at_once,
    choose_threads,
    thread_counts,
)


class Machine:
    """Clocks that only the runs advance."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.cpu_s = 0.0
        self.runs = 0

    def taking(self, seconds: Iterable[float], cpu_s: float | None = None) -> Run:
        """Return a run that takes these times, and as much CPU time if nothing else is said."""
        durations = iter(seconds)

        def run() -> None:
            duration = next(durations)
            self.now_s += duration
            self.cpu_s += duration if cpu_s is None else cpu_s
            self.runs += 1

        return run

    def choose(self, runs: Sequence[tuple[int, Run]], lanes: int = 1) -> ThreadChoice:
        return choose_threads(runs, lambda: self.now_s, lambda: self.cpu_s, lanes)


def always(seconds: float) -> Iterable[float]:
    while True:
        yield seconds


@pytest.mark.parametrize(
    ('ms', 'expected'),
    [
        ({1: 20.0, 2: 11.0}, 2),
        ({1: 20.0, 2: 19.0}, 1),
        ({1: 20.0, 2: 24.0}, 1),
        ({1: 40.0, 2: 21.0, 4: 12.0, 8: 11.6}, 4),
        ({1: 40.0, 2: 38.0, 4: 12.0}, 4),
    ],
    ids=['two are faster', 'two save too little', 'two wait for each other', 'eight', 'only four'],
)
def test_smallest_number_of_threads_that_is_about_as_fast_as_any(
    ms: dict[int, float], expected: int
) -> None:
    machine = Machine()
    runs = [(n, machine.taking(always(value / 1e3), n * value / 1e3)) for n, value in ms.items()]
    chosen = machine.choose(runs)
    assert chosen.threads == expected
    for threads, value in ms.items():
        assert f'{value:.0f} ms with {threads}' in chosen.reason


@pytest.mark.parametrize('slow', [1, 2], ids=['of one thread', 'of two threads'])
def test_runs_that_other_processes_delay_do_not_decide(slow: int) -> None:
    machine = Machine()
    times = {1: 0.02, 2: 0.012}
    runs = []
    for threads, seconds in times.items():
        delayed = [seconds, 0.5, 0.4] if threads == slow else []
        durations = chain(delayed, always(seconds))
        runs.append((threads, machine.taking(durations, cpu_s=0.02)))
    assert machine.choose(runs).threads == 2


def test_the_measurement_waits_until_other_processes_leave_the_cores() -> None:
    machine = Machine()
    busy_rounds = 15
    one = chain([0.05] * busy_rounds, always(0.02))
    two = chain([0.05] * busy_rounds, always(0.019))
    runs = [(1, machine.taking(one, cpu_s=0.02)), (2, machine.taking(two, cpu_s=0.036))]
    chosen = machine.choose(runs)
    assert chosen.threads == 1
    assert chosen.reason == 'measured at configure: a cycle takes 20 ms with 1, 19 ms with 2'


def test_a_second_core_that_another_process_keeps_busy_does_not_speak_against_two_threads() -> None:
    machine = Machine()
    runs = [(n, machine.taking(always(0.025), cpu_s=0.025)) for n in (1, 2)]
    assert machine.choose(runs).threads == 2


@pytest.mark.parametrize(
    ('cpu_ms', 'expected'),
    [({1: 20.0, 2: 20.5, 4: 21.0}, 4), ({1: 20.0, 2: 20.5, 4: 34.0}, 2), ({1: 20.0, 2: 30.0}, 1)],
    ids=['four cores', 'two cores of two threads each', 'one core of two threads'],
)
def test_on_a_machine_that_stays_busy_cpu_time_decides(
    cpu_ms: dict[int, float], expected: int
) -> None:
    machine = Machine()
    runs = [(n, machine.taking(always(0.08), cpu_s=ms / 1e3)) for n, ms in cpu_ms.items()]
    chosen = machine.choose(runs)
    assert chosen.threads == expected
    assert 'busy' in chosen.reason
    assert machine.now_s <= PATIENCE_S + len(runs) * 0.08 + 1e-9


@pytest.mark.parametrize('seconds', [0.001, 0.05, 2.0])
def test_measurement_is_bounded(seconds: float) -> None:
    machine = Machine()
    machine.choose([(n, machine.taking(always(seconds), n * seconds)) for n in (1, 2)])
    assert 2 * LEAST_ROUNDS <= machine.runs <= 2 * MOST_ROUNDS
    assert machine.now_s <= max(2 * LEAST_ROUNDS * seconds, BUDGET_S + 2 * seconds) + 1e-9


def test_one_core_needs_no_measurement() -> None:
    machine = Machine()
    chosen = machine.choose([(1, machine.taking(()))])
    assert (chosen.threads, machine.runs) == (1, 0)


@pytest.mark.parametrize(
    ('cores', 'expected'),
    [(1, (1,)), (2, (1, 2)), (4, (1, 2, 4)), (6, (1, 2, 4, 6)), (64, (1, 2, 4, 8, 16))],
)
def test_counts_that_are_tried(cores: int, expected: tuple[int, ...]) -> None:
    assert thread_counts(cores) == expected


def test_counts_of_this_machine_begin_with_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    affinity: Callable[[int], set[int]] = lambda _: {3, 5, 7}  # noqa: E731
    monkeypatch.setattr('os.sched_getaffinity', affinity)
    assert thread_counts() == (1, 2, 3)


@pytest.mark.parametrize(
    ('cores', 'lanes', 'expected'),
    [(2, 2, (1,)), (4, 2, (1, 2)), (8, 3, (1, 2)), (1, 8, (1,)), (64, 2, (1, 2, 4, 8, 16))],
)
def test_lanes_share_the_cores(cores: int, lanes: int, expected: tuple[int, ...]) -> None:
    assert thread_counts(cores, lanes) == expected


def test_reason_says_that_several_frames_are_restored_at_once() -> None:
    machine = Machine()
    alone = machine.choose([(1, machine.taking(()))], lanes=2)
    assert '2 frames are restored at once' in alone.reason
    # Both lanes compute for as long as the run takes.
    runs = [
        (1, machine.taking(always(0.02), cpu_s=0.04)),
        (2, machine.taking(always(0.01), cpu_s=0.04)),
    ]
    chosen = machine.choose(runs, lanes=2)
    assert chosen.reason.endswith('20 ms with 1, 10 ms with 2 while 2 run at once')


def test_one_of_two_lanes_that_waits_for_its_core_is_noticed() -> None:
    machine = Machine()
    # 20 ms of CPU time in each lane; in the first rounds both share a core.
    one = chain([0.04] * 15, always(0.02))
    two = chain([0.04] * 15, always(0.019))
    runs = [(1, machine.taking(one, cpu_s=0.04)), (2, machine.taking(two, cpu_s=0.06))]
    assert '20 ms with 1, 19 ms with 2' in machine.choose(runs, lanes=2).reason


def test_runs_at_once_meet_and_pass_on_what_one_of_them_raises() -> None:
    meeting = threading.Barrier(3)
    at_once([lambda: meeting.wait(30)] * 3)()

    def broken() -> None:
        raise ValueError('broken')

    with pytest.raises(ValueError, match='broken'):
        at_once([broken, lambda: None])()
