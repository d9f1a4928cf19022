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

"""The bond with a lifecycle manager; the package bond is not on the Python package index."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from node_harness import NodeProcess, Peer, wait_until
from ros_domains import next_domain

INSTALLED = importlib.util.find_spec('bond') is not None
needs_bond = pytest.mark.skipif(
    not INSTALLED, reason='the ROS package bond is not on the Python package index'
)
MANAGED = ['-p', 'autostart:=false']


@pytest.fixture
def managed(tmp_path: Path, halving_model: Path) -> Iterator[tuple[NodeProcess, Peer]]:
    domain = next_domain()
    process = NodeProcess(tmp_path / 'node', domain, ['-p', f'model:={halving_model}', *MANAGED])
    peer = Peer(domain)
    yield process, peer
    peer.close()
    process.kill()


class Manager:
    """The other side of the bond, as a lifecycle manager has it."""

    def __init__(self, peer: Peer, instance: str = 'manager') -> None:
        from bond.msg import Status

        self._status = Status
        self._instance = instance
        self._publisher = peer.node.create_publisher(Status, '/bond', 5)
        self.seen: list[Any] = []
        peer.node.create_subscription(Status, '/bond', self._take, 100)

    def _take(self, msg: Any) -> None:
        if msg.id == 'cfrnet' and msg.instance_id != self._instance:
            self.seen.append(msg)

    def send(self, active: bool) -> None:
        self._publisher.publish(
            self._status(id='cfrnet', instance_id=self._instance, active=active)
        )

    def next(self, active: bool) -> Any:
        """Return the next message of the node that begins with the given state."""
        start = len(self.seen)
        return wait_until(
            lambda: next((m for m in self.seen[start:] if m.active == active), None),
            f'a status with active = {active}',
        )


@needs_bond
def test_a_managed_node_sends_heartbeats_while_it_is_active(
    managed: tuple[NodeProcess, Peer],
) -> None:
    process, peer = managed
    manager = Manager(peer)
    assert peer.transition('configure')
    assert manager.seen == []
    assert peer.transition('activate')
    first = manager.next(True)
    second = manager.next(True)
    assert first.instance_id == second.instance_id != ''
    assert first.heartbeat_timeout == 4.0
    manager.send(True)
    process.wait_for_log('bond with the lifecycle manager formed on /bond')
    start = len(manager.seen)
    assert peer.transition('deactivate')
    wait_until(lambda: any(not m.active for m in manager.seen[start:]), 'the end of the bond')
    ended = len(manager.seen)
    time.sleep(1.0)
    assert len(manager.seen) == ended
    # A new activation is a new side of the bond.
    assert peer.transition('activate')
    assert manager.next(True).instance_id != first.instance_id


@needs_bond
def test_the_node_goes_on_when_its_manager_dissolves_the_bond(
    managed: tuple[NodeProcess, Peer],
) -> None:
    process, peer = managed
    manager, stranger = Manager(peer), Manager(peer, 'stranger')
    assert peer.transition('configure')
    assert peer.transition('activate')
    manager.next(True)
    manager.send(True)
    process.wait_for_log('formed')
    stranger.send(False)
    process.wait_for_log('more than one lifecycle manager')
    manager.send(False)
    process.wait_for_log('has dissolved the bond')
    assert not manager.seen[-1].active or not manager.next(False).active
    assert peer.state() == 'active'


@needs_bond
@pytest.mark.parametrize(('mode', 'sides'), [('auto', 0), ('on', 1)])
def test_a_node_that_activates_itself_has_no_bond_unless_asked_for(
    tmp_path: Path, halving_model: Path, mode: str, sides: int
) -> None:
    domain = next_domain()
    arguments = ['-p', f'model:={halving_model}', '-p', f'bond:={mode}']
    process, peer = NodeProcess(tmp_path, domain, arguments), Peer(domain)
    try:
        process.wait_for_log('waiting for Image')
        wait_until(lambda: peer.node.count_publishers('/cfrnet/face/image'), 'the node')
        assert peer.node.count_publishers('/bond') == sides
    finally:
        peer.close()
        process.kill()


@pytest.mark.skipif(INSTALLED, reason='the ROS package bond is installed')
def test_a_bond_that_is_asked_for_without_its_package_names_the_package(
    tmp_path: Path, halving_model: Path
) -> None:
    arguments = ['-p', f'model:={halving_model}', '-p', 'bond:=on']
    process = NodeProcess(tmp_path, next_domain(), arguments)
    try:
        assert process.wait(60.0) == 1
        assert "bond is 'on', but the ROS package bond is not installed" in process.log
        assert 'Traceback' not in process.log
    finally:
        process.kill()


@pytest.mark.skipif(INSTALLED, reason='the ROS package bond is installed')
def test_a_managed_node_works_without_the_package(
    managed: tuple[NodeProcess, Peer],
) -> None:
    _, peer = managed
    assert peer.transition('configure')
    assert peer.transition('activate')
    assert peer.state() == 'active'
