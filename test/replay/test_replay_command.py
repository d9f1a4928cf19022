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

"""The command line, load spikes, tables and videos."""

from __future__ import annotations

import base64
import csv
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from replays import Command, play

from cfrnet_ros.replay import command, plots, video
from cfrnet_ros.replay.frames import PROCESSED
from cfrnet_ros.replay.load import LoadGenerator, LoadSpike
from cfrnet_ros.replay.main import main
from cfrnet_ros.replay.node_process import to_yaml
from cfrnet_ros.replay.video import Video, h264_available
from demo.cases import FRAMES

ROOT = Path(__file__).resolve().parents[2]

GetBag = Callable[[str], Path]


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline='') as file:
        return list(csv.DictReader(file))


def count_frames(path: Path) -> int:
    reader = cv2.VideoCapture(str(path))
    count = 0
    while reader.read()[0]:
        count += 1
    reader.release()
    return count


def test_the_command_writes_tables_sheets_and_videos(
    commanded: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    out = commanded.out
    assert str(out / 'report.html') in commanded.stdout
    frames, faces = read(out / 'frames.csv'), read(out / 'faces.csv')
    assert len(frames) == len(faces) == 2 * FRAMES
    assert [row['cycles_used'] for row in frames] == ['1'] * FRAMES + ['2'] * FRAMES
    for row in frames:
        assert row['outcome'] == PROCESSED
        stages = [float(row[f'{name}_ms']) for name in ('decode', 'restore_cycle_1', 'publish')]
        assert 0 < sum(stages) <= float(row['total_ms'])
        assert float(row['total_ms']) < float(row['latency_ms'])
    for row in faces:
        assert float(row['psnr_after']) > float(row['psnr_before'])
        assert 0 < float(row['residual']) < 1
    summary = json.loads((out / 'summary.json').read_text())
    assert [p['cycles'] for p in summary['passes']] == [1, 2]
    assert summary['parameters']['threads'] == 1
    for name in ('k1', 'k2'):
        sheet = cv2.imread(str(out / f'sheet_{name}.png'))
        assert sheet is not None
        assert sheet.shape[1] > 1000
        assert count_frames(out / f'before_after_{name}.mp4') == FRAMES
    # A second replay into the same folder would mix two replays.
    assert main(commanded.args) == 1
    assert 'exists already: remove it or choose another --out' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('args', 'words'),
    [
        ([], 'no bag given'),
        (['bag', '--cycles', '0'], '--cycles needs numbers from 1 to 8'),
        (['bag', '--cycles', '1,nine'], '--cycles needs numbers from 1 to 8'),
        (['bag', '--rate', '0'], 'must be above 0'),
        (['bag', '--load-spike', '1,2'], 'START,SECONDS,PROCESSES'),
        (['bag', '--load-spike', '1,-2,1'], 'SECONDS from 0'),
        (['bag', '--deterministic', '--load-spike', '1,2,1'], 'in real time only'),
        (['bag', '-p', 'threads=1'], 'NAME:=VALUE'),
        (['bag', '-p', 'roi:=[0, 1'], "'[0, 1' is no value in YAML"),
        (['bag', '-p', 'model:=2000-99-99'], 'is no value in YAML'),
    ],
)
def test_wrong_arguments_give_exit_code_2(
    args: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(args)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ('typed', 'passed_on'),
    [
        ('[0, 0, 0.5, 1]', '[0.0, 0.0, 0.5, 1.0]'),
        ('[0, 0, 1, 1]', '[0, 0, 1, 1]'),
        ('[a, b]', '[a, b]'),
        ('3', '3'),
        ('true', 'true'),
    ],
)
def test_a_parameter_reaches_the_node_in_a_form_that_ros_2_reads(
    typed: str, passed_on: str
) -> None:
    assert to_yaml(yaml.safe_load(typed)) == passed_on


