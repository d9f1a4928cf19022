"""Replays for the tests of this room."""

from __future__ import annotations

import fcntl
import os
import pickle
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


@dataclass(frozen=True)
class Played:
    """A case that was replayed."""

    log: ReplayLog
    results: Results

    @property
    def out(self) -> Path:
        """The folder with everything."""
        return self.log.plan.out


def play(bag: Path, out: Path, **plan: Any) -> Played:
    """Replay a bag of this room deterministically, with two cycles unless told otherwise."""
    os.environ['ROS_DOMAIN_ID'] = str(next_domain())
    given: dict[str, Any] = {'cycles': (2,), 'deterministic': True, 'answer_timeout_s': 120.0}
    log = run_replay(ReplayPlan(bag, out, topic=IMAGE_TOPIC, **{**given, **plan}))
    return Played(log, write_results(log, TRUTH_TOPIC))


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """Return a folder of this run of pytest, the same one in every worker."""
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
