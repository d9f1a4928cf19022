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

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from frame_accounts import assert_every_frame_is_accounted_for
from node_harness import NodeProcess, Peer, Start, wait_until
from numpy.typing import NDArray
from ros_domains import next_domain
from skimage.data import astronaut


@pytest.fixture(scope='session')
def halving_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import node_models

    return node_models.halving_model(tmp_path_factory.mktemp('models') / 'halving.onnx')


@pytest.fixture(scope='session')
def slow_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import node_models

    return node_models.slow_model(tmp_path_factory.mktemp('models') / 'slow.onnx')


@pytest.fixture(scope='session')
def portrait() -> NDArray[np.uint8]:
    """(480, 640, 3) uint8 BGR image with one face, about 90 px high, at the left; read-only."""
    photo = cv2.cvtColor(astronaut(), cv2.COLOR_RGB2BGR)
    frame = np.full((480, 640, 3), 90, np.uint8)
    frame[:, :480] = cv2.resize(photo, (480, 480), interpolation=cv2.INTER_AREA)
    frame.setflags(write=False)
    return frame


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts a node and a peer, and waits for its first diagnostics.

    Unless the test has ended the node itself, it must end with exit code 0 after the test. In every
    diagnostics message each received frame must be accounted for.
    """
    processes: list[NodeProcess] = []
    peers: list[Peer] = []

    def begin(*arguments: str, domain: int | None = None) -> tuple[NodeProcess, Peer]:
        domain = next_domain() if domain is None else domain
        processes.append(NodeProcess(tmp_path / str(len(processes)), domain, arguments))
        peers.append(Peer(domain))
        processes[-1].wait_for_log('waiting for')
        wait_until(lambda: peers[-1].diagnostics, 'the first diagnostics')
        return processes[-1], peers[-1]

    try:
        yield begin
        for process, peer in zip(processes, peers):
            assert_every_frame_is_accounted_for(peer)
            if process.exit_code is None:
                assert process.end() == 0
            assert 'Traceback' not in process.log
    finally:
        for peer in peers:
            peer.close()
        for process in processes:
            process.kill()