def test_without_its_packages_the_replay_says_what_to_install() -> None:
    # The option -S hides site-packages.
    result = subprocess.run(
        [sys.executable, '-S', '-m', 'cfrnet_ros.replay', 'bag'],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert result.returncode == 1
    assert 'not installed: jinja2, matplotlib, rosbags, tqdm, pyyaml' in result.stderr
    assert 'CFRNET_REPLAY=1 rosdep install' in result.stderr
    assert 'Traceback' not in result.stderr


def test_only_missing_packages_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(command.PACKAGES, 'no_such_module', 'no-such-package')
    assert command.main(['--help']) == 1
    assert 'pip install no-such-package\n' in capsys.readouterr().err


def test_an_interrupted_load_spike_leaves_no_process() -> None:
    with LoadGenerator(LoadSpike(0.0, 60.0, 2)) as load:
        load.begin()
    with LoadGenerator(LoadSpike(60.0, 1.0, 1)) as late:
        late.begin()
    assert late.spikes == []
    assert all(end - start < 50e9 for start, end in load.spikes)


def test_budget_and_convergence_are_visible_during_a_load_spike(
    case_bag: GetBag, tmp_path: Path
) -> None:
    spike = LoadSpike(0.3, 0.6, 2)
    # With a budget that no machine can keep, one cycle of three is allowed.
    parameters = {'threads': 1, 'latency_budget_ms': 0.5}
    done = play(
        case_bag('still'),
        tmp_path,
        deterministic=False,
        cycles=(3,),
        load=spike,
        parameters=parameters,
    )
    rows = [row for row in done.results.frames if row.outcome == PROCESSED]
    assert rows
    for row in rows:
        assert row.cycles == row.count('cycles_asked') == 3
        assert row.count('cycles_allowed') == row.count('cycles_used') == 1
    written = [row for row in read(tmp_path / 'frames.csv') if row['outcome'] == PROCESSED]
    assert {row['cycles_allowed'] for row in written} == {'1'}
    ((start, end),) = done.log.passes[0].spikes
    first = done.log.passes[0].frames[0].sent_ns
    assert first <= start < end
    data = plots.latency_over_time(plots.Timeline(done.log, done.results.frames))
    svg = base64.b64decode(data.partition(',')[2]).decode()
    # Matplotlib writes the texts of a legend as comments beside their glyphs.
    for words in ('load spike', 'cycles asked', 'cycles allowed', 'cycles used'):
        assert re.search(f'<!-- {words} -->', svg), words


def test_a_converged_face_gets_no_more_cycles(case_bag: GetBag, tmp_path: Path) -> None:
    # Every change is below this tolerance, so one of the six cycles is applied.
    play(case_bag('still'), tmp_path, cycles=(6,), parameters={'convergence_tolerance': 1.0})
    for row in read(tmp_path / 'frames.csv'):
        assert (row['cycles_asked'], row['cycles_allowed'], row['cycles_used']) == ('6', '6', '1')
    assert {row['cycles'] for row in read(tmp_path / 'faces.csv')} == {'1'}


@pytest.mark.parametrize('codec', ['h264', 'mpeg4'])
def test_videos_play_with_and_without_pyav(
    codec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if codec == 'mpeg4':
        monkeypatch.setattr(video, 'h264_available', lambda: False)
    else:
        assert h264_available()
    path = tmp_path / 'video.mp4'
    with Video(path, 14.9) as writer:
        for level in range(0, 200, 10):
            writer.write(np.full((97, 161, 3), level, np.uint8))
    assert count_frames(path) == 20
    reader = cv2.VideoCapture(str(path))
    fourcc = int(reader.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, 'little').decode().lower()
    assert fourcc in (('h264', 'avc1') if codec == 'h264' else ('fmp4', 'mp4v'))
    _, picture = reader.read()
    assert picture.shape == (96, 160, 3)
    assert picture.mean() == pytest.approx(0, abs=3)
