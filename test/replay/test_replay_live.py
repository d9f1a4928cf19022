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

"""A bag through the real node, over DDS, into a bag and a report."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import fmean

import pytest
from mcap.reader import make_reader
from ros_domains import next_domain

from cfrnet_ros.replay.errors import BagError, NodeDiedError, ParameterError, ReplayError
from cfrnet_ros.replay.frames import PROCESSED
from cfrnet_ros.replay.main import main
from cfrnet_ros.replay.plan import RECORDED, ReplayLog, ReplayPlan
from cfrnet_ros.replay.recording import find_segments
from cfrnet_ros.replay.report import ReportOptions, write_report
from cfrnet_ros.replay.results import Results, common_frames, summarise, write_results
from cfrnet_ros.replay.session import run_replay
from demo.bag_frames import CONDITION_TOPIC, IMAGE_TOPIC, TRUTH_TOPIC

PARAMETERS = {'detection_interval': 1, 'max_faces': 1, 'diagnostics.window_s': 1.0, 'threads': 1}


@pytest.fixture(scope='module')
def log(camera_bag: Path, tmp_path_factory: pytest.TempPathFactory) -> ReplayLog:
    os.environ['ROS_DOMAIN_ID'] = str(next_domain())
    plan = ReplayPlan(
        camera_bag, tmp_path_factory.mktemp('out'), cycles=(1, 3), parameters=PARAMETERS
    )
    return run_replay(plan)


@pytest.fixture(scope='module')
def results(log: ReplayLog) -> Results:
    return write_results(log, TRUTH_TOPIC, CONDITION_TOPIC)


def test_every_pass_is_complete_and_the_node_exits_cleanly(log: ReplayLog) -> None:
    assert [played.cycles for played in log.passes] == [1, 3]
    for played in log.passes:
        assert [frame.index for frame in played.frames] == list(range(10))
    assert log.exit_code == 0


def test_crops_come_back_with_the_stamps_that_were_sent(results: Results) -> None:
    done = [row for row in results.frames if row.outcome == PROCESSED]
    assert {row.number for row in done} == {0, 1}
    for row in done:
        assert row.frame.stamp_ns == row.frame.sent_ns
        assert row.report is not None
        assert row.report.stamp_ns == row.frame.stamp_ns
        assert row.latency_ms > 0
        assert row.faces == 1
        assert row.age_ms > 0


def test_the_node_used_the_cycles_that_were_set_while_it_ran(results: Results) -> None:
    for number, cycles in ((0, 1), (1, 3)):
        assert {face.cycles for face in results.faces if face.number == number} == {cycles}


def test_the_recording_contains_the_parameter_change(log: ReplayLog) -> None:
    file = log.plan.recording / f'{log.plan.recording.name}.mcap'
    assert (log.plan.recording / 'metadata.yaml').exists()
    with file.open('rb') as stream:
        summary = make_reader(stream).get_summary()
    assert summary is not None
    assert summary.statistics is not None
    counts = {
        summary.channels[number].topic: count
        for number, count in summary.statistics.channel_message_counts.items()
    }
    assert counts == dict(log.received)
    for topic in RECORDED:
        assert counts[topic] > 0, topic


def test_before_and_after_show_the_same_pixels(log: ReplayLog, results: Results) -> None:
    segments = find_segments(log, CONDITION_TOPIC)
    assert [(s.name, s.start, s.end) for s in segments] == [('part 0', 0, 5), ('part 5', 5, 10)]
    for row in results.gallery:
        assert row.before is not None
        assert row.truth is not None
        for cell in row.cells:
            assert cell.crop is not None
            assert cell.crop.shape == row.before.shape == row.truth.shape
    for face in results.faces:
        # The noise is about 23 dB; crops of another part of the frame would be below 15.
        assert face.psnr_before > 20
        assert face.psnr_after > face.psnr_before


def test_the_report_is_one_self_contained_file(
    log: ReplayLog, results: Results, tmp_path: Path
) -> None:
    page = tmp_path / 'report.html'
    options = ReportOptions('A title', 'An intro', TRUTH_TOPIC, CONDITION_TOPIC)
    write_report(log, results, page, options)
    text = page.read_text(encoding='utf-8')
    # The page loads no other files.
    assert all(source.startswith('data:') for source in re.findall(r'src="([^"]*)"', text))
    assert '<link' not in text
    assert '<script' not in text
    # Two rows with camera, fused, two numbers of cycles and truth; three whole frames; two plots.
    assert len(re.findall('src="data:image/jpeg', text)) == 2 * 5 + 3
    assert len(re.findall('poster="data:image/jpeg', text)) == 2
    assert len(re.findall('src="data:image/svg', text)) == 2
    assert len(re.findall('src="data:video/mp4', text)) == 2
    for words in ('A title', 'part 5', 'k = 3', 'ros2 param set /cfrnet cycles 3', 'latency'):
        assert words in text
    # What this machine can do comes before the pictures, and so do the words that they need.
    head = text.partition('Before and after, by number of cycles')[0]
    verdict = re.sub(r'<[^>]*>', '', head.partition('class="verdict">')[2].partition('</p>')[0])
    assert re.search(
        r'On this machine \(.*\):\s+k = 1 at [\d.]+ frames a second, k = 3 at [\d.]+ frames a'
        r' second\.\s+.*camera&#39;s [\d.]+ a second',
        verdict,
    )
    for term in ('k', 'fused', 'truth', 'dB'):
        assert f'<dt>{term}</dt>' in head
    # Links to the other files are relative to the page.
    for link in re.findall(r'href="([^"]*)"', text):
        assert (tmp_path / link).is_file(), link


def test_all_numbers_of_cycles_are_compared_on_the_same_frames(
    log: ReplayLog, results: Results
) -> None:
    seen = [{face.index for face in results.faces if face.number == number} for number in (0, 1)]
    # The last pass has not seen a frame that the first has, as if the node had dropped it.
    missed = min(seen[0])
    faces = [face for face in results.faces if (face.number, face.index) != (1, missed)]
    common = common_frames(faces, len(log.passes))
    assert common == (seen[0] & seen[1]) - {missed}
    passes = [summarise(log, number, results.frames, faces, common) for number in (0, 1)]
    for number, each in enumerate(passes):
        compared = [face for face in faces if face.number == number and face.index in common]
        assert each['compared_frames'] == len(common)
        assert each['crops'] == len(seen[number] - ({missed} if number else set()))
        assert each['psnr_before_mean'] == pytest.approx(fmean(f.psnr_before for f in compared))
    for each in passes:
        assert 0 < each['work_p50_ms'] <= each['total_p50_ms']


def test_segments_without_labels_are_even_and_a_wrong_topic_is_named(log: ReplayLog) -> None:
    segments = find_segments(log, None, parts=3)
    assert [(s.start, s.end) for s in segments] == [(0, 3), (3, 7), (7, 10)]
    with pytest.raises(BagError, match='no std_msgs/String'):
        find_segments(log, IMAGE_TOPIC)


def test_a_node_that_cannot_start_is_reported_with_its_log(
    camera_bag: Path, tmp_path: Path
) -> None:
    plan = ReplayPlan(camera_bag, tmp_path, parameters={'model': '/nowhere/net.onnx'})
    with pytest.raises(NodeDiedError, match=r'exit code 1[\s\S]*/nowhere/net\.onnx'):
        run_replay(plan)


def test_a_refused_parameter_is_reported_with_the_reason(camera_bag: Path, tmp_path: Path) -> None:
    plan = ReplayPlan(camera_bag, tmp_path, cycles=(99,), parameters={'cycles': 1})
    with pytest.raises(ParameterError, match=r'refused cycles: .*1'):
        run_replay(plan)


def test_a_node_that_dies_ends_the_replay(camera_bag: Path, tmp_path: Path) -> None:
    def kill(cycles: int, frame: object, counts: object) -> None:
        # Frames that are in transit arrive after the node has ended.
        subprocess.run(['pkill', '-KILL', '-P', str(os.getpid()), '-f', 'cfrnet_ros.node.main'])

    with pytest.raises(NodeDiedError, match='exit code -9'):
        run_replay(ReplayPlan(camera_bag, tmp_path, parameters=PARAMETERS), kill)


def test_no_cycles_is_an_error(camera_bag: Path, tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match='no cycles'):
        run_replay(ReplayPlan(camera_bag, tmp_path, cycles=()))


def test_the_command_reports_a_missing_bag(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / 'absent'), '--out', str(tmp_path / 'out')]) == 1
    assert 'there is no bag' in capsys.readouterr().err


def start_long_replay(bag: Path, out: Path) -> subprocess.Popen[str]:
    """Return the command, once its node is active."""
    process = subprocess.Popen(
        [sys.executable, '-m', 'cfrnet_ros.replay', str(bag), '--out', str(out),
         '--cycles', *(['1'] * 50), '-p', 'threads:=1'],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    wait_for(out / 'node.log', 'active (was', process)
    return process


def wait_for(log: Path, text: str, process: subprocess.Popen[str] | None = None) -> None:
    end = time.monotonic() + 60
    while not (log.exists() and text in log.read_text()):
        assert process is None or process.poll() is None
        assert time.monotonic() < end, f'no {text!r} in {log}'
        time.sleep(0.05)


def test_ctrl_c_ends_everything_without_a_traceback(camera_bag: Path, tmp_path: Path) -> None:
    process = start_long_replay(camera_bag, tmp_path / 'out')
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert 'interrupted' in text
    assert 'Traceback' not in text
    assert 'shut down' in (tmp_path / 'out' / 'node.log').read_text()


@pytest.mark.skipif(
    sys.platform != 'linux', reason='only Linux signals a process when its parent ends'
)
def test_a_replay_that_is_killed_leaves_no_node_behind(camera_bag: Path, tmp_path: Path) -> None:
    process = start_long_replay(camera_bag, tmp_path / 'out')
    process.kill()
    process.communicate(timeout=60)
    wait_for(tmp_path / 'out' / 'node.log', 'shut down')
