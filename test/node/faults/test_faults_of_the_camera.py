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

"""Faults of the camera: it dies and returns, changes its images, or has a clock that is wrong."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from frame_accounts import newest_counts
from node_harness import Peer, Start, Subscription, bgr8_message, send_until, values_of, wait_until
from numpy.typing import NDArray
from pictures import gray_of, resized
from sensor_msgs.msg import CompressedImage, Image

FACE = '/cfrnet/face/image'

CAMERA = """
import sys, time
import numpy as np, rclpy
from array import array
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
pixels = np.load(sys.argv[1])
rclpy.init()
node = rclpy.create_node('camera')
publisher = node.create_publisher(Image, 'image', qos_profile_sensor_data)
msg = Image(height=pixels.shape[0], width=pixels.shape[1], encoding=sys.argv[2])
msg.step = pixels.strides[0]
msg.data = array('B', pixels.tobytes())
while True:
    msg.header.frame_id = sys.argv[2]
    msg.header.stamp = node.get_clock().now().to_msg()
    publisher.publish(msg)
    time.sleep(0.1)
"""


@contextlib.contextmanager
def camera_process(
    pixels: NDArray[np.uint8], encoding: str, folder: Path, domain: int
) -> Iterator[subprocess.Popen[bytes]]:
    """Publish images at 10 Hz from a process of its own, which is killed at the end."""
    np.save(folder / 'pixels.npy', pixels)
    process = subprocess.Popen(
        [sys.executable, '-c', CAMERA, str(folder / 'pixels.npy'), encoding],
        env={**os.environ, 'ROS_DOMAIN_ID': str(domain)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_camera_that_is_killed_is_reported_and_another_one_takes_over(
    start: Start, tmp_path: Path, halving_model: Path, portrait: NDArray[np.uint8]
) -> None:
    _, peer = start('-p', f'model:={halving_model}', '-p', 'diagnostics.no_image_error_s:=1.0')
    domain = peer.context.get_domain_id()
    small = gray_of(resized(portrait, 400, 300))
    with peer.collect(FACE) as received:
        with camera_process(portrait, 'bgr8', tmp_path, domain):
            wait_until(lambda: received.messages, 'a crop of the first camera')
        # It was killed, so it could not tell anybody that it leaves.
        status = peer.wait_for_diagnostics(
            lambda d: d['input'].level == DiagnosticStatus.ERROR, 'an error of the input'
        )['input']
        assert 'no image on /image' in status.message
        received.messages.clear()
        with camera_process(small, 'mono8', tmp_path, domain):
            wait_until(lambda: received.messages, 'a crop of the second camera')
            assert received.messages[-1].header.frame_id == 'mono8'
            peer.wait_for_diagnostics(
                lambda d: d['input'].level == DiagnosticStatus.OK, 'an input without error'
            )


def encoded(pixels: NDArray[np.uint8], encoding: str, size: tuple[int, int]) -> Image:
    """Scale a BGR picture to (width, height) and write it in an encoding, with padded rows."""
    scaled = resized(pixels, *size)
    rows: NDArray[Any] = scaled
    if encoding == 'mono16':
        rows = (gray_of(scaled).astype('<u2') * 16).view(np.uint8)
    elif encoding == 'yuyv':
        rows = np.asarray(cv2.cvtColor(scaled, cv2.COLOR_BGR2YUV_YUY2))
    padded = np.pad(rows.reshape(size[1], -1), ((0, 0), (0, 16)))
    msg = Image(height=size[1], width=size[0], encoding=encoding, step=padded.shape[1])
    msg.data = array('B', padded.tobytes())
    msg.header.frame_id = f'{encoding} {size[0]}x{size[1]}'
    return msg


def send_until_crop(publisher: Any, msg: Image, received: Subscription) -> Image:
    """Send an image until a crop with its frame_id arrives, and return this crop."""
    wanted = msg.header.frame_id
    crop: Image = send_until(
        publisher,
        msg,
        lambda: next((m for m in received.messages if m.header.frame_id == wanted), None),
        f'a crop of {wanted}',
    )
    return crop


def test_publishers_of_another_size_and_encoding_take_over_from_frame_to_frame(
    start: Start, halving_model: Path, portrait: NDArray[np.uint8]
) -> None:
    _, peer = start('-p', f'model:={halving_model}')
    with peer.collect(FACE) as received:
        for encoding, size in (
            ('bgr8', (640, 480)),
            ('mono16', (1280, 960)),
            ('yuyv', (320, 240)),
            ('bgr8', (640, 480)),
        ):
            msg = encoded(portrait, encoding, size)
            publisher = peer.publisher()
            received.messages.clear()
            send_until_crop(publisher, msg, received)
            peer.node.destroy_publisher(publisher)
    assert newest_counts(peer)['rejected'] == 0


def test_a_publisher_of_another_type_is_reported_and_the_old_one_is_followed_again(
    start: Start, halving_model: Path, portrait: NDArray[np.uint8]
) -> None:
    _, peer = start('-p', f'model:={halving_model}', '-p', 'diagnostics.no_image_error_s:=1.0')
    publisher = peer.publisher()
    with peer.collect(FACE) as received:
        send_until(publisher, bgr8_message(portrait), lambda: received.messages, 'a crop')
    peer.node.destroy_publisher(publisher)
    # Another participant: within one, Fast DDS allows a topic one type for ever.
    stranger = Peer(peer.context.get_domain_id())
    other = stranger.publisher('image', CompressedImage, match=False)
    jpeg = array('B', cv2.imencode('.jpg', portrait)[1].tobytes())
    send_until(
        other,
        CompressedImage(format='jpeg', data=jpeg),
        lambda: 'set image_transport: compressed' in peer.diagnostics[-1]['input'].message,
        'the advice to set image_transport',
    )
    stranger.close()
    publisher = peer.publisher()
    with peer.collect(FACE) as received:
        send_until(publisher, bgr8_message(portrait), lambda: received.messages, 'a crop again')


def stamped(portrait: NDArray[np.uint8], name: str, nanoseconds: int) -> Image:
    msg = bgr8_message(portrait, frame_id=name)
    msg.header.stamp.sec, msg.header.stamp.nanosec = divmod(nanoseconds, 10**9)
    return msg


def test_images_with_any_stamps_are_restored_and_keep_them(
    start: Start, halving_model: Path, portrait: NDArray[np.uint8]
) -> None:
    _, peer = start('-p', f'model:={halving_model}')
    publisher = peer.publisher()
    now, second = peer.node.get_clock().now().nanoseconds, 10**9
    stamps = {
        'zero': 0,
        'zero again': 0,
        'now': now,
        'equal': now,
        'late by a frame': now - second // 30,
        'from the future': now + 3600 * second,
        'back by a correction of the clock': now + second,
        'back by a bag that starts again': 1_000 * second,
        'negative': -5 * second,
        'the largest': (2**31 - 1) * second + second - 1,
        'now again': now + 2 * second,
    }
    with peer.collect(FACE) as received:
        for name, nanoseconds in stamps.items():
            msg = stamped(portrait, name, nanoseconds)
            crop = send_until_crop(publisher, msg, received)
            assert crop.header == msg.header
            pixels = np.frombuffer(crop.data, np.uint8)
            assert pixels.std() > 10, f'the crop of the frame whose stamp is {name} is empty'
    wait_until(
        lambda: newest_counts(peer)['processed'] >= len(stamps), 'diagnostics after the last frame'
    )
    counts = newest_counts(peer)
    assert counts['rejected'] == 0
    # The stamps of other clocks must not give an age below zero. On a slow machine the usable ones
    # have left the window of the last message.
    told = [values_of(statuses['restoration']) for statuses in peer.diagnostics]
    ages = [float(one['latency/age/p50_ms']) for one in told if 'latency/age/p50_ms' in one]
    assert ages
    assert min(ages) >= 0


HUGE = {
    'more pixels than data': (Image(height=60000, width=60000, encoding='mono8', step=60000), 9),
    'more than max_image_px': (Image(height=6000, width=6000, encoding='mono8', step=6000), 36**3),
    'rows of four gigabytes': (Image(height=2, width=8, encoding='mono8', step=2**32 - 1), 64),
    'sides that overflow 32 bits': (
        Image(height=2**31, width=2**31, encoding='bgr8', step=2**32 - 1),
        64,
    ),
}


def resident_kib(pid: int) -> int:
    """Return the largest resident memory that a process has had, in KiB."""
    status = Path(f'/proc/{pid}/status').read_text()
    return int(status.partition('VmHWM:')[2].split()[0])


def send_until_rejected(publisher: Any, msg: Image, peer: Peer, name: str) -> None:
    before = newest_counts(peer)['rejected']
    send_until(
        publisher,
        msg,
        lambda: newest_counts(peer)['rejected'] > before,
        f'an image with {name} to be rejected',
    )


def test_images_that_declare_more_than_they_hold_are_refused_without_memory(
    start: Start, halving_model: Path, portrait: NDArray[np.uint8]
) -> None:
    process, peer = start('-p', f'model:={halving_model}', '-p', 'max_image_px:=4194304')
    publisher = peer.publisher()
    with peer.collect(FACE) as received:
        send_until(publisher, bgr8_message(portrait), lambda: received.messages, 'a crop')
        before = resident_kib(process.pid)
        for name, (msg, size) in HUGE.items():
            msg.data = array('B', bytes(size))
            send_until_rejected(publisher, msg, peer, name)
        assert resident_kib(process.pid) - before < 50_000
        received.messages.clear()
        send_until(publisher, bgr8_message(portrait), lambda: received.messages, 'a crop again')
    assert 'max_image_px = 4194304' in process.log
    assert 'bytes of data' in process.log
