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

"""`cfrnet-view` where nodes come and go, and with several of them."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from moving_camera import MovingCamera, decode
from node_harness import NodeProcess, Peer, wait_until
from ros_domains import next_domain
from sensor_msgs.msg import Image
from viewer import Viewer, visiting


@pytest.fixture
def domain() -> int:
    return next_domain()


@pytest.fixture
def peer(domain: int) -> Iterator[Peer]:
    peer = Peer(domain)
    yield peer
    peer.close()


@pytest.fixture
def viewer(domain: int, tmp_path: Path) -> Iterator[Viewer]:
    viewer = Viewer(tmp_path / 'viewer', domain)
    yield viewer
    viewer.kill()


def names(state: dict[str, Any]) -> dict[str, bool]:
    return {node['name']: node['lost'] for node in state['nodes']}


def looks_at(node: str) -> Callable[[dict[str, Any]], bool]:
    return lambda state: state['node'] == node and bool(state['sliders'])


def files_of(about: dict[str, Any]) -> list[str]:
    return list(about['files']) if about['kind'] == 'whole' else []


@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGINT], ids=['killed', 'ended'])
def test_a_node_that_dies_and_comes_back_is_noticed_and_looked_at_again(
    tmp_path: Path, halving_model: Path, domain: int, peer: Peer, viewer: Viewer,
    number: signal.Signals,
) -> None:  # fmt: skip
    arguments = ['-p', f'model:={halving_model}']
    node = NodeProcess(tmp_path / 'node', domain, arguments)
    try:
        with MovingCamera(peer), visiting(viewer.origin) as visitor:
            visitor.connect()
            visitor.wait_for_picture(lambda a: files_of(a) == ['camera', 'restored'], 'both')
            node.send_signal(number)
            node.wait()
            lost = visitor.wait_for_state(lambda s: names(s) == {'/cfrnet': True}, 'the loss')
            assert lost['node'] == '/cfrnet'
            assert lost['silent_s'] > 3
            # The camera is still there.
            visitor.wait_for_picture(lambda a: files_of(a) == ['camera'], 'the camera alone')
            assert visitor.set('cycles', '3') != ''

            node = NodeProcess(tmp_path / 'again', domain, arguments)
            visitor.wait_for_state(
                lambda s: names(s) == {'/cfrnet': False} and s['sliders'], 'the node again'
            )
            visitor.wait_for_picture(lambda a: files_of(a) == ['camera', 'restored'], 'both again')
            assert visitor.set('cycles', '3') == ''
            assert peer.get_parameter('cycles') == 3
        assert 'Traceback' not in viewer.log
    finally:
        node.kill()


def test_cameras_with_a_node_each_are_found_and_chosen(
    tmp_path: Path, halving_model: Path, domain: int, peer: Peer, viewer: Viewer
) -> None:
    nodes = [
        NodeProcess(
            tmp_path / side, domain,
            ['-p', f'model:={halving_model}', '-r', f'__ns:=/{side}', *more],
        )
        for side, more in (('left', []), ('right', ['-p', 'image_transport:=compressed']))
    ]  # fmt: skip
    try:
        left = MovingCamera(peer, '/left/image', height=512)
        right = MovingCamera(peer, '/right/image/compressed', compressed=True, height=400)
        with left, right, visiting(viewer.origin) as visitor:
            visitor.connect()
            both = {'/left/cfrnet': False, '/right/cfrnet': False}
            state = visitor.wait_for_state(lambda s: names(s) == both, 'both nodes')
            assert state['node'] == '/left/cfrnet'
            for node, size in (('/left/cfrnet', 512), ('/right/cfrnet', 400)):
                visitor.look(node=node)
                visitor.wait_for_state(looks_at(node), node)
                _, files = visitor.wait_for_picture(
                    lambda a: files_of(a) == ['camera', 'restored'], f'pictures of {node}'
                )
                # The camera's own JPEG is passed on as it came.
                assert [decode(file).shape[0] for file in files] == [size, size]
                about, _ = visitor.wait_for_picture(
                    lambda a: a['kind'] == 'faces' and bool(a['faces']), f'a face of {node}'
                )
                assert about['faces'][0]['files'] == ['camera', 'restored']
            assert visitor.set('cycles', '4') == ''
        # Only the node that was looked at has been changed.
        peer.target = '/right/cfrnet'
        assert peer.get_parameter('cycles') == 4
    finally:
        for process in nodes:
            process.kill()


def test_a_node_without_whole_frames_shows_its_faces(
    tmp_path: Path, halving_model: Path, domain: int, peer: Peer, viewer: Viewer
) -> None:
    node = NodeProcess(
        tmp_path / 'node', domain, ['-p', f'model:={halving_model}', '-p', 'whole_frames:=false']
    )
    try:
        with MovingCamera(peer), visiting(viewer.origin) as visitor:
            visitor.connect()
            visitor.wait_for_state(lambda s: s['whole_frames'] is False, 'whole_frames')
            about, _ = visitor.wait_for_picture(
                lambda a: a['kind'] == 'faces' and bool(a['faces']), 'a face'
            )
            assert about['faces'][0]['files'] == ['camera', 'restored']
            visitor.wait_for_picture(lambda a: files_of(a) == ['camera'], 'the camera alone')
    finally:
        node.kill()


def test_each_face_has_its_own_pictures_and_number(
    tmp_path: Path, halving_model: Path, domain: int, peer: Peer, viewer: Viewer
) -> None:
    node = NodeProcess(tmp_path / 'node', domain, ['-p', f'model:={halving_model}'])
    try:
        with MovingCamera(peer, people=2), visiting(viewer.origin) as visitor:
            visitor.connect(whole=False)
            about, files = visitor.wait_for_picture(
                lambda a: a['kind'] == 'faces' and len(a['faces']) == 2, 'two faces'
            )
            assert len({face['values']['track_id'] for face in about['faces']}) == 2
            first, _, second, _ = (decode(file).astype(int) for file in files)
            # One is the mirror image of the other, nearly.
            apart = np.abs(first - second).mean()
            assert np.abs(first - second[:, ::-1]).mean() < 0.7 * apart
    finally:
        node.kill()


def test_a_camera_that_cannot_be_read_is_told(
    tmp_path: Path, halving_model: Path, domain: int, peer: Peer, viewer: Viewer
) -> None:
    node = NodeProcess(tmp_path / 'node', domain, ['-p', f'model:={halving_model}'])
    try:
        with visiting(viewer.origin) as visitor:
            publisher = peer.publisher('/image', match=True)
            visitor.connect()
            message = Image(width=64, height=64, step=64, encoding='secret')
            message.data = [0] * 4096

            def told() -> bool:
                publisher.publish(message)
                return any(about.get('error') for about, _ in visitor.pictures)

            wait_until(told, 'the error', period_s=0.2)
            visitor.wait_for_state(
                lambda s: 'frames/rejected/unknown_encoding' in s['statuses']['input']['values'],
                'the count of rejected frames',
            )
        assert 'Traceback' not in viewer.log
    finally:
        node.kill()


def test_a_page_goes_on_after_nodes_chosen_in_quick_succession(
    tmp_path: Path, halving_model: Path, domain: int, peer: Peer, viewer: Viewer
) -> None:
    nodes = [
        NodeProcess(
            tmp_path / side, domain, ['-p', f'model:={halving_model}', '-r', f'__ns:=/{side}']
        )
        for side in ('left', 'right')
    ]
    both = {'/left/cfrnet': False, '/right/cfrnet': False}
    pauses = np.random.default_rng(5).uniform(0, 0.03, (150, 2))
    try:
        with visiting(viewer.origin) as visitor, visiting(viewer.origin) as other:
            visitor.connect()
            visitor.wait_for_state(lambda s: names(s) == both, 'both nodes')
            for number, pair in enumerate(pauses):
                for node, pause_s in zip(both, pair):
                    visitor.look(node=node)
                    time.sleep(pause_s)
                # Another page opens, or leaves while its choice is still being carried out.
                if number % 20 == 9:
                    other.connect(node='/right/cfrnet')
                elif number % 20 == 19:
                    other.disconnect()
            for node in both:
                visitor.look(node=node)
                visitor.wait_for_state(looks_at(node), node)
        topics = [f'/{side}/image' for side in ('left', 'right')]
        # Each node itself is the only one that still subscribes to its camera.
        wait_until(
            lambda: [peer.node.count_subscribers(topic) for topic in topics] == [1, 1],
            'the end of all subscriptions',
        )
        assert 'Traceback' not in viewer.log
        assert 'never retrieved' not in viewer.log
    finally:
        for process in nodes:
            process.kill()
