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

"""Chooses the number of CPU threads of a network by measurement.

More threads are not always faster: two hardware threads of one core add little for dense
arithmetic, and a small network leaves little work for each of many. Other processes that are busy
at the same time, such as all the nodes of a robot that is starting, must not decide: the choice
holds until the node is configured again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

#: Function that runs a network once, with some number of threads.
Run = Callable[[], object]

#: Share of the time that a larger number of threads must save to be worth the cores that it takes.
WORTH = 0.1

#: Time in seconds after which no further round is begun, and bounds of the number of rounds.
BUDGET_S, LEAST_ROUNDS, MOST_ROUNDS = 0.4, 3, 9

#: Share by which a run with one thread may be longer than its CPU time without counting as
#: disturbed by other processes. With four times as many busy processes as cores it was above 1.5.
DISTURBED = 0.15

#: Least ratio of CPU time to duration of a run with the most threads. With two threads it was 1.4
#: to 1.8 on two nearly free cores, and 1.0 where another process kept the second core busy.
AT_ONCE = 1.2

#: Time in seconds for which rounds that are not disturbed are waited for.
PATIENCE_S = 2.0

#: Share of CPU time by which a larger number of threads may be above one thread, where CPU time
#: must decide. With two threads on two cores it was 0.01 to 0.03 above; threads that share a core
#: need more, since each is slower.
EXTRA_CPU = 0.15


@dataclass(frozen=True)
class ThreadChoice:
    """Number of threads, and why.

    Attributes:
        threads: Number of threads, 1 or above; 0 if the engine decides.
        reason: Sentence that says how the number was chosen.

    """

    threads: int
    reason: str


def thread_counts(cores: int | None = None, lanes: int = 1) -> tuple[int, ...]:
    """Return the numbers of threads that are worth trying: 1, 2, 4 and so on, and all cores.

    Args:
        cores: Number of cores; None for those that this process may use.
        lanes: Number of restorations that run at once and share the cores.

    """
    if cores is None:
        # Not on all systems; where it is missing, a process may use all cores.
        allowed = getattr(os, 'sched_getaffinity', None)
        cores = len(allowed(0)) if allowed is not None else os.cpu_count() or 1
    # Beyond 16 threads a crop of 256 x 256 pixels leaves too little work for each.
    most = max(1, min(cores // lanes, 16))
    counts = [1]
    while 2 * counts[-1] < most:
        counts.append(2 * counts[-1])
    return tuple(counts) if most == 1 else (*counts, most)


def at_once(runs: Sequence[Run]) -> Run:
    """Return a run that starts all of the given ones at once and waits for the last.

    What counts with several lanes is the time of a cycle while each of them has one.
    """
    if len(runs) == 1:
        return runs[0]

    def run() -> None:
        with ThreadPoolExecutor(len(runs)) as pool:
            for started in [pool.submit(each) for each in runs]:
                started.result()

    return run


def choose_threads(
    runs: Sequence[tuple[int, Run]],
    clock: Callable[[], float] = time.perf_counter,
    cpu_clock: Callable[[], float] = time.process_time,
    lanes: int = 1,
) -> ThreadChoice:
    """Measure a network with several numbers of threads in turns, and choose one.

    The shortest time of each number counts, out of the rounds that other processes did not disturb.
    If there are too few of those, because the machine stays busy, CPU time decides: threads that
    need no more of it than one thread do their share of the work once there are cores for them.

    Args:
        runs: Numbers of threads, ascending, each with a function that runs the network once with
            so many; all of them are warm.
        clock: Clock in seconds.
        cpu_clock: Clock of the CPU time of all threads of this process, in seconds.
        lanes: Number of restorations that each function runs at once.

    Returns:
        Smallest number for which no larger one is faster by `WORTH` and more. On a machine that
        stays busy, the largest number whose CPU time is at most `EXTRA_CPU` above that of one.

    """
    if len(runs) == 1:
        reason = 'the process may use one core'
        if lanes > 1:
            reason = f'{lanes} frames are restored at once, and there is one core for each or less'
        return ThreadChoice(runs[0][0], reason)
    rounds: list[_Round] = []
    beside = f' while {lanes} run at once' if lanes > 1 else ''
    start = clock()
    while len(rounds) < LEAST_ROUNDS or clock() - start <= PATIENCE_S:
        free = [each for each in rounds if not each.disturbed]
        if len(free) >= LEAST_ROUNDS and (len(rounds) >= MOST_ROUNDS or clock() - start > BUDGET_S):
            break
        rounds.append(_Round(runs, clock, cpu_clock, lanes))
    free = [each for each in rounds if not each.disturbed]
    if len(free) >= LEAST_ROUNDS:
        shortest = {n: min(each.wall_s[n] for each in free) for n, _ in runs}
        chosen = runs[0][0]
        for threads, _ in runs[1:]:
            if shortest[threads] < (1.0 - WORTH) * shortest[chosen]:
                chosen = threads
        return ThreadChoice(
            chosen, f'measured at configure: a cycle takes {_figures(shortest, "ms")}{beside}'
        )
    least = {n: min(each.cpu_s[n] for each in rounds) for n, _ in runs}
    limit = (1.0 + EXTRA_CPU) * least[runs[0][0]]
    chosen = max(threads for threads, cpu_s in least.items() if cpu_s <= limit)
    return ThreadChoice(
        chosen,
        'measured at configure while other processes kept the machine busy: a cycle takes'
        f' {_figures(least, "ms of CPU time")}{beside}',
    )


class _Round:
    """One run with each number of threads.

    Attributes:
        wall_s: Seconds of each run by number of threads.
        cpu_s: Seconds of CPU time of each run by number of threads.

    """

    def __init__(
        self,
        runs: Sequence[tuple[int, Run]],
        clock: Callable[[], float],
        cpu_clock: Callable[[], float],
        lanes: int,
    ) -> None:
        self._lanes = lanes
        self.wall_s: dict[int, float] = {}
        self.cpu_s: dict[int, float] = {}
        for threads, run in runs:
            began, cpu_began = clock(), cpu_clock()
            run()
            self.wall_s[threads] = clock() - began
            self.cpu_s[threads] = cpu_clock() - cpu_began

    @property
    def disturbed(self) -> bool:
        """Whether a run had to wait for its cores: that with one thread, or that with the most."""
        fewest, most = min(self.wall_s), max(self.wall_s)
        waited = self.wall_s[fewest] * self._lanes > (1.0 + DISTURBED) * self.cpu_s[fewest]
        return waited or self.cpu_s[most] < AT_ONCE * self._lanes * self.wall_s[most]


def _figures(seconds: Mapping[int, float], unit: str) -> str:
    return ', '.join(f'{1e3 * value:.0f} {unit} with {n}' for n, value in seconds.items())
