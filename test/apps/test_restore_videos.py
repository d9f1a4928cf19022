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

"""`cfrnet-restore` on videos and live sources."""

from __future__ import annotations

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from onnx_models import nan_model
from pictures import Frame
from PIL import Image
from videos import RATE, frames_of, make_video, sound_of

from cfrnet_ros.apps.media.change_video import change_video
from cfrnet_ros.apps.media.errors import MediaError
from cfrnet_ros.apps.media.recording import record
from cfrnet_ros.apps.media.video import upright_bgr
from cfrnet_ros.apps.restore.main import main
from cfrnet_ros.apps.restore.plan import make_plan

FRAMES = 10


def unchanged(bgr: Frame, time_s: float) -> Frame:
    return bgr


def test_a_video_is_restored_with_its_sound_and_times(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / 'out'
    assert main([str(clip), '-o', str(out), '--quiet', '--crops']) == 0
    result = out / 'restored_videos' / 'clip.mp4'
    before, after = frames_of(clip), frames_of(result)
    assert len(after) == FRAMES
    assert [frame.time for frame in after] == [frame.time for frame in before]
    assert sound_of(result) == sound_of(clip) != []
    with av.open(str(result)) as container:
        assert [stream.type for stream in container.streams] == ['video', 'audio']
    first, last = (upright_bgr(frame).astype(int) for frame in (before[-1], after[-1]))
    face = (slice(40, 90), slice(100, 140))
    assert np.abs(first - last)[face].mean() > 1.5 * np.abs(first - last)[150:].mean()
    crops = sorted(path.name for path in (out / 'restored_faces' / 'clip').iterdir())
    assert crops == [f'{number:06d}_00.png' for number in range(FRAMES)]


def test_several_frames_at_once_give_the_same_video(clip: Path, tmp_path: Path) -> None:
    found = {}
    for lanes in ('1', '3'):
        out = tmp_path / lanes
        words = [str(clip), '-o', str(out), '--quiet', '--crops', '--threads', '1']
        assert main([*words, '--parallel-frames', lanes]) == 0
        crops = sorted((out / 'restored_faces' / 'clip').iterdir())
        assert len(crops) == FRAMES
        frames = frames_of(out / 'restored_videos' / 'clip.mp4')
        found[lanes] = (
            [(frame.time, upright_bgr(frame).tobytes()) for frame in frames],
            [(path.name, path.read_bytes()) for path in crops],
            sound_of(out / 'restored_videos' / 'clip.mp4'),
        )
    assert found['1'] == found['3']


def test_results_of_a_video_are_asked_for_in_order_and_only_so_late(
    clip: Path, tmp_path: Path
) -> None:
    begun, asked = 0, list[int]()

    def change(bgr: Frame, time_s: float) -> Callable[[], Frame]:
        nonlocal begun
        number, begun = begun, begun + 1
        # All but the two frames before have been written.
        assert len(asked) == max(0, number - 2)

        def later() -> Frame:
            asked.append(number)
            return bgr

        return later

    steps = []
    change_video(clip, tmp_path / 'b.mp4', change, lambda: steps.append(len(asked)), ahead=2)
    assert asked == list(range(FRAMES))
    assert steps == list(range(1, FRAMES + 1))
    assert len(frames_of(tmp_path / 'b.mp4')) == FRAMES


def test_a_model_that_fails_beside_other_frames_is_a_failure_of_the_video(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / 'other.mp4'
    other.write_bytes(clip.read_bytes())
    words = [str(clip), str(other), '-o', str(tmp_path / 'out'), '--quiet']
    model = nan_model(tmp_path / 'nan.onnx', 256)
    options = ['--model', str(model), '--parallel-frames', '2', '--cycles', '1']
    assert main([*words, *options]) == 1
    assert capsys.readouterr().err.count('NaN') == 2
    assert list((tmp_path / 'out').rglob('*.mp4')) == []


def test_colours_stay_what_they_were(tmp_path: Path) -> None:
    bars = np.zeros((64, 128, 3), np.uint8)
    bars[:, :32], bars[:, 32:64], bars[:, 64:] = (0, 0, 255), (40, 120, 200), (128, 128, 128)
    source = make_video(tmp_path / 'a.mp4', [bars] * 5)
    assert change_video(source, tmp_path / 'b.mp4', unchanged, lambda: None) == []
    before, after = (upright_bgr(frames_of(tmp_path / n)[2]) for n in ('a.mp4', 'b.mp4'))
    for x in (16, 48, 96):
        assert np.abs(before[32, x].astype(int) - bars[32, x]).max() <= 3
        assert np.abs(before[32, x].astype(int) - after[32, x]).max() <= 2


def test_a_video_that_is_to_be_shown_turned_becomes_upright(
    clip: Path, portrait: Frame, tmp_path: Path
) -> None:
    # Phones write a matrix into the track's header; the identity becomes a turn by 90 degrees.
    one = 0x00010000
    upright = struct.pack('>9i', one, 0, 0, 0, one, 0, 0, 0, 0x40000000)
    turned = struct.pack('>9i', 0, one, 0, -one, 0, 0, 0, 0, 0x40000000)
    data = clip.read_bytes()
    at = data.index(upright, data.index(b'tkhd'))
    source = tmp_path / 'phone.mp4'
    source.write_bytes(data[:at] + turned + data[at + len(turned) :])
    sizes = []

    def note(bgr: Frame, time_s: float) -> Frame:
        sizes.append(bgr)
        return bgr

    change_video(source, tmp_path / 'b.mp4', note, lambda: None)
    # This matrix demands a turn clockwise.
    wanted = np.rot90(portrait, -1).astype(int)
    assert np.abs(sizes[0] - wanted).mean() < 6
    after = frames_of(tmp_path / 'b.mp4')[0]
    assert getattr(after, 'rotation', 0) == 0
    assert np.abs(upright_bgr(after) - wanted).mean() < 6


def test_sound_that_does_not_belong_into_the_format_is_encoded_again(
    portrait: Frame, tmp_path: Path
) -> None:
    source = make_video(tmp_path / 'a.avi', [portrait] * FRAMES, 'pcm_s16le')
    notes = change_video(source, tmp_path / 'b.mp4', unchanged, lambda: None)
    assert notes == ['the sound was encoded again as AAC, which players of this file format expect']
    assert len(sound_of(tmp_path / 'b.mp4')) > 3


def test_odd_sizes_lose_a_row_and_say_so(portrait: Frame, tmp_path: Path) -> None:
    odd = np.ascontiguousarray(portrait[:101, :129])
    with av.open(str(tmp_path / 'a.mkv'), 'w') as container:
        stream = container.add_stream('ffv1', rate=Fraction(RATE))
        stream.width, stream.height, stream.pix_fmt = 129, 101, 'bgr0'
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(odd, format='bgr24').reformat(format='bgr0')
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    notes = change_video(tmp_path / 'a.mkv', tmp_path / 'b.mp4', unchanged, lambda: None)
    assert notes == ['an odd last row or column of pixels was left out']
    frame = frames_of(tmp_path / 'b.mp4')[0]
    assert (frame.width, frame.height) == (128, 100)


def test_an_unreadable_video_is_a_line_and_leaves_nothing(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / 'text.mp4').write_text('no video')
    # The index of this file is at its end, so that a part of it cannot be read.
    (tmp_path / 'cut.mp4').write_bytes(clip.read_bytes()[:5000])
    out = tmp_path / 'out'
    assert main([str(tmp_path / 'text.mp4'), str(tmp_path / 'cut.mp4'), '-o', str(out)]) == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith('failed')]
    assert len(errors) == 2
    assert 'not a video, or damaged' in errors[0]
    assert not list(out.rglob('*.mp4'))


def test_a_video_that_is_interrupted_leaves_nothing(clip: Path, tmp_path: Path) -> None:
    def interrupt(bgr: Frame, time_s: float) -> Frame:
        if time_s > 0.3:
            raise KeyboardInterrupt
        return bgr

    with pytest.raises(KeyboardInterrupt):
        change_video(clip, tmp_path / 'new' / 'b.mp4', interrupt, lambda: None)
    assert list((tmp_path / 'new').iterdir()) == []


def test_a_live_source_is_recorded_until_it_ends(clip: Path, tmp_path: Path) -> None:
    # OpenCV opens a file like a device.
    out = tmp_path / 'out'
    assert main([f'webcam:{clip}', '-o', str(out), '--quiet']) == 0
    (result,) = (out / 'restored_videos').iterdir()
    assert result.name.startswith('webcam')
    assert len(frames_of(result)) == FRAMES


def test_a_recording_without_a_frame_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match='before the first frame'), record(tmp_path / 'a.mp4', 30):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_recording_keeps_the_times_of_its_frames(portrait: Frame, tmp_path: Path) -> None:
    times = [0.0, 0.031, 0.1, 0.5]
    with record(tmp_path / 'a.mp4', 30) as recording:
        for time_s in times:
            recording.write(portrait, time_s)
    assert [round(frame.time, 3) for frame in frames_of(tmp_path / 'a.mp4')] == times


def test_a_webcam_that_is_not_there_is_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(['webcam:/dev/nowhere', '-o', str(tmp_path / 'o'), '--quiet']) == 1
    assert 'cannot be opened' in capsys.readouterr().err


def test_an_animated_gif_becomes_a_video(portrait: Frame, tmp_path: Path) -> None:
    pictures = [Image.fromarray(np.roll(portrait, 8 * n, axis=1)[..., ::-1]) for n in range(4)]
    pictures[0].save(
        tmp_path / 'a.gif', save_all=True, append_images=pictures[1:], duration=100, loop=0
    )
    (job,) = make_plan([str(tmp_path / 'a.gif')], tmp_path / 'o', '', 'now')
    assert job.target == tmp_path / 'o' / 'restored_videos' / 'a.mp4'
    assert change_video(tmp_path / 'a.gif', job.target, unchanged, lambda: None) == []
    frames = frames_of(job.target)
    assert [round(frame.time, 2) for frame in frames] == [0.0, 0.1, 0.2, 0.3]
    wanted = np.roll(portrait, 24, axis=1).astype(int)
    assert np.abs(upright_bgr(frames[3]) - wanted).mean() < 15
