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

"""A cluster of two local workers: all recordings, a worker that dies, and a run that goes on."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from image_bags import write_bag
from numpy.typing import NDArray
from videos import make_video

pytest.importorskip('distributed', reason='the extra fleet is not installed')

from cfrnet_ros.fleet.cluster import DIED, ClusterError, connect, run_jobs
from cfrnet_ros.fleet.main import main
from cfrnet_ros.fleet.outcome import JOURNAL, Outcome, read_journal
from cfrnet_ros.fleet.plan import Job

Frames = list[NDArray[np.uint8]]


def test_a_fleet_is_restored_by_two_workers_and_the_next_run_goes_on(
    tmp_path: Path, recordings: Path, portraits: Frames, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        write_bag(recordings / f'drive_{number}', {'/camera/image_raw': portraits})
    video = make_video(recordings / 'clip.mp4', portraits)
    damaged = recordings / 'damaged.mcap'
    damaged.write_bytes(b'no bag at all')
    out = tmp_path / 'out'
    words = [str(recordings), '--out', str(out), '--workers', '2', '-k', '1', '--model', 'int8']
    assert main(words) == 1
    shown = capsys.readouterr()
    assert 'restored: 4 recordings, 16 frames, 16 faces; failed: 1' in shown.out
    assert 'core hours' in shown.out
    assert [line for line in shown.err.splitlines() if line.startswith('failed: ')] != []
    assert f'failed: {damaged}' in shown.err
    assert 'Traceback' not in shown.err
    outcomes = list(read_journal(out / JOURNAL))
    assert len(outcomes) == 5
    stamps = {path: path.stat().st_mtime_ns for path in out.rglob('*.mcap')}
    assert len(stamps) == 3
    # What failed is tried again, the rest is left alone.
    write_bag(damaged.with_suffix(''), {'/camera/image_raw': portraits})
    damaged.unlink()
    assert main(words) == 0
    shown = capsys.readouterr()
    assert 'restored: 1 recordings, 4 frames' in shown.out
    assert 'skipped: 4' in shown.out
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())
    assert (out / 'restored_videos' / video.name).exists()


def test_a_worker_that_dies_takes_one_recording_with_it(tmp_path: Path) -> None:
    def work(job: Job) -> Outcome:
        if job.source == 'deadly':
            os._exit(9)
        time.sleep(0.05)
        return Outcome(job.source, str(job.target))

    names = ['one', 'two', 'deadly', *(f'more_{number}' for number in range(6))]
    jobs = [Job(name, 'bag', tmp_path / name) for name in names]
    with connect('', 2) as client:
        outcomes = {outcome.source: outcome for outcome in run_jobs(client, jobs, work)}
    assert set(outcomes) == set(names)
    assert outcomes.pop('deadly').error == DIED
    assert not [outcome for outcome in outcomes.values() if outcome.error]


def test_an_existing_cluster_is_used_and_a_missing_one_is_told(tmp_path: Path) -> None:
    with connect('', 2) as client:
        address = client.scheduler.address
        with connect(address, 0) as other:
            jobs = [Job(str(number), 'bag', tmp_path) for number in range(5)]
            # In a worker's process, not in this one.
            outcomes = list(
                run_jobs(other, jobs, lambda job: Outcome(job.source, str(os.getpid())))
            )
    assert len(outcomes) == 5
    assert str(os.getpid()) not in {outcome.target for outcome in outcomes}
    with (
        pytest.raises(ClusterError, match=r'no scheduler answers at tcp://127\.0\.0\.1:9'),
        connect('tcp://127.0.0.1:9', 0),
    ):
        pass


def test_a_model_that_cannot_be_loaded_ends_the_run_before_it_begins(
    tmp_path: Path, recordings: Path, portraits: Frames, capsys: pytest.CaptureFixture[str]
) -> None:
    write_bag(recordings / 'drive', {'/camera/image_raw': portraits[:1]})
    words = [str(recordings), '--out', str(tmp_path / 'out'), '--model', '/no/such.onnx']
    assert main(words) == 2
    assert "there is no model '/no/such.onnx'" in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()
