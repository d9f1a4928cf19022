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

"""Replays for the tests of the replay."""

from __future__ import annotations

import fcntl
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ros_domains import next_domain

from cfrnet_ros.replay.plan import ReplayLog, ReplayPlan
from cfrnet_ros.replay.results import Results, write_results
from cfrnet_ros.replay.session import run_replay
from demo.bag_frames import IMAGE_TOPIC, TRUTH_TOPIC

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Played:
    """A replay of a case, with its results."""

    log: ReplayLog
    results: Results

    @property
    def out(self) -> Path:
        """Folder with the results."""
        return self.log.plan.out


def play(bag: Path, out: Path, truth_topic: str | None = TRUTH_TOPIC, **plan: Any) -> Played:
    """Replay a bag deterministically, with two cycles by default."""
    os.environ['ROS_DOMAIN_ID'] = str(next_domain())
    given: dict[str, Any] = {'cycles': (2,), 'deterministic': True, 'answer_timeout_s': 120.0}
    log = run_replay(ReplayPlan(bag, out, topic=IMAGE_TOPIC, **{**given, **plan}))
    return Played(log, write_results(log, truth_topic))


@dataclass(frozen=True)
class Command:
    """A finished run of the command line.

    Attributes:
        args: Arguments of `cfrnet-replay`.
        out: Folder with the results.
        stdout: Text that the command printed.

    """

    args: list[str]
    out: Path
    stdout: str


def run_command(bag: Path, out: Path) -> Command:
    """Replay a bag with one and two cycles with the command line, in a process of its own.

    Fast DDS uses the transports that the command chooses for users, not those of the tests.
    """
    # The cycles are given before the bag, with commas.
    args = ['--cycles', '1,2', str(bag), '--topic', IMAGE_TOPIC, '--deterministic']
    args += ['--truth-topic', TRUTH_TOPIC, '--out', str(out), '--answer-timeout', '120']
    environment = {k: v for k, v in os.environ.items() if not k.startswith('FASTDDS_')}
    environment['ROS_DOMAIN_ID'] = str(next_domain())
    done = subprocess.run(
        [sys.executable, '-m', 'cfrnet_ros.replay', *args],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return Command(args, out, done.stdout)


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """Return a folder of this pytest run, which is the same in every worker."""
    own = factory.getbasetemp()
    root = own.parent if 'PYTEST_XDIST_WORKER' in os.environ else own
    folder = root / 'shared'
    folder.mkdir(exist_ok=True)
    return folder


def made_once(path: Path, make: Callable[[Path], Any]) -> Any:
    """Return what `make` returns for a path; other workers wait for it and read a copy.

    Args:
        path: Folder that `make` fills. The lock and the result lie beside it.
        make: Called by the first worker that asks; what it returns can be pickled.

    """
    result = path.with_name(f'{path.name}.pickle')
    with path.with_name(f'{path.name}.lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not result.exists():
            made = make(path)
            result.write_bytes(pickle.dumps(made))
            return made
    return pickle.loads(result.read_bytes())
