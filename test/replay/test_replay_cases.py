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

"""Every difficult bag, replayed frame by frame through the real node."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from replays import Played, play

from cfrnet_ros.replay.bag_reader import BagReader
from cfrnet_ros.replay.frames import PROCESSED
from cfrnet_ros.replay.measure import measure
from cfrnet_ros.replay.plan import FACE_TOPIC, RESTORED_TOPIC
from cfrnet_ros.replay.recording import decode_image
from cfrnet_ros.replay.stamps import read_stamp
from demo.bag_frames import IMAGE_TOPIC, TRUTH_TOPIC
from demo.cases import CASES, DROPOUT_S, FRAMES, JUMP_S, WIDTH, make_case

GetPlayed = Callable[[str], Played]
GetBag = Callable[[str], Path]


@pytest.mark.parametrize(
    'name', ['infrared', 'no_face', pytest.param('time_back', marks=pytest.mark.slow)]
)
def test_case_bags_are_reproducible_byte_for_byte(
    name: str, case_bag: GetBag, tmp_path: Path
) -> None:
    first = case_bag(name)
    second = make_case(name, tmp_path / name)
    assert (first / f'{name}.mcap').read_bytes() == (second / f'{name}.mcap').read_bytes()
    assert sum(file.stat().st_size for file in first.iterdir()) < 12e6


@pytest.mark.parametrize('name', sorted(set(CASES) - {'dropout'}))
def test_every_frame_is_answered(name: str, played: GetPlayed) -> None:
    done = played(name)
    assert [row.frame.index for row in done.results.frames] == list(range(FRAMES))
    assert {row.outcome for row in done.results.frames} == {PROCESSED}
    assert done.log.exit_code == 0


@pytest.mark.parametrize('name', ['night', 'infrared', 'glare', 'time_back', 'still'])
def test_the_face_is_restored_in_every_frame(name: str, played: GetPlayed) -> None:
    faces = played(name).results.faces
    assert [face.index for face in faces] == list(range(FRAMES))
    assert all(face.restored for face in faces)
    assert {face.cycles for face in faces} == {2}
    assert len({face.track_id for face in faces}) == (2 if name == 'time_back' else 1)


def test_at_night_the_face_becomes_lighter_and_closer_to_the_truth(played: GetPlayed) -> None:
    for face in played('night').results.faces:
        assert face.psnr_after > face.psnr_before + 3
        before = abs(face.brightness_before - face.brightness_truth)
        assert abs(face.brightness_after - face.brightness_truth) < before / 2


def test_infrared_stays_grey(played: GetPlayed) -> None:
    done = played('infrared')
    for sample in measure(done.log, done.results.frames, TRUTH_TOPIC):
        for face in sample.faces:
            spread = np.ptp(face.after.astype(np.int16), axis=2)
            assert spread.mean() < 3
            assert np.percentile(spread, 99) < 10
            assert face.row.psnr_after > face.row.psnr_before


def test_glare_loses_no_face_and_its_noise_is_removed(played: GetPlayed) -> None:
    faces = played('glare').results.faces
    # The veil is real light; a restorer can only remove the noise in it.
    assert np.mean([face.psnr_after - face.psnr_before for face in faces]) > 0
    flicker = [(face.flicker_before, face.flicker_after) for face in faces[1:]]
    assert np.mean([after / before for before, after in flicker]) < 1


def test_two_people_keep_their_ids(played: GetPlayed) -> None:
    done = played('two_people')
    ids = {face.track_id for face in done.results.faces}
    assert len(ids) == 2
    frames = [row for row in done.results.frames if set(row.track_ids) == ids]
    assert len(frames) >= 0.8 * FRAMES
    sides: dict[int, set[bool]] = {track: set() for track in ids}
    for row in done.results.frames:
        for entry in row.entries:
            assert entry.affine is not None
            # Position of the crop's centre in the frame.
            matrix = np.vstack([entry.affine, [0, 0, 1]])
            middle = np.linalg.inv(matrix) @ [127.5, 127.5, 1]
            sides[entry.track_id].add(bool(middle[0] < WIDTH / 2))
    assert sorted(map(tuple, sides.values())) == [(False,), (True,)]


def test_nothing_is_restored_where_there_is_no_face(played: GetPlayed) -> None:
    done = played('no_face')
    assert done.results.faces == []
    assert all(row.entries == [] for row in done.results.frames)
    assert done.log.received[FACE_TOPIC] == 0
    assert done.results.sheets == [None]
    # The restored frame equals the camera's, pixel by pixel.
    with BagReader(done.log.plan.bag) as source, BagReader(done.log.plan.recording) as bag:
        seen = {read_stamp(m.data): decode_image(m) for m in source.messages(IMAGE_TOPIC)}
        sent = {read_stamp(m.data): decode_image(m) for m in bag.messages(RESTORED_TOPIC)}
    assert len(sent) >= 4
    for stamp, picture in sent.items():
        assert np.array_equal(picture, seen[stamp])


def test_the_node_continues_after_time_jumps_back(played: GetPlayed) -> None:
    done = played('time_back')
    stamps = [row.frame.stamp_ns for row in done.results.frames]
    half = FRAMES // 2
    assert stamps[half - 1] - stamps[half] > (JUMP_S - 1) * 1e9
    assert stamps == [row.frame.bag_stamp_ns for row in done.results.frames]
    assert all(row.faces == 1 for row in done.results.frames[half:])
    # After the jump a new track begins.
    tracks = [row.track_ids[0] for row in done.results.frames]
    assert len(set(tracks[:half])) == len(set(tracks[half:])) == 1
    assert tracks[0] != tracks[-1]


def test_a_still_face_flickers_less_than_in_the_camera_image(played: GetPlayed) -> None:
    faces = played('still').results.faces[1:]
    before = np.mean([face.flicker_before for face in faces])
    after = np.mean([face.flicker_after for face in faces])
    assert 0 < after < 0.93 * before


def test_a_camera_dropout_is_reported_and_the_node_recovers(
    case_bag: GetBag, tmp_path: Path
) -> None:
    done = play(
        case_bag('dropout'),
        tmp_path,
        deterministic=False,
        parameters={'diagnostics.no_image_error_s': 0.5, 'threads': 1},
    )
    rows = done.results.frames
    half = FRAMES // 2
    assert rows[half].time_s - rows[half - 1].time_s > DROPOUT_S
    assert any(row.faces for row in rows[:half])
    assert any(row.faces for row in rows[half:])
    samples = done.results.diagnostics['input']
    silent = [s for s in samples if s.level == 2 and f'no image on {IMAGE_TOPIC}' in s.message]
    gone, back = rows[half - 1].frame.sent_ns, rows[half].frame.sent_ns
    assert any(gone < sample.time_ns < back for sample in silent)
    received = [float(sample.values['frames/received']) for sample in samples]
    assert max(received) == FRAMES
