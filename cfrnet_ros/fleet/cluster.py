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

"""Runs jobs on the processes of a Dask cluster: that of this machine, or an existing one."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import dask
from distributed import Client, Future, LocalCluster, as_completed
from distributed.scheduler import KilledWorker

from cfrnet_ros.fleet.outcome import Outcome
from cfrnet_ros.fleet.plan import Job

#: What a worker runs for each job.
Work = Callable[[Job], Outcome]

DIED = (
    'the process that restored it ended: out of memory, or a crash in a codec or driver; the'
    " worker's log may tell more"
)


class ClusterError(Exception):
    """The cluster cannot be reached; the text names cause and remedy."""


@contextmanager
def connect(scheduler: str, workers: int) -> Iterator[Client]:
    """Connect to a cluster, or start one on this machine.

    Args:
        scheduler: Address of the scheduler of an existing cluster, such as tcp://host:8786; '' to
            start processes on this machine.
        workers: Number of processes on this machine.

    Yields:
        Client of the cluster.

    Raises:
        ClusterError: The scheduler does not answer.

    """
    # A recording that ends its worker fails at once, instead of ending four workers.
    settings = {'distributed.scheduler.allowed-failures': 0, 'distributed.worker.daemon': True}
    with dask.config.set(settings):
        if not scheduler:
            with (
                LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address=None,
                    silence_logs=logging.CRITICAL,
                ) as cluster,
                Client(cluster) as client,
            ):
                yield client
            return
        try:
            client = Client(scheduler, timeout='10s')
        except (OSError, TimeoutError, ValueError) as error:
            raise ClusterError(
                f'no scheduler answers at {scheduler} ({error or type(error).__name__}); start one'
                ' by `dask scheduler`, and name the address that it prints'
            ) from error
        with client:
            yield client


def run_jobs(client: Client, jobs: Sequence[Job], work: Work) -> Iterator[Outcome]:
    """Run jobs on all workers, and yield each outcome as it comes.

    Not more jobs than there are threads of workers are handed out, so that a worker that dies takes
    one job with it, and workers that join later get theirs.

    Args:
        client: Client of the cluster.
        jobs: Jobs.
        work: Function that a worker calls with each job.

    Yields:
        Outcome of each job. If the worker's process ended, that is the error of its job alone.

    """
    waiting = deque(jobs)
    names: dict[str, Job] = {}
    running = as_completed()

    def hand_out() -> None:
        room = max(1, sum(client.nthreads().values())) - len(names)
        for _ in range(min(room, len(waiting))):
            job = waiting.popleft()
            future = client.submit(work, job, pure=False, retries=0)
            names[future.key] = job
            running.add(future)

    hand_out()
    for future in running:
        yield _outcome(future, names.pop(future.key))
        future.release()
        hand_out()


def _outcome(future: Future, job: Job) -> Outcome:
    try:
        outcome = future.result()
    except KilledWorker:
        return Outcome(job.source, str(job.target), DIED)
    except Exception as error:
        return Outcome(job.source, str(job.target), f'{type(error).__name__}: {error}')
    return outcome if isinstance(outcome, Outcome) else Outcome(**outcome)
