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

"""The process of the node: ended in any lifecycle state, and many rounds of the lifecycle."""

from __future__ import annotations

import gc
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from frame_accounts import assert_every_frame_is_accounted_for
from node_harness import NodeProcess, Peer, Start, bgr8_message, send_until, wait_until
from numpy.typing import NDArray
from ros_domains import next_domain

FACE = '/cfrnet/face/image'
#: Transitions that lead from the start to a state.
STATES: dict[str, tuple[str, ...]] = {
    'unconfigured': (),
    'inactive': ('configure',),
    'active': ('configure', 'activate'),
    'finalized': ('shutdown',),
}


def led_to(state: str, folder: Path, domain: int, model: Path) -> tuple[NodeProcess, Peer]:
    """Start a node that does not activate itself, and lead it to a lifecycle state."""
    arguments = ['-p', f'model:={model}', '-p', 'autostart:=false']
    process, peer = NodeProcess(folder, domain, arguments), Peer(domain)
    for transition in STATES[state]:
        assert peer.transition(transition)
    assert peer.state() == state
    return process, peer


@pytest.mark.parametrize('state', STATES)
def test_sigterm_ends_the_process_in_every_lifecycle_state(
    tmp_path: Path, halving_model: Path, state: str
) -> None:
    process, peer = led_to(state, tmp_path, next_domain(), halving_model)
    try:
        assert process.end(signal.SIGTERM) == 0
        assert 'Traceback' not in process.log
        assert_every_frame_is_accounted_for(peer)
    finally:
        peer.close()
        process.kill()


def test_after_sigkill_in_any_lifecycle_state_the_next_node_works(
    tmp_path: Path, halving_model: Path, portrait: NDArray[np.uint8]
) -> None:
    # All nodes have the same domain and name, so what a killed one leaves behind is met by the
    # next: shared memory, and a participant that has not said that it left.
    domain = next_domain()
    for state in STATES:
        process, peer = led_to(state, tmp_path / state, domain, halving_model)
        try:
            process.kill()
            assert process.exit_code == -signal.SIGKILL
        finally:
            peer.close()
            process.kill()
    process, peer = led_to('active', tmp_path / 'last', domain, halving_model)
    try:
        publisher = peer.publisher()
        with peer.collect(FACE) as received:
            send_until(publisher, bgr8_message(portrait), lambda: received.messages, 'a crop')
        wait_until(lambda: peer.diagnostics, 'diagnostics')
        assert process.end() == 0
        assert_every_frame_is_accounted_for(peer)
    finally:
        peer.close()
        process.kill()


@dataclass(frozen=True)
class Resources:
    """What a process holds.

    Attributes:
        resident_kib: Resident memory in KiB.
        threads: Number of threads.
        descriptors: Number of open file descriptors.

    """

    resident_kib: int
    threads: int
    descriptors: int

    @staticmethod
    def of(pid: int) -> Resources:
        status = Path(f'/proc/{pid}/status').read_text()
        return Resources(
            int(status.partition('VmRSS:')[2].split()[0]),
            int(status.partition('Threads:')[2].split()[0]),
            len(list(Path(f'/proc/{pid}/fd').iterdir())),
        )


@pytest.mark.parametrize('rounds', [10, pytest.param(200, marks=pytest.mark.slow)])
def test_rounds_of_the_lifecycle_leave_no_memory_threads_or_descriptors(
    start: Start, halving_model: Path, portrait: NDArray[np.uint8], rounds: int
) -> None:
    process, peer = start('-p', f'model:={halving_model}', '-p', 'threads:=1')
    publisher = peer.publisher()

    def restore_a_face() -> None:
        wait_until(lambda: publisher.get_subscription_count() > 0, 'the node to subscribe')
        with peer.collect(FACE) as received:
            send_until(publisher, bgr8_message(portrait), lambda: received.messages, 'a crop')

    def one_round() -> None:
        for transition in ('deactivate', 'cleanup', 'configure', 'activate'):
            assert peer.transition(transition), transition

    # Memory that is allocated once, and the allocator's pools, are not counted.
    for _ in range(5):
        one_round()
        restore_a_face()
    before = Resources.of(process.pid)
    for _ in range(rounds):
        one_round()
    restore_a_face()
    gc.collect()
    after = Resources.of(process.pid)
    print(f'{rounds} rounds: {before} before, {after} after')
    assert after.threads <= before.threads
    # Fast DDS opens descriptors for the test's own subscriptions, which come and go.
    assert after.descriptors <= before.descriptors + 4
    # The memory swings by some 20 MB from round to round; over 200 rounds nothing may add up.
    assert after.resident_kib - before.resident_kib < 40_000
