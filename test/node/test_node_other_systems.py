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

"""Other restorers, exported from PyTorch, in the real node: `model:=` takes what is no CFRNet."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from node_harness import (
    ROOT,
    NodeProcess,
    Peer,
    bgr8_message,
    pixels_of,
    send_until,
    values_of,
    wait_until,
)
from numpy.typing import NDArray
from ros_domains import next_domain
from sensor_msgs.msg import Image

from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.restoration.restorer import Restorer

Start = Callable[..., tuple[NodeProcess, Peer]]

#: PyTorch is in an environment of its own.
TRAINING = ROOT / '.venv-training/bin/python'

EXPORT = """
import sys
from pathlib import Path
import torch
from training.export.camera_format import FloatPlanes
from training.export.fp32 import write_onnx
from training.networks.systems.build import build_system
name, side, path = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
torch.manual_seed(0)
network = build_system(name).eval()
write_onnx(FloatPlanes(network, clip=True), torch.zeros(1, 3, side, side), path)
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts a node and a peer in a domain of their own."""
    processes: list[NodeProcess] = []
    peers: list[Peer] = []

    def begin(*arguments: str) -> tuple[NodeProcess, Peer]:
        domain = next_domain()
        processes.append(NodeProcess(tmp_path / str(len(processes)), domain, arguments))
        peers.append(Peer(domain))
        return processes[-1], peers[-1]

    yield begin
    for peer in peers:
        peer.close()
    for process in processes:
        process.kill()


def exported(name: str, side: int, folder: Path) -> Path:
    """Export a system with random weights; its YAML file says what a card would."""
    if not TRAINING.is_file():
        pytest.skip('the export needs PyTorch: make venv-training')
    path = folder / f'{name}.onnx'
    environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
    command = [str(TRAINING), '-c', EXPORT, name, str(side), str(path)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500)
    assert run.returncode == 0, run.stderr[-2000:]
    path.with_suffix('.yaml').write_text('value_range: [0, 1]\ncolour: RGB\niterative: false\n')
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ('name', 'side'),
    [
        ('facefusion', 512),
        ('hifacegan', 256),
        ('gfpgan', 256),
        ('codeformer', 256),
        ('osdface', 256),
    ],
)
def test_an_exported_system_runs_in_the_node(
    name: str, side: int, start: Start, tmp_path: Path, portrait: NDArray[np.uint8]
) -> None:
    model = exported(name, side, tmp_path)
    words = ('-p', f'model:={model}', '-p', 'provider:=cpu', '-p', 'cycles:=2')
    process, peer = start(*words)
    wait_until(lambda: 'waiting for Image' in process.log, 'the node to be ready', 120.0)
    publisher = peer.publisher()
    with (
        peer.collect('/cfrnet/face/image') as restored,
        peer.collect('/cfrnet/face/fused') as camera,
    ):

        def both() -> list[tuple[Image, Image]]:
            stamps = {(m.header.stamp.sec, m.header.stamp.nanosec): m for m in camera.messages}
            pairs: list[tuple[Image, Image]] = []
            for message in restored.messages:
                before = stamps.get((message.header.stamp.sec, message.header.stamp.nanosec))
                pairs += [(message, before)] if before is not None else []
            return pairs

        send_until(publisher, bgr8_message(portrait), both, 'a crop before and after')
        crop, before = (pixels_of(message) for message in both()[0])
    assert crop.shape == (side, side, 3)
    values = values_of(peer.wait_for_diagnostics(lambda d: True, 'any')['engine'])
    assert (values['model/size'], values['model/iterative']) == (str(side), 'false')
    # What the network makes of the same crop without ROS.
    wanted = Restorer(model, choose_providers('cpu')).restore(before, 1).crop
    assert np.abs(crop.astype(int) - wanted).max() <= 2
    assert process.end() == 0
