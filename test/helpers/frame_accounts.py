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

"""The node's account of its frames, as its diagnostics report it."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticStatus
from node_harness import Peer, values_of

PREFIX = 'frames/'


def frame_counts(status: DiagnosticStatus) -> dict[str, int]:
    """Return the counts of an `input` status by name, such as 'received' and 'rejected/empty'."""
    return {
        key.removeprefix(PREFIX): int(value)
        for key, value in values_of(status).items()
        if key.startswith(PREFIX)
    }


def newest_counts(peer: Peer) -> dict[str, int]:
    """Return the counts of the newest diagnostics."""
    return frame_counts(peer.diagnostics[-1]['input'])


def assert_every_frame_is_accounted_for(peer: Peer) -> None:
    """Check each diagnostics message: received = processed + dropped + rejected + in flight."""
    for statuses in peer.diagnostics:
        n = frame_counts(statuses['input'])
        accounted = n['processed'] + n['dropped'] + n['rejected'] + n['in_flight']
        assert n['received'] == accounted, n
        causes = sum(count for name, count in n.items() if name.startswith('rejected/'))
        assert causes == n['rejected'], n
