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

"""`cfrnet-camera` publishes what a camera driver would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from node_harness import Peer, pixels_of, wait_until
from pictures import Frame
from ros_domains import next_domain
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from cfrnet_ros.apps.camera.frames import frames_of
from cfrnet_ros.apps.camera.intrinsics import read_calibration
from cfrnet_ros.apps.media.errors import MediaError

ROOT = Path(__file__).resolve().parents[2]
CALIBRATION = """\
image_width: 256
image_height: 256
camera_name: cabin
distortion_model: plumb_bob
camera_matrix: {rows: 3, cols: 3, data: [200, 0, 128, 0, 201, 127, 0, 0, 1]}
distortion_coefficients: {rows: 1, cols: 5, data: [0.1, 0, 0, 0, 0]}
rectification_matrix: {rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}
projection_matrix: {rows: 3, cols: 4, data: [200, 0, 128, 0, 0, 201, 127, 0, 0, 0, 1, 0]}
"""


@pytest.fixture(scope='module')
def peer() -> Iterator[Peer]:
    peer = Peer(next_domain())
    yield peer
    peer.close()


@pytest.fixture
def picture(tmp_path: Path, portrait: Frame) -> str:
    path = tmp_path / 'a.png'
    cv2.imwrite(str(path), portrait)
    return str(path)


def start(peer: Peer, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, 'ROS_DOMAIN_ID': str(peer.context.get_domain_id())}
    return subprocess.Popen(
        [sys.executable, '-m', 'cfrnet_ros.apps.camera.main', *arguments],
        env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def collect(peer: Peer, topic: str, kind: Any, number: int, *arguments: str) -> list[Any]:
    """Run the command until so many messages have come; it then ends on Ctrl-C without an error."""
    process = start(peer, *arguments)
    try:
        with peer.collect(topic, msg_type=kind) as images:
            wait_until(lambda: len(images.messages) >= number, f'messages on {topic}')
    finally:
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 0, error
    assert 'Traceback' not in error
    return images.messages


def test_a_picture_is_published_until_the_end(peer: Peer, picture: str, portrait: Frame) -> None:
    images = collect(
        peer, '/dms/image_raw', Image, 5, picture, '--topic', '/dms/image_raw', '--rate', '20',
        '--frame-id', 'cabin',
    )  # fmt: skip
    assert np.array_equal(pixels_of(images[0]), portrait)
    assert images[0].header.frame_id == 'cabin'
    stamps = [m.header.stamp.sec + m.header.stamp.nanosec * 1e-9 for m in images]
    assert all(earlier < later for earlier, later in pairwise(stamps))


def test_compressed_images_come_on_the_topic_of_image_transport(
    peer: Peer, picture: str, portrait: Frame
) -> None:
    (image, *_) = collect(
        peer, '/ns/camera/image_raw/compressed', CompressedImage, 1, picture, '--compressed',
        '--quality', '95', '--ros-args', '-r', '__ns:=/ns',
    )  # fmt: skip
    decoded = cv2.imdecode(np.frombuffer(image.data, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert np.abs(decoded.astype(int) - portrait).mean() < 4
    assert 'jpeg' in image.format


def test_intrinsics_come_beside_the_images(peer: Peer, picture: str, tmp_path: Path) -> None:
    (tmp_path / 'cabin.yaml').write_text(CALIBRATION)
    for arguments, focal in (
        (['--camera-info', str(tmp_path / 'cabin.yaml')], 200.0),
        (['--fov', '90'], 128.0),
        ([], 0.0),
    ):
        (info, *_) = collect(peer, '/camera/camera_info', CameraInfo, 1, picture, *arguments)
        assert (info.width, info.height) == (256, 256)
        assert info.k[0] == pytest.approx(focal)
        assert info.header.frame_id == 'camera'


def test_a_video_ends_once_and_starts_again_with_loop(clip: Path) -> None:
    once = list(frames_of(str(clip), 0.0, loop=False))
    assert [round(due, 3) for due, _ in once] == [n / 10 for n in range(10)]
    assert [round(due, 3) for due, _ in frames_of(str(clip), 50.0, loop=False)][-1] == 0.18
    looped = frames_of(str(clip), 0.0, loop=True)
    times, pictures = zip(*(next(looped) for _ in range(25)), strict=True)
    assert [round(due, 3) for due in times] == [n / 10 for n in range(25)]
    assert np.array_equal(pictures[0], pictures[10])
    assert np.array_equal(pictures[0], pictures[20])


def test_a_live_source_is_thinned_to_the_rate(clip: Path) -> None:
    # Read from a file, all frames come at once: only the first is due.
    assert len(list(frames_of(f'webcam:{clip}', 0.0, loop=False))) == 10
    assert len(list(frames_of(f'webcam:{clip}', 0.1, loop=False))) == 1


def test_a_video_that_ends_ends_the_command(peer: Peer, clip: Path) -> None:
    process = start(peer, str(clip), '--rate', '100')
    _, error = process.communicate(timeout=60)
    assert process.returncode == 0, error


def test_mistakes_are_told(peer: Peer, picture: str, tmp_path: Path) -> None:
    (tmp_path / 'other.yaml').write_text(CALIBRATION.replace('width: 256', 'width: 640'))
    for arguments, code, said in (
        (['/nowhere.png'], 1, 'No such file'),
        ([picture, '--camera-info', str(tmp_path / 'other.yaml')], 1, 'the calibration is of 640'),
        ([picture, '--rate', '-1'], 2, 'must be above 0'),
        ([picture, '--fov', '60', '--camera-info', 'x'], 2, 'not allowed with'),
        ([picture, '--topic', 'a b'], 1, 'a b'),
    ):
        process = start(peer, *arguments)
        _, error = process.communicate(timeout=60)
        assert process.returncode == code, error
        assert said in error
        assert 'Traceback' not in error
    (tmp_path / 'short.yaml').write_text(CALIBRATION.replace('[0.1, 0, 0, 0, 0]', 'five'))
    with pytest.raises(MediaError, match='not a calibration file'):
        read_calibration(tmp_path / 'short.yaml')
