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

"""Faults of the engine: a cycle that never returns, a file that changes, a model that fails."""

from __future__ import annotations

import shutil
from pathlib import Path

import node_models
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from frame_accounts import newest_counts
from node_harness import Peer, Start, bgr8_message, send_until
from numpy.typing import NDArray

FACE = '/cfrnet/face/image'


def hanging(model: Path, lanes: int) -> list[str]:
    """Return arguments of a node in which a frame of each lane may hang."""
    settings = {'model': model, 'threads': 1, 'parallel_frames': lanes}
    return [word for name, value in settings.items() for word in ('-p', f'{name}:={value}')]


def restores(peer: Peer, portrait: NDArray[np.uint8]) -> None:
    """Check that a frame with a face gives a crop."""
    publisher = peer.publisher()
    with peer.collect(FACE) as received:
        send_until(publisher, bgr8_message(portrait), lambda: received.messages, 'a crop')
    peer.node.destroy_publisher(publisher)


@pytest.mark.parametrize('lanes', [1, 2])
def test_a_cycle_that_never_returns_is_reported_and_the_lifecycle_loads_the_engine_again(
    start: Start, tmp_path: Path, portrait: NDArray[np.uint8], lanes: int
) -> None:
    model = node_models.hanging_model(tmp_path / 'hanging.onnx')
    process, peer = start(*hanging(model, lanes))
    publisher = peer.publisher()
    white, dark = portrait.copy(), (portrait * 0.6).astype(np.uint8)
    white[::2, ::2] = 255
    send_until(
        publisher,
        bgr8_message(white),
        lambda: 'the engine seems to hang' in peer.diagnostics[-1]['engine'].message,
        'a report of the frame that never ends',
    )
    engine = peer.diagnostics[-1]['engine']
    assert engine.level == DiagnosticStatus.ERROR
    assert 'deactivate, clean up, configure and activate' in engine.message
    counts = newest_counts(peer)
    assert counts['processed'] == 0
    assert counts['in_flight'] > 0
    # Parameters are answered, and newer frames replace the one that waits.
    assert peer.set_parameter('cycles', 1).successful
    assert counts['dropped'] > 0

    assert peer.transition('deactivate')
    assert peer.transition('cleanup')
    peer.wait_for_diagnostics(
        lambda d: d['engine'].message == 'unconfigured' and newest_counts(peer)['in_flight'] == 0,
        'the hanging frame to be given up',
    )
    assert peer.transition('configure')
    assert peer.transition('activate')
    with peer.collect(FACE) as received:
        send_until(publisher, bgr8_message(dark), lambda: received.messages, 'a crop')
    peer.wait_for_diagnostics(
        lambda d: d['engine'].level == DiagnosticStatus.OK, 'a sound engine after the restart'
    )
    assert process.exit_code is None


@pytest.mark.parametrize('lanes', [1, 2])
def test_a_node_whose_cycle_never_returns_ends_by_a_signal(
    start: Start, tmp_path: Path, portrait: NDArray[np.uint8], lanes: int
) -> None:
    model = node_models.hanging_model(tmp_path / 'hanging.onnx')
    process, peer = start(*hanging(model, lanes))
    publisher = peer.publisher()
    white = portrait.copy()
    white[::2, ::2] = 255
    send_until(
        publisher,
        bgr8_message(white),
        lambda: newest_counts(peer)['dropped'] > 1 and newest_counts(peer)['processed'] == 0,
        'frames dropped while one never ends',
    )
    assert process.end() == 0


def spoil(model: Path, how: str) -> None:
    if how == 'replaced':
        model.write_bytes(b'this is no model')
    elif how == 'truncated':
        # In place, so that a file that were still mapped would end the process.
        with model.open('r+b') as file:
            file.truncate(100)
    else:
        model.unlink()
        if how == 'made a folder':
            model.mkdir()


def test_a_model_file_that_changes_while_the_node_runs_matters_at_the_next_configure_only(
    start: Start, tmp_path: Path, halving_model: Path, portrait: NDArray[np.uint8]
) -> None:
    model = tmp_path / 'model.onnx'
    shutil.copy(halving_model, model)
    _, peer = start('-p', f'model:={model}')
    for how in ('replaced', 'truncated', 'removed', 'made a folder'):
        spoil(model, how)
        restores(peer, portrait)
        assert peer.transition('deactivate')
        assert peer.transition('activate')
        restores(peer, portrait)

        assert peer.transition('deactivate')
        assert peer.transition('cleanup')
        assert not peer.transition('configure'), how
        assert peer.state() == 'unconfigured'
        engine = peer.wait_for_diagnostics(
            lambda d: d['engine'].level == DiagnosticStatus.ERROR, 'an error of the engine'
        )['engine']
        assert 'not configured' in engine.message
        assert 'model.onnx' in engine.message
        if how == 'made a folder':
            model.rmdir()
        shutil.copy(halving_model, model)
        assert peer.transition('configure')
        assert peer.transition('activate')


def test_a_model_that_fails_on_some_frames_is_reported_and_the_others_are_restored(
    start: Start, tmp_path: Path, portrait: NDArray[np.uint8]
) -> None:
    model = node_models.fragile_model(tmp_path / 'fragile.onnx')
    _, peer = start('-p', f'model:={model}')
    publisher = peer.publisher()
    bright = (portrait // 3 + 170).astype(np.uint8)
    with peer.collect(FACE) as received:
        send_until(publisher, bgr8_message(bright), lambda: received.messages, 'a crop')
        send_until(
            publisher,
            bgr8_message(portrait),
            lambda: 'processing fails' in peer.diagnostics[-1]['engine'].message,
            'a report of the failure',
        )
        assert peer.diagnostics[-1]['engine'].level == DiagnosticStatus.ERROR
        assert newest_counts(peer)['rejected/internal'] > 0
        received.messages.clear()
        send_until(publisher, bgr8_message(bright), lambda: received.messages, 'a crop after it')
    peer.wait_for_diagnostics(
        lambda d: 'processing fails' not in d['engine'].message, 'the report to end'
    )
