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

"""Deterministic replay: two runs give the same bag, and a silent node is an error."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from builtin_interfaces.msg import Time
from rclpy.serialization import serialize_message
from replays import Command, Played, play
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from std_msgs.msg import Header

from cfrnet_ros.replay import tables
from cfrnet_ros.replay.bag_reader import COMPRESSED, RAW, BagReader
from cfrnet_ros.replay.bag_writer import BagWriter
from cfrnet_ros.replay.errors import ReplayError
from cfrnet_ros.replay.frames import PROCESSED, REJECTED
from cfrnet_ros.replay.plan import (
    DIAGNOSTICS_TOPIC,
    FACE_STATUS_TOPIC,
    FACE_TOPIC,
    FRAME_STATUS_TOPIC,
    FUSED_TOPIC,
    RESTORED_TOPIC,
    ReplayPlan,
)
from cfrnet_ros.replay.session import run_replay
from cfrnet_ros.replay.stamps import restamp
from demo.bag_frames import IMAGE_TOPIC, START_NS, TRUTH_TOPIC, image_message, jpeg_message
from demo.scene import Scene

GetPlayed = Callable[[str], Played]
GetBag = Callable[[str], Path]


def contents(folder: Path) -> list[tuple[str, int, bytes]]:
    with BagReader(folder) as bag:
        return [(m.topic, m.time_ns, m.data) for m in bag.messages()]


def test_two_runs_give_the_same_bag(played: GetPlayed, case_bag: GetBag, tmp_path: Path) -> None:
    one = played('two_people')
    other = play(case_bag('two_people'), tmp_path)
    messages = contents(one.log.plan.recording)
    assert {topic for topic, _, _ in messages} == {
        *(FACE_TOPIC, FUSED_TOPIC, FACE_STATUS_TOPIC, RESTORED_TOPIC)
    }
    assert messages == contents(other.log.plan.recording)
    # The files are equal as well, not only the messages.
    for name in ('restored.mcap', 'metadata.yaml'):
        files = [each.log.plan.recording / name for each in (one, other)]
        assert files[0].read_bytes() == files[1].read_bytes()
    # All measurements of pictures are equal.
    assert (one.out / tables.FACES).read_bytes() == (other.out / tables.FACES).read_bytes()


def test_images_without_stamps_give_the_same_bag_twice(camera_bag: Path, tmp_path: Path) -> None:
    with BagReader(camera_bag) as source, BagWriter(tmp_path / 'unstamped') as unstamped:
        unstamped.add_topic(IMAGE_TOPIC, RAW)
        for message in list(source.messages(IMAGE_TOPIC))[:4]:
            unstamped.write(IMAGE_TOPIC, message.time_ns, restamp(message.data, 0))
    one, other = (
        play(tmp_path / 'unstamped', tmp_path / name, None, cycles=(1,))
        for name in ('one', 'other')
    )
    assert one.log.received[FACE_TOPIC] == 4
    assert contents(one.log.plan.recording) == contents(other.log.plan.recording)


def test_machine_dependent_messages_are_in_a_separate_bag(played: GetPlayed) -> None:
    done = played('two_people')
    with BagReader(done.out / 'diagnostics') as bag:
        assert bag.count(DIAGNOSTICS_TOPIC) > 0
        assert bag.count(FRAME_STATUS_TOPIC) == len(done.results.frames)
        assert FACE_TOPIC not in bag.topics


def test_passes_do_not_depend_on_each_other(played: GetPlayed, commanded: Command) -> None:
    alone = contents(played('night').log.plan.recording)
    with (commanded.out / tables.FRAMES).open(newline='') as file:
        second = next(row for row in csv.DictReader(file) if row['pass'] == '1')
    shift = int(second['stamp_ns']) - int(second['bag_stamp_ns'])
    assert shift > 10**9
    late = [m for m in contents(commanded.out / 'restored') if m[1] >= START_NS + shift]
    crops = [m for m in late if m[0] == FACE_TOPIC]
    assert [time_ns - shift for _, time_ns, _ in crops] == [
        time_ns for topic, time_ns, _ in alone if topic == FACE_TOPIC
    ]
    # The pixels of k = 2 do not depend on an earlier pass with k = 1.
    for (_, _, one), (_, _, two) in zip(crops, [m for m in alone if m[0] == FACE_TOPIC]):
        assert one[-256 * 256 * 3 :] == two[-256 * 256 * 3 :]


@pytest.mark.parametrize('name', ['/cam/compressed', '/cam/front/jpeg'])
def test_sqlite3_and_compressed_images_on_any_topic(tmp_path: Path, name: str) -> None:
    types = get_typestore(Stores.ROS2_HUMBLE)
    scene = Scene(5)
    with Writer(tmp_path / 'old', version=8, storage_plugin=StoragePlugin.SQLITE3) as bag:
        topic = bag.add_connection(name, COMPRESSED, typestore=types)
        for index in range(3):
            now_ns = START_NS + index * 10**8
            sec, nanosec = divmod(now_ns, 10**9)
            header = Header(stamp=Time(sec=sec, nanosec=nanosec), frame_id='camera')
            message = jpeg_message(scene.frame(index / 10), header, 90)
            bag.write(topic, now_ns, serialize_message(message))
    log = run_replay(ReplayPlan(tmp_path / 'old', tmp_path, cycles=(1,), deterministic=True))
    assert log.topic == name
    assert log.received[FACE_TOPIC] == 3


def test_rejected_frames_count_as_answered(tmp_path: Path) -> None:
    clean = np.asarray(cv2.resize(Scene(5).frame(0.0), (480, 360)), np.uint8)
    with BagWriter(tmp_path / 'bad') as bag:
        bag.add_topic(IMAGE_TOPIC, RAW)
        bag.add_topic(TRUTH_TOPIC, COMPRESSED)
        for index in range(4):
            sec, nanosec = divmod(START_NS + index * 10**8, 10**9)
            header = Header(stamp=Time(sec=sec, nanosec=nanosec), frame_id='camera')
            message = image_message(clean, header)
            if index == 1:
                message.encoding = 'no_such_encoding'
            if index == 2:
                message.step = 7
            bag.write(IMAGE_TOPIC, START_NS + index * 10**8, serialize_message(message))
    done = play(tmp_path / 'bad', tmp_path / 'out', cycles=(1,))
    outcomes = [row.outcome for row in done.results.frames]
    assert outcomes == [PROCESSED, REJECTED, REJECTED, PROCESSED]
    assert [row.faces for row in done.results.frames] == [1, 0, 0, 1]


def test_a_node_that_does_not_answer_is_an_error(case_bag: GetBag, tmp_path: Path) -> None:
    timers = []

    def stop(cycles: int, frame: object, counts: object) -> None:
        listed = subprocess.run(
            ['pgrep', '-P', str(os.getpid()), '-f', 'cfrnet_ros.node.main'],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        node = int(listed.split()[0])
        os.kill(node, signal.SIGSTOP)
        # After the timeout the node may continue and exit cleanly.
        timers.append(threading.Timer(6.0, os.kill, (node, signal.SIGCONT)))
        timers[0].start()

    plan = ReplayPlan(
        case_bag('still'),
        tmp_path,
        topic=IMAGE_TOPIC,
        cycles=(1,),
        deterministic=True,
        # Long enough for the first frame, before the node is stopped.
        answer_timeout_s=5.0,
    )
    with pytest.raises(ReplayError, match=r'did not answer frame 1 within 5 s.*node\.log'):
        run_replay(plan, stop)
    timers[0].join()


def test_a_latency_budget_is_refused(case_bag: GetBag, tmp_path: Path) -> None:
    plan = ReplayPlan(
        case_bag('still'),
        tmp_path,
        topic=IMAGE_TOPIC,
        deterministic=True,
        parameters={'latency_budget_ms': 40.0},
    )
    with pytest.raises(ReplayError, match='not possible with a latency_budget_ms'):
        run_replay(plan)
