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

"""A ROS domain is claimed by one process only, and never if it has participants."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import rclpy
from rclpy.context import Context
from ros_domains import next_domain

from cfrnet_ros.replay.errors import NoDomainError
from cfrnet_ros.replay.main import guarded
from cfrnet_ros.replay.ros_domain import DOMAINS, claim_domain, release_domain

ROOT = Path(__file__).resolve().parents[2]
CLAIMER = """
import sys
from cfrnet_ros.replay.ros_domain import claim_domain
print(*(claim_domain() for _ in range(3)), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def claimer() -> Iterator[subprocess.Popen[str]]:
    """Return another process, which claims three domains, prints them, and waits to be killed."""
    process = subprocess.Popen(
        [sys.executable, '-c', CLAIMER],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


def test_a_claim_ends_when_its_process_is_killed(
    claimer: subprocess.Popen[str],
) -> None:
    assert claimer.stdout is not None
    theirs = [int(word) for word in claimer.stdout.readline().split()]
    assert len(set(theirs)) == 3
    assert set(theirs) <= set(DOMAINS)
    with pytest.raises(NoDomainError, match='ROS_DOMAIN_ID'):
        claim_domain(theirs)
    claimer.kill()
    claimer.wait()
    ours = claim_domain(theirs)
    assert ours in theirs
    release_domain(ours)


def test_a_domain_is_claimed_only_once_within_a_process() -> None:
    domain = claim_domain()
    with pytest.raises(NoDomainError):
        claim_domain([domain])
    release_domain(domain)


@pytest.mark.skipif(sys.platform != 'linux', reason='only Linux lists the ports in use')
def test_a_domain_with_a_participant_is_not_claimed() -> None:
    domain = claim_domain()
    context = Context()
    rclpy.init(context=context, domain_id=domain)
    node = rclpy.create_node('somebody', context=context)
    release_domain(domain)
    try:
        with pytest.raises(NoDomainError):
            claim_domain([domain])
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)


def test_the_command_claims_a_domain_unless_one_is_chosen_and_tells_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[str] = []

    def look() -> None:
        seen.append(os.environ['ROS_DOMAIN_ID'])

    chosen = str(next_domain())
    monkeypatch.setenv('ROS_DOMAIN_ID', chosen)
    assert guarded(look) == 0
    assert 'ROS_DOMAIN_ID' not in capsys.readouterr().out
    monkeypatch.delenv('ROS_DOMAIN_ID')
    assert guarded(look) == 0
    assert seen[0] == chosen
    claimed = int(seen[1])
    assert f'export ROS_DOMAIN_ID={claimed}\n' in capsys.readouterr().out
    with pytest.raises(NoDomainError):
        claim_domain([claimed])
    release_domain(claimed)
