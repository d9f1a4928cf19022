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

"""Fused crops in the recording, the tables, the pictures and the report of a replay."""

from __future__ import annotations

import base64
import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from replays import Played, play

from cfrnet_ros.replay import tables
from cfrnet_ros.replay.bag_reader import BagReader
from cfrnet_ros.replay.bag_writer import BagWriter
from cfrnet_ros.replay.main import main
from cfrnet_ros.replay.measure import measure, psnr
from cfrnet_ros.replay.plan import FACE_TOPIC, FUSED_TOPIC
from cfrnet_ros.replay.recording import decode_image
from cfrnet_ros.replay.report import ReportOptions, write_report
from cfrnet_ros.replay.results import SUMMARY
from cfrnet_ros.replay.stamps import read_stamp
from demo.bag_frames import TRUTH_TOPIC
from demo.cases import FRAMES

GetPlayed = Callable[[str], Played]


@pytest.fixture(scope='module')
def unfused(case_bag: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Replay the bag `still` with every frame restored alone."""
    out = tmp_path_factory.mktemp('unfused')
    return play(case_bag('still'), out, parameters={'fusion': 0.0})


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline='') as file:
        return list(csv.DictReader(file))


def size_of(path: Path | None) -> tuple[int, int]:
    """Return height and width of a picture, or of the first frame of a video."""
    assert path is not None
    picture = cv2.imread(str(path))
    if picture is None:
        picture = cv2.VideoCapture(str(path)).read()[1]
    height, width = picture.shape[:2]
    return height, width


def page_of(done: Played, path: Path) -> str:
    write_report(done.log, done.results, path, ReportOptions(truth_topic=TRUTH_TOPIC))
    return path.read_text(encoding='utf-8')


def comments_of(page: str) -> str:
    """Return the plots of a page; Matplotlib writes their texts as comments beside the glyphs."""
    plots = re.findall(r'src="data:image/svg\+xml;base64,([^"]*)"', page)
    return ''.join(base64.b64decode(plot).decode() for plot in plots)


def test_every_crop_is_recorded_before_restoration_too(played: GetPlayed) -> None:
    done = played('two_people')
    assert done.log.received[FUSED_TOPIC] == done.log.received[FACE_TOPIC] > FRAMES
    with BagReader(done.log.plan.recording) as bag:
        stamps = {
            topic: [read_stamp(message.data) for message in bag.messages(topic)]
            for topic in (FACE_TOPIC, FUSED_TOPIC)
        }
    assert stamps[FACE_TOPIC] == stamps[FUSED_TOPIC]
    # Each crop is compared with the truth of the same face.
    for face in done.results.faces:
        assert face.psnr_fused > face.psnr_before - 0.5


def test_in_noise_the_fused_crop_is_closer_to_the_truth_than_the_cameras(
    played: GetPlayed,
) -> None:
    done = played('still')
    rows = read(done.out / tables.FACES)
    gains = [float(row['psnr_fused']) - float(row['psnr_before']) for row in rows]
    # The first frame of a track has no past.
    assert gains[0] == pytest.approx(0, abs=0.1)
    assert min(gains[4:]) > 1
    frames = [float(row['node:fused_frames']) for row in rows]
    assert frames[0] == 1
    assert frames[-1] > frames[1] > 1
    each = json.loads((done.out / SUMMARY).read_text())['passes'][0]
    assert each['psnr_fused_mean'] > each['psnr_before_mean'] + 1
    assert each['psnr_fused_mean'] == pytest.approx(
        np.mean([float(row['psnr_fused']) for row in rows]), abs=0.01
    )


def test_sheet_video_and_report_show_the_fused_crop(
    played: GetPlayed, unfused: Played, tmp_path: Path
) -> None:
    done = played('still')
    # A face has the tiles before, fused, after and truth, in four columns.
    wide, narrow = (size_of(each.results.sheets[0])[1] for each in (done, unfused))
    assert wide - narrow == 4 * 192
    wide, narrow = (size_of(each.results.videos[0])[1] for each in (done, unfused))
    assert wide - narrow == 256
    for row in done.results.gallery:
        assert row.fused is not None
        assert row.before is not None
        assert row.fused.shape == row.before.shape
        assert row.cells[0].psnr_fused > row.cells[0].psnr_before - 0.5
    page = page_of(done, tmp_path / 'report.html')
    head, _, rest = page.partition('<tbody>')
    assert re.findall(r'<th>(.*?)</th>', head) == ['', 'camera', 'fused', 'k = 2', 'truth']
    assert '<dt>fused</dt>' in head
    assert len(re.findall('alt="fused"', rest)) == len(done.results.gallery)
    assert 'PSNR of the fused crop' in rest
    assert '<!-- effective frames -->' in comments_of(page)


def test_without_fusion_nothing_of_it_is_shown(unfused: Played, tmp_path: Path) -> None:
    rows = read(unfused.out / tables.FACES)
    assert len(rows) == FRAMES
    assert not [name for name in rows[0] if 'fused' in name]
    assert unfused.results.passes[0]['psnr_fused_mean'] is None
    assert all(row.fused is None for row in unfused.results.gallery)
    page = page_of(unfused, tmp_path / 'report.html')
    assert '<th>fused</th>' not in page
    assert '<dt>fused</dt>' not in page
    assert 'alt="fused"' not in page
    assert 'effective frames' not in comments_of(page)
    # The crops before restoration are recorded all the same: they are the camera's.
    assert unfused.log.received[FUSED_TOPIC] == FRAMES
    samples = measure(unfused.log, unfused.results.frames, TRUTH_TOPIC)
    with BagReader(unfused.log.plan.recording) as bag:
        for message, sample in zip(bag.messages(FUSED_TOPIC), samples):
            assert sample.faces[0].fused is None
            # The status rounds the affine matrix by which the replay cuts out the camera's crop.
            assert psnr(decode_image(message), sample.faces[0].before) > 45


def test_a_replay_of_a_version_without_fused_crops_can_be_compared(
    unfused: Played, tmp_path: Path
) -> None:
    old = Path(shutil.copytree(unfused.out, tmp_path / 'old'))
    shutil.rmtree(old / 'restored')
    with (
        BagReader(unfused.log.plan.recording) as source,
        BagWriter(old / 'restored') as bag,
    ):
        for topic, msgtype in source.topics.items():
            if topic != FUSED_TOPIC:
                bag.add_topic(topic, msgtype)
        for message in source.messages():
            if message.topic != FUSED_TOPIC:
                bag.write(message.topic, message.time_ns, message.data)
    summary = json.loads((old / SUMMARY).read_text())
    for each in summary['passes']:
        del each['psnr_fused_mean']
    (old / SUMMARY).write_text(json.dumps(summary))
    assert main(['--compare', str(old), str(unfused.out)]) == 0
