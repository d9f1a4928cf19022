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

from __future__ import annotations

import threading
import time
import tracemalloc
from dataclasses import fields

import numpy as np
import pytest

from cfrnet_ros.node.latency import LEAST_S, LONGEST_S, EventWindow, LatencyWindow
from cfrnet_ros.node.mailbox import Mailbox
from cfrnet_ros.node.monitor import Monitor
from cfrnet_ros.node.parameters import Settings
from cfrnet_ros.node.rate_limit import RateLimit
from cfrnet_ros.vision.frame_record import FrameRecord
from cfrnet_ros.vision.stages import Stage


def test_mailbox_returns_the_item_that_a_newer_one_replaces() -> None:
    mailbox: Mailbox[int] = Mailbox()
    assert mailbox.put(1) is None
    assert mailbox.put(2) == 1
    assert mailbox.take() == 2
    assert mailbox.take() is None


def test_closed_mailbox_refuses_items_and_wakes_up_wait() -> None:
    mailbox: Mailbox[int] = Mailbox()
    found: list[bool] = []
    taker = threading.Thread(target=lambda: found.append(mailbox.wait()))
    taker.start()
    assert mailbox.close() is None
    taker.join(30)
    assert found == [False]
    assert mailbox.put(5) == 5


def test_percentiles_cover_only_the_window() -> None:
    window = LatencyWindow()
    window.add(0.0, 1000.0)
    for index in range(101):
        window.add(10.0 + index / 100, float(index))
    result = window.percentiles(now=11.0, window_s=5.0)
    assert result is not None
    assert (result.p50, result.p95, result.p99, result.max) == (50.0, 95.0, 99.0, 100.0)
    assert result.count == 101
    assert window.percentiles(now=100.0, window_s=5.0) is None


def test_event_count_covers_only_the_window() -> None:
    events = EventWindow()
    for when in (1.0, 2.0, 3.0, 9.0):
        events.add(when)
    assert events.count(now=10.0, window_s=8.5) == 3
    assert events.count(now=100.0, window_s=8.5) == 0


def test_windows_of_a_long_run_keep_no_more_than_the_longest_window_needs() -> None:
    latency, events = LatencyWindow(), EventWindow()
    assert latency.percentiles(0.0, LONGEST_S) is None
    assert events.count(0.0, LONGEST_S) == 0
    tracemalloc.start()
    try:
        for second in range(200_000):
            if second == 20_000:
                before, _ = tracemalloc.get_traced_memory()
            latency.add(float(second), float(second % 7))
            events.add(float(second))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 10_000
    now = 199_999.0
    assert events.count(now, LONGEST_S) == LONGEST_S + 1
    whole = latency.percentiles(now, LONGEST_S)
    assert whole is not None
    assert (whole.count, whole.max) == (LONGEST_S + 1, 6.0)
    assert latency.total(now, 13.0) == 2 * sum(range(7))
    assert latency.mean(now, 13.0) == 3.0


def test_samples_are_kept_for_the_longest_window_that_was_asked_for() -> None:
    latency, events = LatencyWindow(), EventWindow()

    def run(begin: int, end: int, window_s: float) -> tuple[int, int]:
        """Add 100 samples a second; return the sizes of a window of 300 s at the end."""
        for number in range(100 * begin, 100 * end):
            latency.add(number / 100, 1.0)
            events.add(number / 100)
            if number % 100 == 0:
                latency.mean(number / 100, window_s)
                events.count(number / 100, window_s)
        return round(latency.total(end, LONGEST_S)), events.count(end, LONGEST_S)

    for size in run(0, 100, 5.0):
        assert 100 * LEAST_S <= size <= 100 * LEAST_S + 300
    # From the first question on there is room for 300 s.
    for size in run(100, 500, 5.0):
        assert 30_000 <= size <= 30_300


def test_the_longest_window_is_that_of_the_parameter() -> None:
    declared = next(f for f in fields(Settings) if f.name == 'diagnostics_window_s')
    assert declared.metadata['high'] == LONGEST_S
    assert declared.default == LEAST_S


