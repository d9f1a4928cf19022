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

"""Real nodes with `parallel_frames` above 1: order, pictures, failures and the lifecycle."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import node_models
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from frame_accounts import newest_counts
from node_harness import Peer, Start, bgr8_message, send_until, values_of, wait_until
from numpy.typing import NDArray
from sensor_msgs.msg import Image

FACE, FACES, STATUS = '/cfrnet/face/image', '/cfrnet/face/status', '/cfrnet/frame/status'
#: Distance of the stamps in nanoseconds.
PERIOD_NS = 66_000_000
FIRST_NS = 10**9

Frames = dict[int, NDArray[np.uint8]]


def stamp_of(message: Any) -> int:
    stamp = message.header.stamp
    return int(stamp.sec) * 10**9 + int(stamp.nanosec)


def stamped(pixels: NDArray[np.uint8], stamp_ns: int) -> Image:
    message = bgr8_message(pixels)
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
    return message


@pytest.fixture(scope='module')
def uneven_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return node_models.uneven_model(tmp_path_factory.mktemp('models') / 'uneven.onnx')


class Heard:
    """Crops and accounts that a node publishes."""

    def __init__(self, peer: Peer) -> None:
        self.crops = peer.collect(FACE, depth=100)
        self.faces = peer.collect(FACES, depth=100, msg_type=DiagnosticArray)
        self.statuses = peer.collect(STATUS, depth=100, msg_type=DiagnosticArray)

    @property
    def answered(self) -> list[int]:
        """Stamps of the frames whose processing has ended, in the order of their accounts."""
        return [stamp_of(message) for message in self.statuses.messages]

    def pictures(self) -> dict[int, bytes]:
        """Crops by stamp."""
        return {stamp_of(crop): bytes(crop.data) for crop in self.crops.messages}

    def seen(self) -> dict[int, list[tuple[str, str]]]:
        """What is said of the faces, by stamp."""
        return {
            stamp_of(message): [
                (pair.key, pair.value) for status in message.status for pair in status.values
            ]
            for message in self.faces.messages
        }


def play(camera: Any, portrait: NDArray[np.uint8], heard: Heard, least: int) -> Frames:
    """Send frames faster than they are restored until some are answered; return them by stamp.

    Of every three one takes the uneven model long, and two are dark and quick.
    """
    sent: Frames = {}
    deadline = time.monotonic() + 60
    while len(heard.answered) < least and time.monotonic() < deadline:
        number = len(sent)
        moved = np.roll(portrait, number % 5, axis=1)
        pixels = (moved * (1.0 if number % 3 == 0 else 0.5)).astype(np.uint8)
        stamp = FIRST_NS + number * PERIOD_NS
        sent[stamp] = pixels
        camera.publish(stamped(pixels, stamp))
        time.sleep(0.08)
    settle(heard)
    assert len(heard.answered) >= least
    return sent


def settle(heard: Heard) -> None:
    """Wait until nothing has come for a second."""
    count = -1
    while count != len(heard.answered):
        count = len(heard.answered)
        time.sleep(1.0)


@pytest.mark.parametrize('lanes', [2, 3])
def test_results_come_in_order_and_are_those_of_one_frame_after_another(
    start: Start, uneven_model: Path, portrait: NDArray[np.uint8], lanes: int
) -> None:
    arguments = ['-p', f'model:={uneven_model}', '-p', 'threads:=1', '-p', 'cycles:=1']
    _, peer = start(*arguments, '-p', f'parallel_frames:={lanes}')
    camera, heard = peer.publisher(), Heard(peer)
    sent = play(camera, portrait, heard, 12)
    answered = heard.answered
    assert answered == sorted(set(answered))
    assert [stamp_of(crop) for crop in heard.crops.messages] == answered
    waited = [
        float(values_of(message.status[0])['latency/order_ms'])
        for message in heard.statuses.messages
    ]
    # A quick frame was ready before the long one that was taken before it. One that need not wait
    # has a few hundredths of a millisecond here.
    assert max(waited) > 1

    _, other = start(*arguments)
    camera, single = other.publisher(), Heard(other)
    for stamp in answered:
        send_once(camera, stamped(sent[stamp], stamp), single)
    settle(single)
    assert single.answered == answered
    assert single.pictures() == heard.pictures()
    # Only the newest `~/face/status` is kept for a slow subscriber.
    ones, others = heard.seen(), single.seen()
    both = ones.keys() & others.keys()
    assert len(both) > len(answered) / 2
    assert [ones[stamp] for stamp in both] == [others[stamp] for stamp in both]


def send_once(camera: Any, message: Image, heard: Heard) -> None:
    """Send an image until it is answered, but not again while it is in work.

    An image that is processed twice would count twice in the average over time.
    """
    stamp = stamp_of(message)
    for _ in range(3):
        camera.publish(message)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if stamp in heard.answered:
                return
            time.sleep(0.005)
    raise AssertionError(f'the image of {stamp} ns was not answered')


def test_frames_that_fail_are_reported_in_their_turn_and_the_others_are_restored(
    start: Start, tmp_path: Path, portrait: NDArray[np.uint8]
) -> None:
    model = node_models.fragile_model(tmp_path / 'fragile.onnx')
    _, peer = start('-p', f'model:={model}', '-p', 'threads:=1', '-p', 'parallel_frames:=2')
    camera, heard = peer.publisher(), Heard(peer)
    bright = (portrait // 3 + 170).astype(np.uint8)
    broken = set()

    def enough() -> bool:
        kinds = [stamp in broken for stamp in heard.answered]
        return kinds.count(True) >= 3 and kinds.count(False) >= 3

    stamp, deadline = FIRST_NS, time.monotonic() + 60
    while not enough() and time.monotonic() < deadline:
        for pixels in (bright, portrait):
            stamp += PERIOD_NS
            if pixels is portrait:
                broken.add(stamp)
            camera.publish(stamped(pixels, stamp))
            time.sleep(0.1)
    assert enough()
    settle(heard)
    assert heard.answered == sorted(heard.answered)
    for message in heard.statuses.messages:
        failed = stamp_of(message) in broken
        assert message.status[0].message.startswith('internal') == failed, message.status[0]
    restored = [stamp_of(crop) for crop in heard.crops.messages]
    assert restored == [stamp for stamp in heard.answered if stamp not in broken]
    peer.wait_for_diagnostics(lambda d: newest_counts(peer)['in_flight'] == 0, 'no frame in work')
    assert newest_counts(peer)['rejected/internal'] == len(broken & set(heard.answered))


def test_nothing_comes_after_a_deactivation_with_frames_in_work(
    start: Start, tmp_path: Path, portrait: NDArray[np.uint8]
) -> None:
    # A bright frame takes seconds.
    model = node_models.uneven_model(tmp_path / 'long.onnx', 3_000_000)
    arguments = ['-p', f'model:={model}', '-p', 'threads:=1', '-p', 'cycles:=1']
    _, peer = start(*arguments, '-p', 'parallel_frames:=2')
    camera, heard = peer.publisher(), Heard(peer)
    send_until(
        camera,
        bgr8_message(portrait),
        lambda: newest_counts(peer)['in_flight'] == 3,
        'a frame in each lane, and one in the mailbox',
    )
    assert peer.transition('deactivate')
    before = len(heard.answered)
    peer.wait_for_diagnostics(
        lambda d: newest_counts(peer)['in_flight'] == 0, 'the lanes to give up their frames'
    )
    time.sleep(0.5)
    assert len(heard.answered) == before
    assert newest_counts(peer)['dropped'] >= 3
    assert peer.transition('activate')
    dark = (portrait * 0.5).astype(np.uint8)
    send_until(camera, bgr8_message(dark), lambda: len(heard.answered) > before, 'a new answer')


def test_rounds_of_the_lifecycle_with_frames_in_work_leave_no_thread(
    start: Start, uneven_model: Path, portrait: NDArray[np.uint8]
) -> None:
    arguments = ['-p', f'model:={uneven_model}', '-p', 'threads:=1', '-p', 'cycles:=1']
    process, peer = start(*arguments, '-p', 'parallel_frames:=3')
    heard = Heard(peer)
    threads = []
    for _ in range(4):
        camera = peer.publisher()
        count = len(heard.answered)

        def answered(count: int = count) -> bool:
            return len(heard.answered) > count + 2

        send_until(camera, bgr8_message(portrait), answered, 'answers')
        for _ in range(3):
            camera.publish(bgr8_message(portrait))
        peer.node.destroy_publisher(camera)
        active = threads_of(process.pid)
        assert peer.transition('deactivate')
        assert peer.transition('cleanup')

        def ended(active: int = active) -> bool:
            return threads_of(process.pid) <= active - 3

        wait_until(ended, 'the lanes to end')
        threads.append(threads_of(process.pid))
        assert peer.transition('configure')
        assert peer.transition('activate')
    assert threads[-1] <= threads[1]


def threads_of(pid: int) -> int:
    return len(list(Path(f'/proc/{pid}/task').iterdir()))


def test_trace_has_a_row_for_each_lane(
    start: Start, uneven_model: Path, portrait: NDArray[np.uint8], tmp_path: Path
) -> None:
    path = tmp_path / 'trace.json'
    arguments = ['-p', f'model:={uneven_model}', '-p', 'threads:=1', '-p', f'trace_file:={path}']
    process, peer = start(*arguments, '-p', 'parallel_frames:=2')
    camera, heard = peer.publisher(), Heard(peer)
    play(camera, portrait, heard, 6)
    assert process.end() == 0
    events = json.loads(path.read_text())
    names = {
        event['tid']: event['args']['name'] for event in events if event['name'] == 'thread_name'
    }
    rows = [[e for e in events if e.get('name') == 'frame' and e['tid'] == row] for row in (2, 3)]
    assert [names[row] for row in (2, 3)] == ['worker', 'worker 2']
    assert all(rows)
    assert sum(map(len, rows)) == len(heard.answered)
    for row in rows:
        assert_one_after_another(row)
    both = sorted((e for row in rows for e in row), key=lambda e: float(e['ts']))
    assert any(b['ts'] < a['ts'] + a['dur'] for a, b in pairwise(both))


def assert_one_after_another(events: Sequence[dict[str, Any]]) -> None:
    for earlier, later in pairwise(events):
        assert earlier['ts'] + earlier['dur'] <= later['ts'] + 0.002
