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

"""`cfrnet-restore` on pictures and folders, as a user runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from pictures import Frame, blurred

from cfrnet_ros.apps.restore.main import main
from cfrnet_ros.apps.restore.plan import make_plan

#: Runs a module without ROS: an import of any of its packages fails.
WITHOUT_ROS = """
import sys
class Hide:
    def find_spec(self, name, path=None, target=None):
        top = name.partition('.')[0]
        if top.endswith(('_msgs', '_srvs', '_interfaces')) or top in (
            'rclpy', 'ament_index_python', 'cv_bridge', 'launch', 'rpyutils'
        ):
            raise ModuleNotFoundError(f'no module named {name!r}', name=name)
sys.meta_path.insert(0, Hide())
from cfrnet_ros.apps.restore.command import main
sys.exit(main())
"""


@pytest.fixture
def soft(portrait: Frame) -> Frame:
    return blurred(portrait, 1.5)


@pytest.fixture
def folder(tmp_path: Path, soft: Frame) -> Path:
    """Return a folder with two pictures, a broken one and a text."""
    inputs = tmp_path / 'in'
    (inputs / 'sub').mkdir(parents=True)
    cv2.imwrite(str(inputs / 'a.png'), soft)
    cv2.imwrite(str(inputs / 'sub' / 'b.jpg'), soft)
    (inputs / 'broken.png').write_bytes(b'no picture')
    (inputs / 'readme.txt').write_text('text')
    return inputs


def read(path: Path) -> Frame:
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert picture is not None, path
    return np.asarray(picture, np.uint8)


def names(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob('*') if p.is_file()}


def test_a_folder_is_restored_without_ros(folder: Path, tmp_path: Path, soft: Frame) -> None:
    out = tmp_path / 'out'
    result = subprocess.run(
        [sys.executable, '-c', WITHOUT_ROS, str(folder), '--out', str(out), '--crops'],
        capture_output=True, text=True, timeout=300, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert result.returncode == 1, result.stderr
    assert 'written: 2 pictures; faces restored: 2' in result.stdout
    failures = [line for line in result.stderr.splitlines() if line.startswith('failed: ')]
    assert failures == [f'failed: {folder / "broken.png"}: not a picture, or damaged']
    crops = {
        f'{kind}/{name}_00.png'
        for kind in ('cropped_faces', 'restored_faces', 'cmp')
        for name in ('a', 'sub/b')
    }
    assert names(out) == {'restored_imgs/a.png', 'restored_imgs/sub/b.jpg', *crops}
    restored = read(out / 'restored_imgs/a.png')
    changed = np.abs(restored.astype(int) - soft).max(axis=2) > 0
    # The face, about the middle of the upper half, was changed, and nothing far from it.
    assert changed[60:70, 105:125].mean() > 0.9
    assert not changed[200:].any()
    sharp = [cv2.Laplacian(p[40:90, 95:135], cv2.CV_64F).var() for p in (soft, restored)]
    assert sharp[1] > 1.5 * sharp[0]


def test_a_second_run_skips_what_is_done(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / 'out'
    (folder / 'broken.png').unlink()
    arguments = [str(folder), '--out', str(out), '--quiet']
    assert main(arguments) == 0
    first = {name: (out / name).stat().st_mtime_ns for name in names(out)}
    (out / 'restored_imgs' / 'a.png').unlink()
    assert main(arguments) == 0
    second = {name: (out / name).stat().st_mtime_ns for name in names(out)}
    assert second.keys() == first.keys()
    assert second['restored_imgs/sub/b.jpg'] == first['restored_imgs/sub/b.jpg']
    assert main([*arguments, '--overwrite']) == 0
    assert (out / 'restored_imgs/sub/b.jpg').stat().st_mtime_ns > first['restored_imgs/sub/b.jpg']


def test_an_input_is_never_overwritten(
    tmp_path: Path, soft: Frame, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / 'out' / 'restored_imgs' / 'a.png'
    own.parent.mkdir(parents=True)
    cv2.imwrite(str(own), soft)
    before = own.read_bytes()
    for extra in ([], ['--overwrite']):
        main([str(own), '--out', str(tmp_path / 'out'), *extra])
        assert own.read_bytes() == before
    assert 'would overwrite the input' in capsys.readouterr().err


def test_strength_0_shows_the_camera_and_strength_1_the_restorer(
    tmp_path: Path, soft: Frame
) -> None:
    cv2.imwrite(str(tmp_path / 'a.png'), soft)
    results = {}
    for strength in ('0', '0.5', '1'):
        out = tmp_path / strength
        assert main([str(tmp_path / 'a.png'), '-o', str(out), '-s', strength, '--quiet']) == 0
        results[strength] = read(out / 'restored_imgs/a.png').astype(int)
    face = (slice(45, 85), slice(100, 130))
    moved = [np.abs(results[s] - soft)[face].mean() for s in ('0', '0.5', '1')]
    assert moved[0] < 1
    assert moved[0] < moved[1] < moved[2]


def test_a_picture_that_lies_on_its_side_is_restored_on_its_side(
    tmp_path: Path, soft: Frame
) -> None:
    cv2.imwrite(str(tmp_path / 'up.png'), soft)
    side = np.ascontiguousarray(np.rot90(soft))
    cv2.imwrite(str(tmp_path / 'side.png'), side)
    assert main([str(tmp_path / 'up.png'), '-o', str(tmp_path / 'o'), '--quiet']) == 0
    arguments = [str(tmp_path / 'side.png'), '-o', str(tmp_path / 'o'), '--quiet']
    assert main([*arguments, '--camera-rotation', '90']) == 0
    up, turned = (read(tmp_path / f'o/restored_imgs/{n}.png') for n in ('up', 'side'))
    assert np.array_equal(np.rot90(up), turned)


def test_a_picture_without_a_face_is_copied_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / 'wall.jpg'), np.full((80, 90, 3), 120, np.uint8))
    assert main([str(tmp_path / 'wall.jpg'), '-o', str(tmp_path / 'o')]) == 0
    copy = tmp_path / 'o/restored_imgs/wall.jpg'
    assert copy.read_bytes() == (tmp_path / 'wall.jpg').read_bytes()
    assert f'no face: {tmp_path / "wall.jpg"}' in capsys.readouterr().out


def test_grey_pictures_stay_grey(tmp_path: Path, soft: Frame) -> None:
    grey = np.asarray(cv2.cvtColor(soft, cv2.COLOR_BGR2GRAY), np.uint8)
    cv2.imwrite(str(tmp_path / 'grey.png'), grey)
    assert main([str(tmp_path / 'grey.png'), '-o', str(tmp_path / 'o'), '--quiet']) == 0
    restored = read(tmp_path / 'o/restored_imgs/grey.png')
    assert restored.shape == grey.shape
    assert np.abs(restored.astype(int) - grey).max() > 3


def test_wrong_command_lines_end_with_2(
    tmp_path: Path, soft: Frame, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / 'a.png'), soft)
    picture = str(tmp_path / 'a.png')
    for arguments, said in (
        ([], 'required'),
        ([picture, '--cycles', '99'], 'cycles must be integer, 1 to 8'),
        ([picture, '--strength', '2'], 'strength must be double, 0 to 1'),
        ([picture, '--set', 'cycels=2'], 'NAME=VALUE'),
        ([picture, '--set', 'roi=0.1,0.1,0.0,1'], 'roi'),
    ):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
        assert said in capsys.readouterr().err
    out = ['-o', str(tmp_path / 'o')]
    (tmp_path / 'empty').mkdir()
    assert main([str(tmp_path / 'empty'), *out]) == 2
    assert 'no picture or video' in capsys.readouterr().err
    assert main([picture, *out, '--model', 'nowhere.onnx']) == 2
    assert 'nowhere.onnx' in capsys.readouterr().err
    assert main([str(tmp_path / 'nowhere.png'), *out]) == 1
    assert 'No such file' in capsys.readouterr().err


def test_settings_of_the_pipeline_can_be_set(
    tmp_path: Path, soft: Frame, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / 'a.png'), soft)
    arguments = [str(tmp_path / 'a.png'), '-o', str(tmp_path / 'o'), '--set', 'min_face_px=200']
    assert main(arguments) == 0
    assert 'faces left as they were: 1 too_small' in capsys.readouterr().out


def test_results_of_equal_names_are_told_apart(tmp_path: Path) -> None:
    for name in ('one/a.jpg', 'two/a.jpg', 'two/a.png'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    given = [str(tmp_path / n) for n in ('one/a.jpg', 'two/a.jpg', 'two/a.png', 'two')]
    plan = make_plan(given, tmp_path / 'o', '.png', 'now')
    assert [job.source for job in plan] == given[:3]
    results = [str(job.target.relative_to(tmp_path / 'o/restored_imgs')) for job in plan]
    assert results == ['a.png', 'a_jpg.png', 'a_png.png']


def test_a_folder_that_holds_its_results_is_not_restored_twice(folder: Path) -> None:
    first = make_plan([str(folder)], folder / 'results', '', 'now')
    done = folder / 'results' / 'restored_imgs' / 'a.png'
    done.parent.mkdir(parents=True)
    done.touch()
    (folder / '.a.123.part.png').touch()
    assert make_plan([str(folder)], folder / 'results', '', 'now') == first
    assert [Path(job.source).name for job in first] == ['a.png', 'broken.png', 'b.jpg']


def test_ctrl_c_ends_cleanly_and_the_next_run_goes_on(tmp_path: Path, soft: Frame) -> None:
    inputs, out = tmp_path / 'in', tmp_path / 'out'
    inputs.mkdir()
    for number in range(40):
        cv2.imwrite(str(inputs / f'{number:02d}.png'), soft)
    command = [
        sys.executable, '-m', 'cfrnet_ros.apps.restore.main', str(inputs), '-o', str(out),
    ]  # fmt: skip
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not list(out.glob('restored_imgs/[0-9]*')) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    told, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert 'Traceback' not in error
    assert 'written: ' in told
    done = names(out)
    assert 0 < len(done) < 40
    assert not any(os.path.basename(name).startswith('.') for name in done)
    assert main([str(inputs), '-o', str(out), '--quiet']) == 0
    assert len(names(out)) == 40
