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

"""The fine stage in the running node: size of the crops, status, latency and errors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from node_harness import NodeProcess, Peer, bgr8_message, send_until, values_of, wait_until
from node_models import foreign_model
from numpy.typing import NDArray
from ros_domains import next_domain


@pytest.fixture
def peer(tmp_path: Path, halving_model: Path) -> Iterator[Peer]:
    domain = next_domain()
    arguments = ['-p', f'model:={halving_model}', '-p', 'fine_stage:=true', '-p', 'threads:=1']
    process = NodeProcess(tmp_path / 'node', domain, arguments)
    peer = Peer(domain)
    yield peer
    peer.close()
    process.kill()


def test_crops_of_512_px_are_refined_while_the_budget_affords_it(
    peer: Peer, portrait: NDArray[np.uint8]
) -> None:
    camera, msg = peer.publisher(), bgr8_message(portrait)
    with (
        peer.collect('/cfrnet/face/image') as crops,
        peer.collect('/cfrnet/face/status', msg_type=DiagnosticArray) as faces,
        peer.collect('/cfrnet/frame/status', msg_type=DiagnosticArray) as frames,
    ):

        def next_frame(fine: str) -> dict[str, str]:
            def find() -> Any:
                found = [values_of(status) for m in faces.messages for status in m.status]
                return next((v for v in found if v.get('fine') == fine), None)

            for collected in (crops, faces, frames):
                collected.messages.clear()
            send_until(camera, msg, find, f'a face with fine {fine}')

            def told() -> Any:
                found = [values_of(status) for m in frames.messages for status in m.status]
                wanted = '1' if fine == 'true' else '0'
                return next((v for v in found if v.get('faces/fine') == wanted), None)

            wait_until(told, f'the status of a frame with fine {fine}')
            return dict(told())

        frame = next_frame('true')
        assert float(frame['latency/fine_ms']) > 0
        assert {(m.width, m.height) for m in crops.messages} == {(512, 512)}
        assert peer.set_parameter('latency_budget_ms', 1.0).successful
        assert 'latency/fine_ms' not in next_frame('false')
        assert {(m.width, m.height) for m in crops.messages} == {(512, 512)}
        assert peer.set_parameter('latency_budget_ms', 60000.0).successful
        next_frame('true')

    def counted() -> bool:
        values = values_of(peer.diagnostics[-1]['restoration'])
        return int(values['faces/fine']) > 0 and 'latency/fine/p50_ms' in values

    wait_until(counted, 'the count and the latency in the diagnostics')
    engine = values_of(peer.diagnostics[-1]['engine'])
    assert (engine['model/size'], engine['provider/fine_used']) == ('512', 'cpu')


def test_bad_combinations_end_the_start_with_the_remedy(
    tmp_path: Path, halving_model: Path
) -> None:
    fine = ['-p', 'fine_stage:=true']
    cases = [
        ([*fine, '-p', f'model:={halving_model}', '-p', 'crop_size:=256'],
         'set crop_size to 0 or 512, or fine_stage to false'),
        ([*fine, '-p', f'model:={foreign_model(tmp_path / "once.onnx", 256)}'],
         'set fine_stage to false, or name an iterative model'),
    ]  # fmt: skip
    for number, (arguments, remedy) in enumerate(cases):
        process = NodeProcess(tmp_path / str(number), next_domain(), arguments)
        try:
            process.wait_for_log(remedy)
        finally:
            process.kill()
