"""Replays for the tests of the replay."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ros_domains import next_domain

from cfrnet_ros.replay.plan import ReplayLog, ReplayPlan
from cfrnet_ros.replay.results import Results, write_results
from cfrnet_ros.replay.session import run_replay
from demo.bag_frames import IMAGE_TOPIC, TRUTH_TOPIC


@dataclass(frozen=True)
class Played:
    """A replay of a case, with its results."""

    log: ReplayLog
    results: Results

    @property
    def out(self) -> Path:
        """Folder with the results."""
        return self.log.plan.out


def play(bag: Path, out: Path, **plan: Any) -> Played:
    """Replay a bag deterministically, with two cycles by default."""
    os.environ['ROS_DOMAIN_ID'] = str(next_domain())
    given: dict[str, Any] = {'cycles': (2,), 'deterministic': True, 'answer_timeout_s': 120.0}
    log = run_replay(ReplayPlan(bag, out, topic=IMAGE_TOPIC, **{**given, **plan}))
    return Played(log, write_results(log, TRUTH_TOPIC))
