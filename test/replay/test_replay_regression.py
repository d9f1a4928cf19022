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

"""`cfrnet-replay --compare A B`: its findings and its exit code."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from replays import Played, play

from cfrnet_ros.replay import tables
from cfrnet_ros.replay.main import main
from cfrnet_ros.replay.regression import Limits, compare_runs, runs_of
from cfrnet_ros.replay.results import SUMMARY
from demo.cases import FRAMES

GetPlayed = Callable[[str], Played]


@pytest.fixture(scope='module')
def other(case_bag: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Replay the bag `still` with a wider crop."""
    out = tmp_path_factory.mktemp('wider')
    return play(case_bag('still'), out, parameters={'crop_margin': 1.1})


@pytest.fixture
def copy(played: GetPlayed, tmp_path: Path) -> Path:
    return Path(shutil.copytree(played('still').out, tmp_path / 'copy'))


def edit(path: Path, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
    with path.open(newline='') as file:
        rows = list(csv.DictReader(file))
    with path.open('w', newline='') as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(change(row) for row in rows)


def test_equal_replays_compare_as_equal(
    played: GetPlayed, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(['--compare', str(played('still').out), str(copy)]) == 0
    text = capsys.readouterr().out
    assert 'B is as good as A' in text
    assert f'{FRAMES} frames compared: {FRAMES} identical' in text


def test_changed_pixels_are_found_and_shown(
    played: GetPlayed, other: Played, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / 'found'
    args = ['--compare', str(played('still').out), str(other.out), '--max-latency-ratio', '0']
    assert main([*args, '--out', str(out)]) == 1
    text = capsys.readouterr().out
    assert f'{FRAMES} of {FRAMES} frames differ; the limit is 0' in text
    assert f'Frames that differ: 0-{FRAMES - 1}' in text
    assert 'crop_margin: 1.0 -> 1.1' in text
    assert (out / 'comparison.md').read_text() == text
    with (out / 'comparison.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row['index']) for row in rows] == list(range(FRAMES))
    assert all(10 < float(row['psnr']) < 40 for row in rows)
    assert (out / 'comparison.png').stat().st_size > 10_000
    # The differences are within limits that the user sets.
    loose = ['--max-differing', '1', '--max-psnr-drop', '10']
    assert main([*args, *loose]) == 0
    assert main([*args, '--min-psnr', '5', '--max-psnr-drop', '10']) == 0


def test_a_missing_face_and_other_cycles_are_found(played: GetPlayed, copy: Path) -> None:
    edit(
        copy / tables.FRAMES,
        lambda row: {**row, 'faces': '0', 'track_ids': ''} if row['index'] == '3' else row,
    )
    edit(
        copy / tables.FRAMES,
        lambda row: {**row, 'cycles_used': '1'} if row['index'] == '5' else row,
    )
    found = compare_runs(played('still').out, copy, Limits())
    changes = {difference.key[1]: difference.changes for difference in found.differences}
    assert set(changes) == {3, 5}
    assert 'faces 1 -> 0' in changes[3]
    assert changes[5] == ['cycles 2 -> 1']


def test_a_slower_replay_is_found(
    played: GetPlayed, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(copy / tables.FRAMES, lambda row: {**row, 'total_ms': str(5 * float(row['total_ms']))})
    args = ['--compare', str(played('still').out), str(copy)]
    assert main(args) == 1
    text = capsys.readouterr().out
    assert 'latency p50 is' in text
    assert 'latency p95 is' in text
    assert '5.00 times' in text
    assert main([*args, '--max-latency-ratio', '6']) == 0
    assert main([*args, '--max-latency-ratio', '0']) == 0


def test_a_loss_of_quality_is_found(played: GetPlayed, copy: Path) -> None:
    file = copy / SUMMARY
    summary = json.loads(file.read_text())
    summary['passes'][0]['psnr_after_mean'] -= 0.5
    file.write_text(json.dumps(summary))
    args = ['--compare', str(played('still').out), str(copy)]
    assert main(args) == 1
    assert main([*args, '--max-psnr-drop', '0.6']) == 0


@pytest.mark.parametrize(
    ('break_it', 'words'),
    [
        (lambda copy: (copy / 'summary.json').unlink(), 'does not hold the results of a replay'),
        (lambda copy: (copy / 'summary.json').write_text('{}'), 'written by another version'),
        (lambda copy: (copy / 'frames.csv').write_text('pass,index\n'), 'has no column'),
        (lambda copy: (copy / 'frames.csv').unlink(), 'cannot be read'),
        (lambda copy: shutil.rmtree(copy / 'restored'), 'there is no bag'),
        (
            lambda copy: edit(copy / 'frames.csv', lambda row: {**row, 'bag_stamp_ns': '1'}),
            'their stamps differ',
        ),
    ],
)
def test_bad_input_is_an_error_and_not_a_difference(
    break_it: Callable[[Path], object],
    words: str,
    played: GetPlayed,
    copy: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    break_it(copy)
    assert main(['--compare', str(played('still').out), str(copy)]) == 2
    assert words in capsys.readouterr().err


def test_other_bags_and_invalid_limits_are_bad_input(
    played: GetPlayed, capsys: pytest.CaptureFixture[str]
) -> None:
    still = str(played('still').out)
    assert main(['--compare', still, str(played('time_back').out)]) == 2
    assert 'the replays cannot be compared' in capsys.readouterr().err
    assert main(['--compare', still, still, '--max-differing', '2']) == 2
    assert 'max_differing must be from 0 to 1' in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(['a_bag', '--compare', still, still])
    assert ended.value.code == 2


def test_ranges_of_frames() -> None:
    assert runs_of([]) == ''
    assert runs_of([4]) == '4'
    assert runs_of([0, 1, 2, 5, 7, 8]) == '0-2, 5, 7-8'
