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

"""`cfrnet-view` as a user sees it, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Page, needs_chromium
from moving_camera import MovingCamera
from node_harness import NodeProcess, Peer, wait_until
from ros_domains import next_domain
from sensor_msgs.msg import Image
from viewer import Viewer

pytestmark = needs_chromium

#: Sum of the pixels of a canvas, which changes with each frame.
SUM = """(() => { const c = document.querySelector('%s');
    const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
    let sum = 0; for (let i = 0; i < d.length; i += 4) sum += d[i]; return sum; })()"""
CAMERA, RESTORED = '#stage canvas.camera', '#stage canvas.restored'
SHOWN = 'Number(document.querySelector("#stage").dataset.shown ?? 0)'
#: Texts of which the contrast with what is behind them is below 4.5 (WCAG 2.2, 1.4.3).
FAINT = """(() => {
  const rgb = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const found = rgb(getComputedStyle(node).backgroundColor);
      if (found.length === 3 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const node of document.querySelectorAll('body *')) {
    const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    // Tags lie on pictures, on a dark ground of their own.
    if (!own || !node.checkVisibility() || node.closest('.tag, .handle, legend')) continue;
    const style = getComputedStyle(node);
    const text = light(rgb(node instanceof SVGElement ? style.fill : style.color));
    const ground = light(behind(node));
    const ratio = (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
    if (ratio < 4.5) faint.push(`${node.tagName} ${node.textContent.slice(0, 30)} ${ratio}`);
  }
  return faint;
})()"""


@pytest.fixture(scope='module')
def domain() -> int:
    return next_domain()


@pytest.fixture(scope='module')
def peer(domain: int) -> Iterator[Peer]:
    peer = Peer(domain)
    yield peer
    peer.close()


@pytest.fixture(scope='module')
def arguments(halving_model: Path) -> list[str]:
    return ['-p', f'model:={halving_model}']


@pytest.fixture(scope='module')
def viewer(
    tmp_path_factory: pytest.TempPathFactory, domain: int, peer: Peer, arguments: list[str]
) -> Iterator[Viewer]:
    """A viewer beside a node with a camera."""
    folder = tmp_path_factory.mktemp('view')
    node = NodeProcess(folder / 'node', domain, arguments)
    viewer = Viewer(folder / 'viewer', domain)
    with MovingCamera(peer):
        yield viewer
    viewer.kill()
    node.kill()


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    page = Page(tmp_path)
    yield page
    page.close()


@pytest.fixture
def opened(page: Page, viewer: Viewer) -> Page:
    page.look(1280, 900)
    page.open(viewer.url)
    page.wait(f'{SHOWN} > 0', 'a picture')
    page.wait('document.querySelectorAll(".slider").length === 4', 'the sliders')
    return page


def test_the_page_loads_and_its_pictures_move(opened: Page) -> None:
    assert opened.text('#nodes') == '/cfrnet'
    for canvas in (CAMERA, RESTORED, '#faces canvas.camera', '#faces canvas.restored'):
        opened.wait(f'document.querySelector("{canvas}")', canvas)
    sums: dict[str, set[int]] = {CAMERA: set(), RESTORED: set()}

    def moves() -> bool:
        for canvas, seen in sums.items():
            seen.add(int(opened.run(SUM % canvas)))
        return all(len(seen) > 3 for seen in sums.values())

    wait_until(moves, 'pictures that move', period_s=0.1)
    assert not sums[CAMERA] & sums[RESTORED]
    opened.wait(
        'document.querySelector("#faces .verdict").innerText.includes("2 cycles")', 'verdict'
    )
    assert 'ms' in opened.text('#figures')
    opened.wait('document.querySelectorAll("#history rect.processed").length > 1', 'the chart')
    assert {'detection', 'cycle 1', 'cycle 2', 'in the node'} <= set(
        opened.run('[...document.querySelectorAll(".stages tbody th")].map((th) => th.innerText)')
    )
    assert opened.text('#diagnostics').count('All values') == 3
    assert opened.problems == []


def test_the_wipe_follows_mouse_and_keys(opened: Page) -> None:
    box = opened.run(
        '(() => { const b = document.querySelector("#stage .pair").getBoundingClientRect();'
        ' return [b.left, b.top, b.width, b.height]; })()'
    )
    left, top, width, height = box
    wipe = 'document.documentElement.style.getPropertyValue("--wipe")'
    opened.drag((left + width / 2, top + height / 2), (left + width / 4, top + height / 3))
    assert float(opened.run(wipe).rstrip('%')) == pytest.approx(25, abs=1)
    clip = 'getComputedStyle(document.querySelector("#stage .half.restored")).clipPath'
    assert '25' in opened.run(clip)
    opened.press('#stage .handle', 'ArrowRight', 39)
    assert float(opened.run(wipe).rstrip('%')) == pytest.approx(30, abs=1)
    opened.press('#stage .handle', 'End', 35)
    assert opened.run(wipe) == '100%'
    # Side by side, both are seen in whole.
    opened.run('document.querySelector("[name=layout][value=side]").click()')
    assert opened.run(clip) == 'none'
    places = opened.run(
        '[...document.querySelectorAll("#stage canvas")].map((c) => c.getBoundingClientRect().left)'
    )
    assert places[0] + 100 < places[1]


def test_a_slider_changes_the_parameter_of_the_node(opened: Page, peer: Peer) -> None:
    opened.press('#set-cycles', 'ArrowRight', 39)
    wait_until(lambda: peer.get_parameter('cycles') == 3, '3 cycles')
    opened.wait(
        'document.querySelector("#faces .verdict").innerText.includes("3 cycles")', '3 cycles'
    )
    box = '.slider input[type=number]'
    opened.type_into(box, '99')
    opened.wait('document.querySelector(".slider .error").innerText', 'an error')
    error = opened.text('.slider .error')
    assert error.startswith('Refused: ')
    assert 'Max: 8' in error
    opened.wait(f'document.querySelector("{box}").value === "3"', 'the value that is set')
    assert peer.get_parameter('cycles') == 3
    opened.type_into(box, '2')
    wait_until(lambda: peer.get_parameter('cycles') == 2, '2 cycles')
    opened.wait('!document.querySelector(".slider .error").innerText', 'no error')


def test_whole_frames_can_be_switched_off(opened: Page, peer: Peer) -> None:
    count = peer.node.count_subscribers
    topic = '/cfrnet/image_restored/compressed'
    wait_until(lambda: count(topic) == 1, 'a subscription')
    opened.run('document.querySelector("#whole").click()')
    wait_until(lambda: count(topic) == 0, 'no subscription')
    assert count('/cfrnet/face/image/compressed') == 1
    assert opened.run('document.querySelector("#stage .pair").checkVisibility()') is False


@pytest.mark.parametrize('dark', [False, True], ids=['light', 'dark'])
@pytest.mark.parametrize('width', [1280, 400])
def test_the_page_fits_and_can_be_read(opened: Page, width: int, dark: bool) -> None:
    opened.look(width, 900, dark, touch=width < 500)
    ground = opened.run('getComputedStyle(document.body).backgroundColor')
    assert (ground == 'rgb(14, 17, 22)') == dark
    opened.wait('document.querySelector("#faces figcaption")', 'a face')
    opened.run('document.querySelectorAll("details").forEach((d) => { d.open = true; })')
    assert opened.run('document.documentElement.scrollWidth <= innerWidth')
    wide = opened.run(
        '[...document.querySelectorAll("body *")].filter((e) => e.checkVisibility()'
        ' && !e.closest(".handle, fieldset, svg")'
        ' && e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.outerHTML)'
    )
    assert wide == []
    assert opened.run(FAINT) == []


def test_a_second_node_has_a_tab(opened: Page, domain: int, tmp_path: Path) -> None:
    arguments = ['-r', '__ns:=/right', '-p', 'autostart:=false']
    node = NodeProcess(tmp_path / 'right', domain, arguments)
    try:
        opened.wait('document.querySelectorAll("#nodes .tab").length === 2', 'two tabs')
        assert opened.text('#nodes .tab[aria-pressed=true]') == '/cfrnet'
        opened.run('document.querySelectorAll("#nodes .tab")[1].click()')
        opened.wait('document.querySelector("#notice").innerText.includes("unconfigured")', 'state')
        assert opened.text('#nodes .tab[aria-pressed=true]') == '/right/cfrnet'
        before = opened.run(SHOWN)
        opened.run('document.querySelectorAll("#nodes .tab")[0].click()')
        opened.wait(f'{SHOWN} > {before}', 'pictures of the first node')
    finally:
        node.kill()


def test_texts_of_cameras_are_no_html(page: Page, tmp_path: Path) -> None:
    domain = next_domain()
    other = Peer(domain)
    node = NodeProcess(tmp_path / 'node', domain, [])
    viewer = Viewer(tmp_path / 'viewer', domain)
    try:
        publisher = other.publisher('/image')
        message = Image(width=64, height=64, step=64, encoding='<img id=evil src=/x>')
        message.data = [0] * 4096
        page.open(viewer.url)

        def told() -> bool:
            message.header.stamp = other.now()
            publisher.publish(message)
            return '<img id=evil' in page.text('#stage')

        wait_until(told, 'the text', period_s=0.2)
        assert page.run('document.querySelector("#evil")') is None
    finally:
        viewer.kill()
        other.close()
        node.kill()


def test_a_node_that_dies_is_told_and_the_page_recovers(
    page: Page, arguments: list[str], tmp_path: Path
) -> None:
    domain = next_domain()
    other = Peer(domain)
    viewer = Viewer(tmp_path / 'viewer', domain)
    node = None
    try:
        with MovingCamera(other):
            page.open(viewer.url)
            page.wait('document.querySelector("#notice").innerText.includes("No restorer")', 'none')
            node = NodeProcess(tmp_path / 'node', domain, arguments)
            page.wait(f'{SHOWN} > 3', 'pictures')
            page.wait('document.querySelectorAll(".slider").length === 4', 'the sliders')
            node.kill()
            page.wait(
                'document.querySelector("#notice").innerText.includes("not answered")', 'loss'
            )
            page.wait('document.querySelectorAll(".slider").length === 0', 'no sliders')
            page.wait('document.querySelector("#stage .no-restored")', 'the camera alone')
            node = NodeProcess(tmp_path / 'again', domain, arguments)
            page.wait('document.querySelector("#notice").hidden', 'no notice any more')
            page.wait('!document.querySelector("#stage .no-restored")', 'restored frames')
            page.wait('document.querySelectorAll(".slider").length === 4', 'the sliders')
            page.press('#set-cycles', 'ArrowRight', 39)
            wait_until(lambda: other.get_parameter('cycles') == 3, '3 cycles')
        assert page.problems == []
    finally:
        viewer.kill()
        other.close()
        if node is not None:
            node.kill()


def test_a_viewer_that_is_started_again_is_found_again(page: Page, tmp_path: Path) -> None:
    domain = next_domain()
    viewer = Viewer(tmp_path / 'first', domain)
    port = viewer.origin.rpartition(':')[2]
    page.open(viewer.url)
    notice = 'document.querySelector("#notice").innerText'
    page.wait(f'{notice}.includes("No restorer")', 'an answer')
    viewer.kill()
    page.wait(f'{notice}.includes("viewer does not answer")', 'the loss')
    again = Viewer(tmp_path / 'second', domain, '--port', port)
    try:
        page.wait(f'{notice}.includes("No restorer")', 'an answer again')
    finally:
        again.kill()


def test_a_page_for_others_asks_for_the_token(page: Page, tmp_path: Path) -> None:
    viewer = Viewer(tmp_path / 'viewer', next_domain(), '--host', '0.0.0.0')
    try:
        token = viewer.url.partition('#token=')[2]
        page.open(viewer.origin)
        page.wait('!document.querySelector("#login").hidden', 'the form')
        assert page.text('#view') == ''
        page.type_into('#token', 'a guess that is wrong')
        page.wait('document.querySelector("#wrong").innerText', 'a word about it')
        assert page.text('#wrong') == 'This is not the token.'
        page.type_into('#token', token)
        page.wait('document.querySelector("#login").hidden', 'the page')
        page.wait('document.querySelector("#notice").innerText.includes("No restorer")', 'a state')
        # A script cannot read it, and it ends with the browser.
        assert page.run('document.cookie') == ''
        (cookie,) = page.call('Network.getCookies')['cookies']
        assert (cookie['httpOnly'], cookie['sameSite'], cookie['session']) == (True, 'Strict', True)
    finally:
        viewer.kill()


def test_the_address_with_the_token_opens_the_page_and_loses_the_token(
    page: Page, tmp_path: Path
) -> None:
    viewer = Viewer(tmp_path / 'viewer', next_domain(), '--host', '0.0.0.0')
    try:
        page.open(viewer.url)
        page.wait('document.querySelector("#notice").innerText.includes("No restorer")', 'a state')
        assert page.run('location.href') == f'{viewer.origin}/'
        history = page.call('Page.getNavigationHistory')['entries']
        assert not [entry['url'] for entry in history if 'token' in entry['url']]
    finally:
        viewer.kill()


def test_other_sites_and_other_names_are_refused(viewer: Viewer, tmp_path: Path) -> None:
    page = Page(tmp_path, names='MAP evil.example 127.0.0.1')
    try:
        port = viewer.origin.rpartition(':')[2]
        # A name of somebody else that points here.
        page.open(f'http://evil.example:{port}/')
        page.wait('document.body.innerText.includes("does not answer to this name")', 'refusal')
        # A page of somebody else that asks for ours.
        ask = """new Promise((done) => {{ const socket = new WebSocket('ws://{host}/socket');
            socket.onopen = () => done('open'); socket.onerror = () => done('refused'); }})"""
        assert page.run(ask.format(host=f'127.0.0.1:{port}')) == 'refused'
        assert page.run(ask.format(host=f'localhost:{port}')) == 'refused'
        assert page.run(f"fetch('http://127.0.0.1:{port}/session').then(() => 1, () => 0)") == 0
        # The page itself may.
        page.open(f'http://localhost:{port}/')
        page.wait(f'{SHOWN} > 0', 'a picture')
        assert page.run(ask.format(host=f'localhost:{port}')) == 'open'
        assert page.run(ask.format(host=f'127.0.0.1:{port}')) == 'refused'
    finally:
        page.close()


def test_nothing_is_stored(opened: Page, viewer: Viewer, tmp_path: Path) -> None:
    opened.wait(f'{SHOWN} > 5', 'pictures')
    assert opened.run('document.cookie') == ''
    assert opened.run('localStorage.length + sessionStorage.length') == 0
    assert opened.run('indexedDB.databases().then((found) => found.length)') == 0
    assert opened.run('caches.keys().then((found) => found.length)') == 0
    assert opened.call('Network.getCookies')['cookies'] == []
    # No file of the browser holds a JPEG of it either.
    profile = tmp_path / 'chromium'
    kept = [path for path in profile.rglob('*') if path.is_file() and path.stat().st_size < 1e7]
    assert kept
    assert not [path for path in kept if b'\xff\xd8\xff\xe0' in path.read_bytes()]
    assert viewer.kept_files() == []
