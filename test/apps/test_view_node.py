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

"""`cfrnet-view` with real nodes over DDS, seen through its WebSocket."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from moving_camera import MARKS, MovingCamera, decode, mark_of
from node_harness import ROOT, NodeProcess, Peer, wait_until
from ros_domains import next_domain
from viewer import Viewer, Visitor, visiting

RESTORED = '/cfrnet/image_restored/compressed'
CROPS = '/cfrnet/face/image/compressed'


class Setup:
    """A domain with a node, a peer that is its camera, and a viewer."""

    def __init__(self, folder: Path, model: Path, *node_arguments: str) -> None:
        self.folder, self.model = folder, model
        self.domain = next_domain()
        self.node = self.start(*node_arguments)
        self.peer = Peer(self.domain)
        self.viewer = Viewer(folder / 'viewer', self.domain)

    def start(self, *arguments: str, name: str = 'node') -> NodeProcess:
        """Start a node."""
        return NodeProcess(
            self.folder / name, self.domain, ['-p', f'model:={self.model}', *arguments]
        )

    def close(self) -> None:
        self.viewer.kill()
        self.peer.close()
        self.node.kill()


@pytest.fixture(scope='module')
def setup(tmp_path_factory: pytest.TempPathFactory, halving_model: Path) -> Iterator[Setup]:
    setup = Setup(tmp_path_factory.mktemp('view'), halving_model)
    with MovingCamera(setup.peer):
        yield setup
    setup.close()


@pytest.fixture
def visitor(setup: Setup) -> Iterator[Visitor]:
    with visiting(setup.viewer.origin) as visitor:
        visitor.connect()
        yield visitor


def whole(about: dict[str, Any]) -> bool:
    return about['kind'] == 'whole' and about['files'] == ['camera', 'restored']


def with_face(about: dict[str, Any]) -> bool:
    return about['kind'] == 'faces' and bool(about['faces'])


def slider_of(state: dict[str, Any], name: str) -> Any:
    return next((s['value'] for s in state['sliders'] if s['name'] == name), None)


def with_value(name: str, value: Any) -> Callable[[dict[str, Any]], bool]:
    return lambda state: bool(slider_of(state, name) == value)


def is_there(state: dict[str, Any]) -> bool:
    return bool(state['sliders']) and not state['nodes'][0]['lost']


def test_both_pictures_are_of_the_same_frame(visitor: Visitor) -> None:
    marks: set[int] = set()
    deadline = time.monotonic() + 60
    while len(marks) < 5 and time.monotonic() < deadline:
        _, files = visitor.wait_for_picture(whole, 'a whole frame')
        camera, restored = map(decode, files)
        assert camera.shape == restored.shape == (512, 512, 3)
        assert mark_of(camera) == mark_of(restored)
        marks.add(mark_of(camera))
        difference = np.abs(camera.astype(int) - restored)
        # The face is in the upper middle; the model takes away contrast there and nowhere else.
        assert difference[80:180, 190:260].mean() > 5
        assert difference[400:].mean() < 2
    assert len(marks) == 5


def test_a_face_comes_before_and_after_restoration_with_what_was_measured(
    visitor: Visitor,
) -> None:
    about, files = visitor.wait_for_picture(with_face, 'a face')
    (face,) = about['faces']
    assert face['files'] == ['camera', 'restored']
    assert face['values']['restored'] == 'true'
    assert face['values']['cycles'] == '2'
    assert float(face['values']['size_px']) > 60
    assert 'affine' not in face['values']
    before, after = map(decode, files)
    assert before.shape == after.shape == (256, 256, 3)
    # Two cycles quarter the contrast around mid-grey; the rest is the same face.
    assert after.std() < 0.5 * before.std()
    grey_before, grey_after = (p.mean(axis=2).ravel() for p in (before, after))
    assert np.corrcoef(grey_before, grey_after)[0, 1] > 0.9


def test_a_slider_sets_the_parameter_of_the_node(setup: Setup, visitor: Visitor) -> None:
    state = visitor.wait_for_state(is_there, 'the sliders')
    ranges = {s['name']: (s['low'], s['high'], s['step']) for s in state['sliders']}
    assert ranges == {
        'cycles': (1, 8, 1), 'strength': (0.0, 1.0, 0.05), 'fusion': (0.0, 1.0, 0.05),
        'temporal_smoothing': (0.0, 1.0, 0.05),
    }  # fmt: skip
    for name, text, value in (
        ('cycles', '3', 3), ('strength', '0.75', 0.75), ('fusion', '0', 0.0),
        ('temporal_smoothing', '0.2', 0.2),
    ):  # fmt: skip
        assert visitor.set(name, text) == ''
        assert setup.peer.get_parameter(name) == value
        visitor.wait_for_state(with_value(name, value), f'{name} {value}')
    for name, text in (
        ('cycles', '2'), ('strength', '1'), ('fusion', '1'), ('temporal_smoothing', '0.4'),
    ):  # fmt: skip
        assert visitor.set(name, text) == ''


def test_the_nodes_own_reason_is_told_when_it_refuses(setup: Setup, visitor: Visitor) -> None:
    visitor.wait_for_state(is_there, 'the sliders')
    assert 'Min: 1, Max: 8' in visitor.set('cycles', '99')
    assert 'strength' in visitor.set('strength', '1.5')
    assert "must be integer; got 'many'" in visitor.set('cycles', 'many')
    assert 'cannot be set from this page' in visitor.set('max_faces', '1')
    assert 'cannot be set from this page' in visitor.set('model', '/etc/passwd')
    assert setup.peer.get_parameter('cycles') == 2
    assert setup.peer.get_parameter('max_faces') == 4


def test_a_parameter_that_somebody_else_sets_is_shown(setup: Setup, visitor: Visitor) -> None:
    visitor.wait_for_state(is_there, 'the sliders')
    assert setup.peer.set_parameter('strength', 0.5).successful
    visitor.wait_for_state(lambda state: slider_of(state, 'strength') == 0.5, 'strength 0.5')
    assert setup.peer.set_parameter('strength', 1.0).successful


def test_why_a_face_was_refused_is_told_with_the_limit(setup: Setup, visitor: Visitor) -> None:
    visitor.wait_for_picture(with_face, 'a face')
    assert setup.peer.set_parameter('min_face_px', 500).successful
    try:
        about, _ = visitor.wait_for_picture(
            lambda about: with_face(about) and about['faces'][0]['values']['restored'] == 'false',
            'a face that is not restored',
        )
        assert about['faces'][0]['values']['reason'] == 'too_small'
        limit = {'parameter': 'min_face_px', 'value': 500}
        visitor.wait_for_state(
            lambda state: (
                state['limits']['too_small'] == limit
                and int(state['statuses']['restoration']['values']['faces/unrestored/too_small'])
            ),
            'the count and the limit',
        )
    finally:
        assert setup.peer.set_parameter('min_face_px', 24).successful


def test_latency_and_counts_of_the_diagnostics_are_passed_on(visitor: Visitor) -> None:
    visitor.wait_for_picture(whole, 'a whole frame')
    state = visitor.wait_for_state(
        lambda s: 'latency/blend/p50_ms' in s['statuses']['restoration']['values'], 'latency'
    )
    assert state['node'] == '/cfrnet'
    assert int(state['statuses']['input']['values']['frames/processed']) > 0
    assert float(state['statuses']['restoration']['values']['latency/total/p95_ms']) > 0
    first = state['number']
    visitor.wait_for_state(lambda s: s['number'] >= first + 2, 'newer diagnostics')


def test_topics_are_subscribed_to_only_while_somebody_looks(setup: Setup) -> None:
    count = setup.peer.node.count_subscribers

    def subscribed() -> tuple[int, int, int, int]:
        # The peer subscribes to the diagnostics, and the node to the camera.
        return count(RESTORED), count(CROPS), count('/diagnostics') - 1, count('/image') - 1

    def reach(wanted: tuple[int, int, int, int]) -> None:
        wait_until(lambda: subscribed() == wanted, f'{wanted} instead of {subscribed()}')

    reach((0, 0, 0, 0))
    with visiting(setup.viewer.origin) as visitor:
        visitor.connect()
        reach((1, 1, 1, 1))
        visitor.look(whole=False)
        reach((0, 1, 1, 1))
        with visiting(setup.viewer.origin) as another:
            another.connect(whole=True, faces=False)
            reach((1, 1, 1, 1))
        reach((0, 1, 1, 1))
        # A page in the background.
        visitor.look(whole=False, faces=False)
        reach((0, 0, 1, 0))
    reach((0, 0, 0, 0))


def test_a_slow_browser_gets_the_newest_picture_and_no_queue(setup: Setup) -> None:
    with visiting(setup.viewer.origin) as visitor:
        visitor.answers = False
        visitor.connect(faces=False)
        wait_until(lambda: visitor.pictures, 'a picture')
        _, files = visitor.pictures[0]
        first = mark_of(decode(files[0]))
        time.sleep(1.5)
        assert len(visitor.pictures) == 1
        visitor.send(type='shown', kind='whole')
        wait_until(lambda: len(visitor.pictures) > 1, 'the next picture')
        time.sleep(0.5)
        assert len(visitor.pictures) == 2
        skipped = (mark_of(decode(visitor.pictures[1][1][0])) - first) % MARKS
        assert skipped > 5


def test_a_policy_for_sros2_allows_exactly_what_the_viewer_has(
    setup: Setup, visitor: Visitor
) -> None:
    root = ElementTree.parse(ROOT / 'config/sros2/viewer.policy.xml').getroot()
    (profile,) = root.iter('profile')
    assert (profile.get('ns'), profile.get('node')) == ('/', 'cfrnet_view')
    allowed: dict[tuple[str, str], set[str]] = {}
    for group in profile:
        ((action, verdict),) = group.attrib.items()
        assert verdict == 'ALLOW'
        allowed[group.tag, action] = {
            str(entry.text).replace('~/', '/cfrnet_view/', 1) if '~' in str(entry.text)
            else f'/{entry.text}'.replace('//', '/')
            for entry in group
        }  # fmt: skip
    node = setup.peer.node
    visitor.wait_for_state(is_there, 'the sliders')
    # The client for setting parameters comes with the first use.
    assert visitor.set('cycles', '2') == ''

    def seen() -> dict[tuple[str, str], set[str]]:
        asks = {
            ('topics', 'subscribe'): node.get_subscriber_names_and_types_by_node,
            ('topics', 'publish'): node.get_publisher_names_and_types_by_node,
            ('services', 'reply'): node.get_service_names_and_types_by_node,
            ('services', 'request'): node.get_client_names_and_types_by_node,
        }
        return {kind: {name for name, _ in ask('cfrnet_view', '/')} for kind, ask in asks.items()}

    wait_until(lambda: seen() == allowed, f'{allowed} instead of {seen()}')
