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

"""The node's path to an NPU without a chip: providers of vendors that run on this computer's CPU.

OpenVINO computes on its device CPU, Qualcomm's package emulates the HTP. What a chip would need
besides is the driver.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from node_harness import ROOT, NodeProcess, Peer, bgr8_message, send_until, values_of, wait_until
from npu_packages import environment_with
from numpy.typing import NDArray
from ros_domains import next_domain

Begin = Callable[..., tuple[NodeProcess, Peer]]
OPENVINO = ('-p', 'provider:=openvino', '-p', 'model:=int8', '-p', 'threads:=1')


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Return a function that starts a node with a vendor's package, and its peer."""
    processes: list[NodeProcess] = []
    peers: list[Peer] = []

    def start(package: str, *arguments: str) -> tuple[NodeProcess, Peer]:
        environment = environment_with(package, tmp_path / 'cache')
        domain = next_domain()
        folder = tmp_path / str(len(processes))
        processes.append(NodeProcess(folder, domain, arguments, environment))
        peers.append(Peer(domain))
        return processes[-1], peers[-1]

    try:
        yield start
    finally:
        for peer in peers:
            peer.close()
        for process in processes:
            process.kill()


def engine(peer: Peer) -> dict[str, str]:
    wait_until(lambda: peer.diagnostics, 'diagnostics')
    return values_of(peer.diagnostics[-1]['engine'])


def restores(peer: Peer, portrait: NDArray[np.uint8]) -> bool:
    def done() -> bool:
        last = values_of(peer.diagnostics[-1]['restoration'])
        return last.get('faces/restored', '0') != '0'

    return bool(
        send_until(peer.publisher(), bgr8_message(portrait), done, 'a face that the NPU restored')
    )


def test_openvino_keeps_what_it_compiled_and_restores(
    begin: Begin, tmp_path: Path, portrait: NDArray[np.uint8]
) -> None:
    options = "provider_options:=['openvino.device_type=CPU', 'openvino.num_streams=1']"
    words = (*OPENVINO, '-p', 'strict_provider:=true', '-p', options)
    process, peer = begin('openvino', *words)
    process.wait_for_log('waiting for Image')
    found = engine(peer)
    assert (found['provider/requested'], found['provider/used']) == ('openvino', 'openvino')
    assert found['self_test/verdict'] == 'passed'
    assert 'on openvino, loaded and warmed up' in process.log
    assert restores(peer, portrait)
    assert process.end() == 0
    kept = set((tmp_path / 'cache/cfrnet_ros/openvino').glob('*.blob'))
    assert kept
    # The second start has no other models to keep.
    process, peer = begin('openvino', *words)
    wait_until(lambda: 'waiting for Image' in process.log, 'the second start', 120.0)
    assert engine(peer)['self_test/verdict'] == 'passed'
    assert process.end() == 0
    assert set((tmp_path / 'cache/cfrnet_ros/openvino').glob('*.blob')) == kept


def test_an_npu_that_is_missing_is_told_and_only_a_strict_node_stops(
    begin: Begin, portrait: NDArray[np.uint8]
) -> None:
    npu = ('-p', "provider_options:=['openvino.device_type=NPU']")
    process, _ = begin('openvino', *OPENVINO, *npu, '-p', 'strict_provider:=true')
    assert process.wait(120) == 1
    assert 'cannot configure: no execution provider could run' in process.log
    assert 'openvino failed' in process.log
    process, peer = begin('openvino', *OPENVINO, *npu)
    process.wait_for_log('waiting for Image')
    found = engine(peer)
    assert (found['provider/requested'], found['provider/used']) == ('openvino', 'cpu')
    assert "restorer runs on 'cpu' instead of provider 'openvino'" in process.log
    assert restores(peer, portrait)
    assert process.end() == 0


LOAD = """
from cfrnet_ros.vision.engine.models import resolve_model
from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.engine.sessions import create_session
session = create_session(resolve_model('int8'), choose_providers('qnn', strict=True), 1)
print('used', session.used, session.fell_back)
"""


def test_qnn_loads_what_it_compiled_and_compiles_again_what_is_damaged(tmp_path: Path) -> None:
    environment = {**os.environ, **environment_with('qnn', tmp_path / 'cache')}
    environment['PYTHONPATH'] += os.pathsep + str(ROOT)
    folder = tmp_path / 'cache/cfrnet_ros/qnn'

    def load() -> dict[Path, tuple[int, int]]:
        command = [sys.executable, '-c', LOAD]
        run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=250)
        assert 'used qnn False' in run.stdout, run.stderr
        return {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in folder.iterdir()}

    first = load()
    ((path, (_, size)),) = first.items()
    assert load() == first
    path.write_bytes(path.read_bytes()[:1000])
    assert load()[path][1] == size


@pytest.mark.slow
def test_qualcomms_emulator_runs_every_operator_of_the_restorer_in_the_node(
    begin: Begin, tmp_path: Path, portrait: NDArray[np.uint8]
) -> None:
    # The emulator takes seconds for a cycle: this test waits longer than the others, and leaves the
    # golden crops to `make test-npu`.
    words = ('-p', 'provider:=qnn', '-p', 'model:=int8', '-p', 'cycles:=1', '-p', 'self_test:=off')
    process, peer = begin('qnn', *words)
    wait_until(lambda: 'waiting for Image' in process.log, 'the emulator to be ready', 200.0)
    found = engine(peer)
    assert (found['provider/requested'], found['provider/used']) == ('qnn', 'qnn')
    assert 'operators run on the CPU' not in found['provider/reason']
    compiled = list((tmp_path / 'cache/cfrnet_ros/qnn').glob('*.onnx'))
    assert compiled
    publisher = peer.publisher()
    publisher.publish(bgr8_message(portrait))

    def done() -> bool:
        last = values_of(peer.diagnostics[-1]['restoration'])
        if last.get('faces/restored', '0') == '0':
            publisher.publish(bgr8_message(portrait))
            return False
        return True

    wait_until(done, 'a face that the emulator restored', 90.0, 1.0)
    assert process.end() == 0
