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

"""Nothing of the images stays or leaves unless it is asked for; docs/privacy.md promises it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from frame_accounts import newest_counts
from node_harness import ROOT, NodeProcess, Peer, bgr8_message, send_until, wait_until
from numpy.typing import NDArray
from ros_domains import next_domain

FACE = '/cfrnet/face/image'
#: Longest text in characters of a value of the diagnostics or a line of the log. The smallest
#: picture of a face, 24 x 24 grey pixels, has more digits.
LONGEST = 1000


def test_nothing_is_written_but_the_log_and_neither_log_nor_diagnostics_hold_an_image(
    tmp_path: Path, halving_model: Path, portrait: NDArray[np.uint8]
) -> None:
    home, folder, domain = tmp_path / 'home', tmp_path / 'node', next_domain()
    home.mkdir()
    # The process inherits this: caches and settings would go there.
    before = dict(os.environ)
    os.environ['HOME'] = str(home)
    try:
        process = NodeProcess(
            folder, domain, ['-p', f'model:={halving_model}', '--log-level', 'debug']
        )
    finally:
        os.environ.update(before)
    peer = Peer(domain)
    try:
        process.wait_for_log('waiting for Image')
        publisher = peer.publisher()
        with peer.collect(FACE) as received:
            send_until(publisher, bgr8_message(portrait), lambda: received.messages, 'a crop')
            bad = bgr8_message(portrait)
            bad.encoding = 'klingon8'
            wait_until(lambda: peer.diagnostics, 'diagnostics')
            send_until(
                publisher,
                bad,
                lambda: newest_counts(peer)['rejected'] > 0,
                'an image to be rejected',
            )
        for statuses in peer.diagnostics:
            for status in statuses.values():
                assert len(status.message) < LONGEST
                assert all(len(pair.value) < LONGEST for pair in status.values)
        assert process.end() == 0
        assert 'frame rejected' in process.log
        assert max(map(len, process.log.splitlines())) < LONGEST
        # A picture as text would be a long run of numbers, hexadecimal digits or base64.
        assert not re.search(r'(\d{1,3}, ){12}|[0-9a-zA-Z+]{100}', process.log)
        assert not list(home.rglob('*'))
        written = {path.relative_to(folder).parts[0] for path in folder.rglob('*')}
        assert written == {'log', 'stderr.txt'}
        assert not [path for path in folder.rglob('*') if path.stat().st_size > 2_000_000]
    finally:
        peer.close()
        process.kill()


def test_a_deactivated_node_receives_and_sends_nothing_more(
    tmp_path: Path, halving_model: Path, portrait: NDArray[np.uint8]
) -> None:
    domain = next_domain()
    process = NodeProcess(tmp_path / 'node', domain, ['-p', f'model:={halving_model}'])
    peer = Peer(domain)
    try:
        process.wait_for_log('waiting for Image')
        publisher = peer.publisher()
        with (
            peer.collect(FACE) as faces,
            peer.collect('/cfrnet/image_restored') as frames,
        ):
            send_until(
                publisher,
                bgr8_message(portrait),
                lambda: faces.messages and frames.messages,
                'a crop and a frame',
            )
            assert peer.transition('deactivate')
            wait_until(lambda: publisher.get_subscription_count() == 0, 'the node to unsubscribe')
            stopped = peer.wait_for_diagnostics(
                lambda d: d['input'].message == 'inactive', 'inactive in the diagnostics'
            )
            before = newest_counts(peer)['received']
            # What was sent before the transition has arrived with the answer to it.
            time.sleep(0.5)
            faces.messages.clear()
            frames.messages.clear()
            for _ in range(20):
                publisher.publish(bgr8_message(portrait))
                time.sleep(0.05)
            peer.wait_for_diagnostics(lambda d: d is not stopped, 'the next diagnostics')
            assert newest_counts(peer)['received'] == before
            assert not faces.messages
            assert not frames.messages
        assert process.end() == 0
    finally:
        peer.close()
        process.kill()


def test_importing_the_package_switches_the_telemetry_of_onnx_runtime_off(tmp_path: Path) -> None:
    code = (
        'from cfrnet_ros.vision.engine.models import resolve_model\n'
        'from cfrnet_ros.vision.engine.providers import choose_providers\n'
        'from cfrnet_ros.vision.engine.sessions import create_session\n'
        "create_session(resolve_model('int8'), choose_providers('cpu'))\n"
    )
    # ONNX Runtime sends nothing where it takes the machine for continuous integration.
    unset = {'ORT_DISABLE_TELEMETRY', 'ORT_TELEMETRY_DISABLED', 'CI'}
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    environment['HOME'] = str(tmp_path)
    subprocess.run([sys.executable, '-c', code], cwd=ROOT, env=environment, check=True)
    assert not list(tmp_path.rglob('*'))
