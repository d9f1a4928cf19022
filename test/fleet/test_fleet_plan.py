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

"""Which recordings are found, where results go, and what the summary says."""

from __future__ import annotations

from pathlib import Path

import pytest

from cfrnet_ros.fleet.arguments import parse
from cfrnet_ros.fleet.outcome import Account, Counts, Outcome, read_journal
from cfrnet_ros.fleet.plan import BAG, UNKNOWN, VIDEO, make_plan
from cfrnet_ros.fleet.restore_bag import camera_names


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_bags_and_videos_are_found_in_sub_folders_and_a_bags_files_are_not_bags(
    tmp_path: Path,
) -> None:
    data, out = tmp_path / 'data', tmp_path / 'data/restored'
    touch(data / 'monday/drive/metadata.yaml')
    touch(data / 'monday/drive/drive_0.mcap')
    touch(data / 'tuesday/late.mcap')
    touch(data / 'dash.AVI')
    touch(data / 'notes.txt')
    touch(data / '.hidden/old.mp4')
    touch(out / 'restored_videos/dash.mp4')
    jobs = make_plan([str(data)], out)
    assert {(job.kind, str(job.target.relative_to(out))) for job in jobs} == {
        (BAG, 'restored_bags/monday/drive'),
        (BAG, 'restored_bags/tuesday/late'),
        (VIDEO, 'restored_videos/dash.mp4'),
    }


def test_equal_names_get_numbers_and_a_recording_is_planned_once(tmp_path: Path) -> None:
    first, second = (touch(tmp_path / name / 'drive.mcap') for name in ('a', 'b'))
    jobs = make_plan([str(first), str(second), str(first)], tmp_path / 'out')
    assert [job.target.name for job in jobs] == ['drive', 'drive_2']


def test_what_does_not_exist_is_planned_so_that_the_summary_names_it(tmp_path: Path) -> None:
    (job,) = make_plan([str(tmp_path / 'gone')], tmp_path / 'out')
    assert job.kind == UNKNOWN


def test_cameras_of_a_bag_get_the_names_that_their_nodes_would_have() -> None:
    assert camera_names(['/camera/image_raw']) == {'/camera/image_raw': '/cfrnet'}
    assert camera_names(['/front/image_raw', '/rear/image_raw/compressed']) == {
        '/front/image_raw': '/front/cfrnet',
        '/rear/image_raw/compressed': '/rear/cfrnet',
    }
    assert camera_names(['/cams/left', '/cams/right']) == {
        '/cams/left': '/cams/left/cfrnet',
        '/cams/right': '/cams/right/cfrnet',
    }


def test_the_summary_extrapolates_core_hours_and_lists_each_failure_once() -> None:
    account = Account(skipped=2)
    account.add(Outcome('a', 'x', counts=Counts(300, 1, 250, 10.0), cpu_s=20.0))
    account.add(Outcome('b', 'y', error='it is damaged'))
    text = '\n'.join(account.lines())
    assert 'restored: 1 recordings, 300 frames, 250 faces; failed: 1' in text
    assert 'a thousand hours like these take about 2000 core hours' in text
    assert 'skipped: 2' in text
    assert account.failure_lines() == ['failed: b: it is damaged']


def test_a_journal_that_was_cut_off_can_be_read(tmp_path: Path) -> None:
    journal = tmp_path / 'fleet.jsonl'
    assert list(read_journal(journal)) == []
    outcome = Outcome('a', 'x', notes=('lost',), counts=Counts(3, 0, 2, 0.3), cpu_s=1.5)
    outcome.write(journal)
    with journal.open('a') as file:
        file.write('{"source": "b", "tar')
    assert list(read_journal(journal)) == [outcome]


def test_paths_come_from_a_file_and_wrong_arguments_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = tmp_path / 'list.txt'
    listed.write_text('/data/a.mcap\n/data/b.mp4\n')
    given = parse([f'@{listed}', '--out', str(tmp_path), '-k', '3', '--set', 'fusion=0.0'])
    assert given.inputs == ['/data/a.mcap', '/data/b.mp4']
    assert (given.options.settings.cycles, given.options.settings.fusion) == (3, 0.0)
    assert given.options.engine.threads == 1
    for words, reason in (
        (['a', '--out', 'o', '--workers', '0'], '--workers must be 1 or above'),
        (['a', '--out', 'o', '--cycles', '99'], 'cycles'),
        (['a', '--out', 'o', '--jpeg-quality', '0'], '--jpeg-quality must be 1 to 100'),
        (['a'], '--out'),
    ):
        with pytest.raises(SystemExit):
            parse(words)
        assert reason in capsys.readouterr().err
