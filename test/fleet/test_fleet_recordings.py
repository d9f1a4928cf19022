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

"""One recording: what a worker writes for a bag and a video, and what it says of a damaged one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from image_bags import messages_of, write_bag
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from videos import frames_of, make_video

from cfrnet_ros.apps.restore.face_restorer import Engine, FaceRestorer
from cfrnet_ros.fleet.options import Options
from cfrnet_ros.fleet.outcome import Outcome
from cfrnet_ros.fleet.plan import make_plan
from cfrnet_ros.fleet.work import restore
from cfrnet_ros.vision.settings import PipelineSettings

Frames = list[NDArray[np.uint8]]

ENGINE = Engine(model='int8', provider='cpu', threads=1)
SETTINGS = PipelineSettings(cycles=1, max_faces=1)


def outcome_of(source: Path, out: Path, **options: Any) -> Outcome:
    (job,) = make_plan([str(source)], out)
    return restore(job, Options(ENGINE, SETTINGS, **options))


def test_a_bag_gets_the_crops_that_the_pipeline_gives_and_the_nodes_statuses(
    tmp_path: Path, recordings: Path, portraits: Frames
) -> None:
    bag = write_bag(recordings / 'drive', {'/camera/image_raw': portraits})
    done = outcome_of(bag, tmp_path / 'out', raw_crops=True, whole_frames=True)
    assert done.error == ''
    assert (done.counts.frames, done.counts.faces, done.counts.rejected) == (4, 4, 0)
    assert done.counts.media_s == pytest.approx(0.4)
    assert done.cpu_s > 0
    crops = messages_of(Path(done.target), '/cfrnet/face/image', Image)
    restorer = FaceRestorer(ENGINE, SETTINGS)
    for number, (crop, frame) in enumerate(zip(crops, portraits)):
        face = restorer.process(frame, 1_700_000_000 + number / 10).faces[0]
        found = np.frombuffer(crop.data, np.uint8).reshape(256, 256, 3)
        assert np.array_equal(found, face.crop)
        assert crop.header.frame_id == 'camera'
    faces = messages_of(Path(done.target), '/cfrnet/face/status', DiagnosticArray)
    assert [status.status[0].message for status in faces] == ['restored'] * 4
    frames = messages_of(Path(done.target), '/cfrnet/frame/status', DiagnosticArray)
    assert frames[0].status[0].message == 'processed'
    whole = messages_of(Path(done.target), '/cfrnet/image_restored/compressed', CompressedImage)
    assert len(whole) == 4


def test_each_camera_of_a_bag_has_topics_of_its_own_and_raw_images_win(
    tmp_path: Path, recordings: Path, portraits: Frames
) -> None:
    cameras = {'/front/image_raw': portraits, '/rear/image_raw': portraits[:2]}
    done = outcome_of(write_bag(recordings / 'two', cameras), tmp_path / 'out')
    assert done.counts.frames == 6
    for name, number in (('front', 4), ('rear', 2)):
        topic = f'/{name}/cfrnet/face/image/compressed'
        assert len(messages_of(Path(done.target), topic, CompressedImage)) == number
    chosen = outcome_of(recordings / 'two', tmp_path / 'one', topics=('/rear/image_raw',))
    assert chosen.counts.frames == 2
    missing = outcome_of(recordings / 'two', tmp_path / 'none', topics=('/top',))
    assert 'it has no images on /top; it has: /front/image_raw, /rear/image_raw' in missing.error


def test_a_video_keeps_its_length_and_gets_restored_faces(
    tmp_path: Path, recordings: Path, portraits: Frames
) -> None:
    video = make_video(recordings / 'clip.mp4', portraits)
    done = outcome_of(video, tmp_path / 'out')
    assert done.error == ''
    assert (done.counts.frames, done.counts.faces) == (4, 4)
    assert done.counts.media_s == pytest.approx(0.4)
    assert len(frames_of(Path(done.target))) == 4


def test_damaged_and_foreign_recordings_have_a_reason_and_leave_nothing_behind(
    tmp_path: Path, recordings: Path, portraits: Frames
) -> None:
    bag = write_bag(recordings / 'drive', {'/camera/image_raw': portraits})
    file = next(bag.glob('*.mcap'))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    (recordings / 'broken.mp4').write_bytes(b'no video')
    write_bag(recordings / 'dark', {'/camera/image_raw': []} | {'/other': portraits[:1]})
    out = tmp_path / 'out'
    for name in ('drive', 'broken.mp4', 'gone.mcap', 'gone'):
        done = outcome_of(recordings / name, out)
        assert done.error
        assert '\n' not in done.error
        assert not Path(done.target).exists()
    assert not list(out.rglob('*.part*'))


def test_leftovers_of_a_process_that_was_killed_are_removed(
    tmp_path: Path, recordings: Path, portraits: Frames
) -> None:
    bag = write_bag(recordings / 'drive', {'/camera/image_raw': portraits[:1]})
    left = tmp_path / 'out/restored_bags/.drive.12345.part'
    left.mkdir(parents=True)
    (left / 'drive_0.mcap').write_bytes(b'half')
    assert outcome_of(bag, tmp_path / 'out').error == ''
    assert not left.exists()
    shutil.rmtree(tmp_path / 'out')