def taken(arrivals_s: list[float], max_hz: float) -> list[int]:
    limit = RateLimit()
    return [number for number, now in enumerate(arrivals_s) if limit.takes(now, max_hz)]


def test_the_rate_limit_takes_every_nth_frame_of_a_faster_camera() -> None:
    camera = [number / 30 for number in range(90)]
    assert taken(camera, 0.0) == list(range(90))
    assert taken(camera, 15.0) == list(range(0, 90, 2))
    assert taken(camera, 10.0) == list(range(0, 90, 3))
    assert abs(len(taken(camera, 20.0)) - 60) <= 1


def test_the_rate_limit_lets_a_camera_of_its_rate_through() -> None:
    rng = np.random.default_rng(5)
    early_and_late = np.arange(300) / 30 + rng.uniform(-0.004, 0.004, 300)
    assert len(taken(list(early_and_late), 30.0)) >= 298
    # Never more than the limit, even if the frames come in bursts.
    bursts = [second + burst * 0.001 for second in range(10) for burst in range(20)]
    assert len(taken(bursts, 5.0)) <= 11


def test_the_rate_limit_begins_anew_after_a_pause_and_a_change() -> None:
    limit = RateLimit()
    assert limit.takes(0.0, 10.0)
    assert not limit.takes(0.05, 10.0)
    assert limit.takes(60.0, 10.0)
    assert not limit.takes(60.05, 10.0)
    assert limit.takes(60.06, 100.0)
    limit.reset()
    assert limit.takes(60.061, 100.0)


def test_monitor_counts_every_frame_exactly_once() -> None:
    monitor = Monitor()
    monitor.activated()
    record = FrameRecord(
        {Stage.DECODE: 1.0, Stage.AGE: 12.0},
        passed_on=3,
        restored=2,
        reused=1,
        refused={'too_small': 1},
    )
    monitor.queued()
    monitor.queued()
    monitor.replaced()
    monitor.refused('truncated')
    monitor.skipped()
    monitor.taken()
    report = monitor.report(10.0)
    counts = report.counts
    assert (counts.received, counts.dropped, counts.in_flight) == (4, 1, 1)
    assert counts.skipped == 1
    assert report.drop_share == 0.25
    assert counts.rejected['truncated'] == 1
    monitor.processed(record)
    monitor.queued()
    monitor.taken()
    monitor.failed('internal', 'it broke')
    report = monitor.report(10.0)
    counts = report.counts
    assert (counts.received, counts.processed, counts.in_flight) == (5, 1, 0)
    assert (counts.faces, counts.restored, counts.reused) == (3, 2, 1)
    assert counts.refused['too_small'] == 1
    assert report.failure == 'it broke'
    assert report.latency[Stage.AGE].max == pytest.approx(12.0)
    assert report.faces_per_frame == 3.0
    assert report.last is record
    monitor.queued()
    monitor.taken()
    monitor.processed(FrameRecord({Stage.DECODE: 1.0}))
    report = monitor.report(10.0)
    assert report.failure is None
    assert report.counts.age_unusable == 1
    # Later counting does not change an earlier report.
    assert counts.processed == 1


def test_the_oldest_frame_in_work_tells_how_long_the_worker_is_busy() -> None:
    monitor = Monitor()
    monitor.activated()
    record = FrameRecord({})
    assert monitor.report(10.0).busy_s == 0
    for _ in range(2):
        monitor.queued()
        monitor.taken()
        time.sleep(0.05)
    report = monitor.report(10.0)
    assert report.counts.in_flight == 2
    assert report.busy_s >= 0.1
    monitor.processed(record)
    report = monitor.report(10.0)
    assert report.counts.in_flight == 1
    assert 0.05 <= report.busy_s < monitor.report(10.0).busy_s
    monitor.discarded()
    assert monitor.report(10.0).busy_s == 0
