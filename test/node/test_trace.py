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

"""The trace of a real node, `trace_file`."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from node_harness import NodeProcess, Peer, bgr8_message, send_until, values_of
from numpy.typing import NDArray
from ros_domains import next_domain

from cfrnet_ros.node.trace import FrameTrace
from cfrnet_ros.vision.frame_record import FrameRecord
from cfrnet_ros.vision.stages import Stage, StageClock

FRAMES = 6


class Log:
    """Log that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def warn(self, kind: str, text: str) -> None:
        self.lines.append(text)

    error = warn


@pytest.fixture(scope='module')
def traced(
    tmp_path_factory: pytest.TempPathFactory, portrait: NDArray[np.uint8]
) -> tuple[list[dict[str, Any]], list[dict[str, float]]]:
    """Events of a node that processed a few frames, and the stages that it reported of each."""
    folder = tmp_path_factory.mktemp('trace')
    path, domain = folder / 'trace.json', next_domain()
    process = NodeProcess(folder, domain, ['-p', f'trace_file:={path}', '-p', 'threads:=1'])
    peer = Peer(domain)
    try:
        camera = peer.publisher('image')
        with (
            peer.collect('/cfrnet/image_restored'),
            peer.collect('/cfrnet/frame/status', msg_type=DiagnosticArray) as reports,
        ):
            for number in range(1, FRAMES + 1):
                message = bgr8_message(portrait)
                message.header.stamp.sec = number

                def answered(number: int = number) -> bool:
                    return len(reports.messages) >= number

                send_until(camera, message, answered, 'a status')
        assert process.end() == 0
        stages = [
            {
                key.removeprefix('latency/').removesuffix('_ms'): float(value)
                for key, value in values_of(message.status[0]).items()
                if key.startswith('latency/')
            }
            for message in reports.messages
        ]
    finally:
        peer.close()
        process.kill()
    return json.loads(path.read_text()), stages


Traced = tuple[list[dict[str, Any]], list[dict[str, float]]]


def slices(events: list[dict[str, Any]], name: str = '') -> list[dict[str, Any]]:
    return [e for e in events if e['ph'] == 'X' and name in ('', e['name'])]


def end_of(event: dict[str, Any]) -> float:
    return float(event['ts'] + event['dur'])


def stages_within(events: list[dict[str, Any]], frame: dict[str, Any]) -> list[dict[str, Any]]:
    """Slices of the worker's row that begin within a frame, in the order of time."""
    inside = [
        e
        for e in slices(events)
        if e['tid'] == frame['tid'] and e is not frame and frame['ts'] <= e['ts'] < end_of(frame)
    ]
    return sorted(inside, key=lambda e: float(e['ts']))


def test_every_frame_is_a_slice_whose_stages_follow_each_other_within_it(traced: Traced) -> None:
    events, reported = traced
    frames = slices(events, 'frame')
    assert len(frames) == len(reported) >= FRAMES
    for frame in frames:
        stages = stages_within(events, frame)
        assert {'decode', 'track', 'restore_cycle_1', 'publish'} <= {e['name'] for e in stages}
        # Events are rounded to nanoseconds, which are thousandths of their unit.
        for earlier, later in pairwise(stages):
            assert end_of(earlier) <= later['ts'] + 0.002
        assert end_of(stages[-1]) <= end_of(frame) + 0.002
    for earlier, later in pairwise(frames):
        assert end_of(earlier) <= later['ts']


def test_stages_of_a_slice_sum_to_what_the_status_reports(traced: Traced) -> None:
    events, reported = traced
    for frame, stages_ms in zip(slices(events, 'frame'), reported):
        summed: dict[str, float] = {}
        for event in stages_within(events, frame):
            summed[event['name']] = summed.get(event['name'], 0.0) + event['dur'] / 1e3
        assert set(summed) == set(stages_ms) - {'wait', 'total'}
        for name, ms in summed.items():
            # The status has three to five digits after the point.
            assert ms == pytest.approx(stages_ms[name], abs=0.002)


def test_message_reaches_from_arrival_to_the_last_answer(traced: Traced) -> None:
    events, reported = traced
    begins = [e for e in events if e['ph'] == 'b']
    ends = [e for e in events if e['ph'] == 'e']
    waits, frames = slices(events, 'wait'), slices(events, 'frame')
    assert [e['id'] for e in begins] == [e['id'] for e in ends] == list(range(1, len(frames) + 1))
    for begin, end, wait, frame, stages_ms in zip(begins, ends, waits, frames, reported):
        assert begin['ts'] == pytest.approx(wait['ts'], abs=0.002)
        assert end_of(wait) == pytest.approx(frame['ts'], abs=0.002)
        assert end['ts'] == pytest.approx(end_of(frame), abs=0.002)
        assert (end['ts'] - begin['ts']) / 1e3 == pytest.approx(stages_ms['total'], abs=0.002)
        assert begin['args']['restored'] == 1


def test_rows_and_process_have_names(traced: Traced) -> None:
    events, _ = traced
    names = {e['args']['name'] for e in events if e['ph'] == 'M' and 'name' in e['args']}
    assert {'mailbox', 'worker'} < names
    assert len({e['pid'] for e in events}) == 1


def one_frame() -> tuple[StageClock, FrameRecord]:
    clock = StageClock()
    with clock(Stage.DECODE):
        pass
    clock.add(Stage.TOTAL, clock.elapsed_ms)
    return clock, FrameRecord(clock.stages_ms)


def test_full_trace_ends_as_complete_json_with_a_warning(tmp_path: Path) -> None:
    path, log = tmp_path / 'trace.json', Log()
    trace = FrameTrace(path, log, max_bytes=2000)  # type: ignore[arg-type]
    for _ in range(10):
        clock, record = one_frame()
        trace.add(clock.started_s, clock, record)
    trace.close()
    assert 1 <= len(slices(json.loads(path.read_text()), 'frame')) < 10
    assert len(log.lines) == 1
    assert f'{path} is full' in log.lines[0]


def test_file_that_cannot_be_written_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    log = Log()
    trace = FrameTrace(tmp_path / 'missing' / 'trace.json', log)  # type: ignore[arg-type]
    clock, record = one_frame()
    trace.add(clock.started_s, clock, record)
    trace.close()
    assert len(log.lines) == 1
    assert 'parameter trace_file' in log.lines[0]
