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

"""The eye guard in the running node: parameter, face status and latency."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from node_harness import NodeProcess, Peer, bgr8_message, send_until, values_of, wait_until
from numpy.typing import NDArray
from ros_domains import next_domain


@pytest.fixture
def peer(tmp_path: Path, halving_model: Path) -> Iterator[Peer]:
    domain = next_domain()
    process = NodeProcess(tmp_path / 'node', domain, ['-p', f'model:={halving_model}'])
    peer = Peer(domain)
    yield peer
    peer.close()
    process.kill()


def test_the_guard_is_switched_while_the_node_runs(peer: Peer, portrait: NDArray[np.uint8]) -> None:
    camera, msg = peer.publisher(), bgr8_message(portrait)
    with (
        peer.collect('/cfrnet/face/status', msg_type=DiagnosticArray) as faces,
        peer.collect('/cfrnet/frame/status', msg_type=DiagnosticArray) as frames,
    ):

        def next_values(with_eyes: bool) -> Any:
            def find() -> Any:
                found = [values_of(status) for m in faces.messages for status in m.status]
                return next((v for v in found if ('eye_change' in v) == with_eyes), None)

            faces.messages.clear()
            return send_until(camera, msg, find, f'a face with eyes measured: {with_eyes}')

        next_values(with_eyes=False)
        assert peer.set_parameter('eye_guard', 'refuse').successful
        values = next_values(with_eyes=True)
        # A crop of half the brightness shows the same eyes.
        assert values['restored'] == 'true'
        assert float(values['eye_change']) == 0.0
        assert 0.1 < float(values['eye_openness_before']) < 0.6
        assert values['eyes_flagged'] == 'false'

        def timed() -> bool:
            found = [values_of(status) for m in frames.messages for status in m.status]
            return any('latency/eyes_ms' in values for values in found)

        # The frame's status is the last message about a frame.
        wait_until(timed, 'the latency of the guard')
        refused = peer.set_parameter('eye_guard', 'wink')
        assert not refused.successful
        assert "'off' or 'flag' or 'refuse'" in refused.reason
        assert peer.set_parameter('eye_guard', 'off').successful
        next_values(with_eyes=False)
