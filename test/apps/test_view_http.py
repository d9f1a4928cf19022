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

"""`cfrnet-view` as any program sees it, without a node and without a browser."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import WSServerHandshakeError
from node_harness import ROOT, wait_until
from ros_domains import next_domain
from viewer import Viewer, Visitor, visiting

PAGE = ROOT / 'cfrnet_ros/apps/view/page'
FILES = sorted(path.name for path in PAGE.iterdir())
#: What makes HTML or code of a text, or stores something in the browser.
UNSAFE = (
    'innerHTML', 'outerHTML', 'insertAdjacentHTML', 'document.write', 'eval(', 'localStorage',
    'sessionStorage', 'indexedDB', 'document.cookie',
)  # fmt: skip


@pytest.fixture(scope='module')
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    viewer = Viewer(tmp_path_factory.mktemp('viewer'), next_domain())
    yield viewer
    viewer.kill()


@pytest.fixture
def visitor(viewer: Viewer) -> Iterator[Visitor]:
    with visiting(viewer.origin) as visitor:
        yield visitor


@pytest.fixture(scope='module')
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    """A viewer that others can reach."""
    viewer = Viewer(tmp_path_factory.mktemp('locked'), next_domain(), '--host', '0.0.0.0')
    yield viewer
    viewer.kill()


def test_the_page_and_all_that_it_names_are_served(visitor: Visitor) -> None:
    status, headers, index = visitor.request('/')
    assert status == 200
    assert headers['Content-Type'] == 'text/html; charset=utf-8'
    named = set(re.findall(r'(?:href|src)="/([^"]+)"', index))
    imported = {
        name
        for path in PAGE.glob('*.js')
        for name in re.findall(r"from '\./([^']+)'", path.read_text())
    }
    assert named | imported | {'index.html'} == set(FILES)
    for name in FILES:
        status, headers, text = visitor.request(f'/{name}')
        assert (status, text) == (200, (PAGE / name).read_text())
        assert headers['X-Content-Type-Options'] == 'nosniff'


def test_nothing_else_is_served(visitor: Visitor) -> None:
    for path in ('/nowhere', '/..%2fserver.py', '/%2e%2e/server.py', '/page/index.html', '/.'):
        assert visitor.request(path)[0] in (400, 404) or '<title>' in visitor.request(path)[2]
    assert visitor.request('/', method='POST', Origin=visitor.origin)[0] == 405


def test_only_scripts_and_styles_of_the_server_run(visitor: Visitor) -> None:
    policy = visitor.request('/')[1]['Content-Security-Policy']
    rules = dict(rule.strip().split(' ', 1) for rule in policy.split(';'))
    assert rules['default-src'] == "'none'"
    assert {rules[f'{kind}-src'] for kind in ('script', 'style', 'img', 'connect')} == {"'self'"}
    assert rules['frame-ancestors'] == "'none'"
    assert 'unsafe' not in policy
    # An answer that refuses has the same headers.
    assert visitor.request('/nowhere')[1]['Content-Security-Policy'] == policy


def test_the_page_works_offline_and_makes_no_html_of_text() -> None:
    for path in PAGE.iterdir():
        text = path.read_text()
        outside = set(re.findall(r'https?://[^\s\'")`]+', text)) - {'http://www.w3.org/2000/svg'}
        assert not outside, path.name
        for unsafe in UNSAFE:
            assert unsafe not in text, path.name
    assert not re.search(r'\son\w+=|style=|<style|<script>', (PAGE / 'index.html').read_text())


def test_other_names_are_refused(visitor: Visitor) -> None:
    port = visitor.origin.rpartition(':')[2]
    for host in ('evil.example', f'evil.example:{port}', f'192.168.1.20:{port}', 'localhost.evil'):
        for path in ('/', '/session', '/main.js', '/socket'):
            status, _, text = visitor.request(path, Host=host)
            assert status == 403, (host, path)
            assert '--allow-host' in text
    assert visitor.request('/', Host=f'localhost:{port}')[0] == 200
    # The other end of a tunnel has another port.
    assert visitor.request('/', Host='localhost:9000')[0] == 200


def test_pages_of_other_sites_cannot_connect(visitor: Visitor) -> None:
    for origin in ('http://evil.example', 'null', '', visitor.origin + '1'):
        upgrade = {'Connection': 'Upgrade', 'Upgrade': 'websocket'}
        assert visitor.request('/socket', Origin=origin, **upgrade)[0] == 403
        assert visitor.request('/session', method='POST', body='x', Origin=origin)[0] == 403
    assert visitor.request('/socket', Connection='Upgrade', Upgrade='websocket')[0] == 403
    visitor.connect()
    visitor.wait_for_state(lambda state: state['nodes'] == [], 'a state without nodes')


def test_a_token_is_needed_where_others_can_connect(locked: Viewer) -> None:
    token = locked.url.partition('#token=')[2]
    assert len(token) == 32
    assert 'not encrypted' in locked.log
    with visiting(locked.origin) as visitor:
        # The files hold nothing of anybody; without them there would be no place for the token.
        assert visitor.request('/')[0] == 200
        assert visitor.request('/session')[0] == 401
        with pytest.raises(WSServerHandshakeError) as refused:
            visitor.connect()
        assert refused.value.status == 401
        own = {'Origin': visitor.origin}
        for wrong in ('', 'x' * 32, token[:-1]):
            assert visitor.request('/session', method='POST', body=wrong, **own)[0] == 401
        assert visitor.request('/session')[0] == 401
        status, headers, _ = visitor.request('/session', method='POST', body=token, **own)
        assert status == 204
        cookie = headers['Set-Cookie']
        assert {'HttpOnly', 'SameSite=Strict', 'Path=/'} <= {
            part.strip() for part in cookie.split(';')
        }
        assert token not in cookie
        assert 'expires' not in cookie.lower()
        assert 'max-age' not in cookie.lower()
        assert visitor.request('/session')[0] == 204
        visitor.connect()
        visitor.wait_until_connected()
    with visiting(locked.origin) as another:
        assert another.request('/session')[0] == 401
    assert 'a wrong token came from 127.0.0.1' in locked.log


def test_a_token_can_be_given_on_this_machine_too(tmp_path: Path) -> None:
    (tmp_path / 'token').write_text('correct-horse-battery\n')
    viewer = Viewer(tmp_path, next_domain(), '--token-file', str(tmp_path / 'token'))
    try:
        assert viewer.url.endswith('/#token=correct-horse-battery')
        with visiting(viewer.origin) as visitor:
            assert visitor.request('/session')[0] == 401
            answer = visitor.request(
                '/session', method='POST', body='correct-horse-battery', Origin=visitor.origin
            )
            assert answer[0] == 204
            assert visitor.request('/session')[0] == 204
    finally:
        viewer.kill()


def test_damaged_messages_of_a_page_are_ignored(viewer: Viewer, visitor: Visitor) -> None:
    visitor.connect()
    visitor.wait_until_connected()
    for message in (
        {'type': 'look'},
        {'type': 'set', 'name': 'cycles', 'value': '3', 'id': 'x'},
        {'type': 'shown', 'kind': ['whole']},
        {'kind': 'shown'},
    ):
        visitor.send(**message)
    assert visitor.set('cycles', '3') == 'no node is there'
    assert 'Traceback' not in viewer.log
    # A message that is too long ends the connection of that page only.
    visitor.send(type='look', node='x' * 5000, whole=True, faces=True)
    with visiting(viewer.origin) as another:
        another.connect()
        another.wait_until_connected()


def test_a_browser_too_many_is_refused(viewer: Viewer) -> None:
    visitors = [Visitor(viewer.origin) for _ in range(17)]
    try:
        for visitor in visitors[:16]:
            visitor.connect()
        with pytest.raises(WSServerHandshakeError) as refused:
            visitors[16].connect()
        assert refused.value.status == 503
        visitors[0].disconnect()

        def enters() -> bool:
            try:
                visitors[16].connect()
            except WSServerHandshakeError:
                return False
            return True

        wait_until(enters, 'a place that became free', period_s=0.2)
    finally:
        for visitor in visitors:
            visitor.close()


def test_ctrl_c_ends_it_with_a_browser_connected_and_nothing_is_left(tmp_path: Path) -> None:
    viewer = Viewer(tmp_path, next_domain())
    with visiting(viewer.origin) as visitor:
        visitor.connect()
        visitor.wait_until_connected()
        assert viewer.end() == 0
    assert 'Traceback' not in viewer.log
    assert 'Error' not in viewer.log
    assert viewer.kept_files() == []


def test_a_port_in_use_is_told() -> None:
    with socket.socket() as other:
        other.bind(('127.0.0.1', 0))
        other.listen()
        port = str(other.getsockname()[1])
        done = subprocess.run(
            [sys.executable, '-m', 'cfrnet_ros.apps.view', '--port', port],
            env={**os.environ, 'ROS_DOMAIN_ID': str(next_domain())}, cwd=ROOT,
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
    assert done.returncode == 1
    assert f'port {port}' in done.stderr
    assert '--port' in done.stderr
    assert 'Traceback' not in done.stderr


def test_a_bag_that_is_not_there_is_told(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, '-m', 'cfrnet_ros.apps.view', '--bag', str(tmp_path / 'nowhere')],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    assert 'there is no bag' in done.stderr
    assert 'Traceback' not in done.stderr
