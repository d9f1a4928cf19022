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

More threads are not always faster: on a busy machine they wait for each other, and two hardware
threads of one core add little for dense arithmetic.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median

#: Function that runs a network once, with some number of threads.
Run = Callable[[], object]

#: Share of the time that a larger number of threads must save to be worth the cores that it takes.
WORTH = 0.1

#: Time in seconds after which no further round is begun, and bounds of the number of rounds.
BUDGET_S, LEAST_ROUNDS, MOST_ROUNDS = 0.4, 3, 9


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
    lanes: int = 1,
) -> ThreadChoice:
    """Measure a network with several numbers of threads in turns, and choose one.

    Args:
        runs: Numbers of threads, ascending, each with a function that runs the network once with
            so many; all of them are warm.
        clock: Clock in seconds.
        lanes: Number of restorations that each function runs at once, for the reason.

    Returns:
        Smallest number for which no larger one is faster by `WORTH` and more.

    """
    if len(runs) == 1:
        reason = 'the process may use one core'
        if lanes > 1:
            reason = f'{lanes} frames are restored at once, and there is one core for each or less'
        return ThreadChoice(runs[0][0], reason)
    times: dict[int, list[float]] = {threads: [] for threads, _ in runs}
    start = clock()
    for number in range(MOST_ROUNDS):
        if number >= LEAST_ROUNDS and clock() - start > BUDGET_S:
            break
        for threads, run in runs:
            began = clock()
            run()
            times[threads].append(clock() - began)
    # The median: what other processes take away belongs to the answer, a single hiccup does not.
    typical = {threads: median(values) for threads, values in times.items()}
    chosen = runs[0][0]
    for threads, _ in runs[1:]:
        if typical[threads] < (1.0 - WORTH) * typical[chosen]:
            chosen = threads
    figures = ', '.join(f'{1e3 * value:.0f} ms with {n}' for n, value in typical.items())
    beside = f' while {lanes} run at once' if lanes > 1 else ''
    return ThreadChoice(chosen, f'measured at configure: a cycle takes {figures}{beside}')
