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

"""Bags: other readers can read them, and damaged ones are refused with a reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mcap.reader import make_reader
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from cfrnet_ros.replay.bag_reader import COMPRESSED, RAW, BagReader
from cfrnet_ros.replay.bag_writer import BagWriter
from cfrnet_ros.replay.errors import BagError
from cfrnet_ros.replay.pictures import StampFinder
from cfrnet_ros.replay.stamps import read_stamp, restamp, usable
from demo.bag_frames import CONDITION_TOPIC, IMAGE_TOPIC, START_NS, TRUTH_TOPIC, CameraBag


def test_the_mcap_file_holds_schemas_and_qos_for_other_readers(camera_bag: Path) -> None:
    with (camera_bag / 'camera.mcap').open('rb') as stream:
        reader = make_reader(stream)
        summary = reader.get_summary()
        assert summary is not None
        assert reader.get_header().profile == 'ros2'
        schemas = {schema.name: schema for schema in summary.schemas.values()}
        assert schemas[RAW].encoding == 'ros2msg'
        assert b'uint32 height' in schemas[RAW].data
        assert b'MSG: std_msgs/Header' in schemas[RAW].data
        channels = {channel.topic: channel for channel in summary.channels.values()}
        assert channels[IMAGE_TOPIC].message_encoding == 'cdr'
        assert 'reliability' in channels[IMAGE_TOPIC].metadata['offered_qos_profiles']
        assert sum(1 for _ in reader.iter_messages(IMAGE_TOPIC)) == 10


def test_folder_and_single_file_read_alike(camera_bag: Path) -> None:
    for path in (camera_bag, camera_bag / 'camera.mcap'):
        with BagReader(path) as bag:
            assert bag.topics[IMAGE_TOPIC] == RAW
            assert bag.count(IMAGE_TOPIC) == 10
            assert bag.duration_s == pytest.approx(1.8, abs=0.01)
            times = [message.time_ns for message in bag.messages(IMAGE_TOPIC)]
    assert times == sorted(times)
    assert len(times) == 10


def test_sqlite3_bags_of_older_distributions_are_read(camera_bag: Path, tmp_path: Path) -> None:
    types = get_typestore(Stores.ROS2_HUMBLE)
    with (
        BagReader(camera_bag) as source,
        Writer(tmp_path / 'old', version=8, storage_plugin=StoragePlugin.SQLITE3) as old,
    ):
        topic = old.add_connection(IMAGE_TOPIC, RAW, typestore=types)
        for message in source.messages(IMAGE_TOPIC):
            old.write(topic, message.time_ns, message.data)
    with BagReader(tmp_path / 'old') as bag:
        assert bag.image_topic() == IMAGE_TOPIC
        assert len(list(bag.messages(IMAGE_TOPIC))) == 10


def test_the_image_topic_is_chosen_or_must_be_named(camera_bag: Path, tmp_path: Path) -> None:
    with BagReader(camera_bag) as bag:
        # The raw topic is preferred to the compressed one.
        assert bag.image_topic() == IMAGE_TOPIC
        assert bag.image_topic(TRUTH_TOPIC) == TRUTH_TOPIC
        with pytest.raises(BagError, match=r'no images on .*it has: /dms/image_raw, /dms/truth'):
            bag.image_topic(CONDITION_TOPIC)
    with BagWriter(tmp_path / 'two') as writer:
        writer.add_topic('/left', RAW)
        writer.add_topic('/right', RAW)
    with BagReader(tmp_path / 'two') as bag, pytest.raises(BagError, match='/left, /right'):
        bag.image_topic()
    with BagWriter(tmp_path / 'none') as writer:
        writer.add_topic('/text', 'std_msgs/msg/String')
    with (
        BagReader(tmp_path / 'none') as bag,
        pytest.raises(BagError, match=r'no topic with images of .*/text \(std_msgs/msg/String\)'),
    ):
        bag.image_topic()


def test_of_a_topic_with_two_types_the_raw_images_are_read(
    camera_bag: Path, tmp_path: Path
) -> None:
    types = get_typestore(Stores.ROS2_KILTED)
    with (
        BagReader(camera_bag) as source,
        Writer(tmp_path / 'both', version=8, storage_plugin=StoragePlugin.MCAP) as both,
    ):
        raw, compressed = (
            both.add_connection('/cam', kind, typestore=types) for kind in (RAW, COMPRESSED)
        )
        for message in source.messages(IMAGE_TOPIC, TRUTH_TOPIC):
            connection = raw if message.topic == IMAGE_TOPIC else compressed
            both.write(connection, message.time_ns, message.data)
    with BagReader(tmp_path / 'both') as bag:
        assert bag.topics['/cam'] == RAW
        assert bag.count('/cam') == 10
        assert {message.msgtype for message in bag.messages('/cam')} == {RAW}


def test_broken_bags_are_refused_with_a_reason(camera_bag: Path, tmp_path: Path) -> None:
    with pytest.raises(BagError, match='there is no bag'):
        BagReader(tmp_path / 'absent')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(BagError, match='cannot be read as a ROS 2 bag: the folder is empty'):
        BagReader(tmp_path / 'empty')
    cut = tmp_path / 'cut.mcap'
    cut.write_bytes((camera_bag / 'camera.mcap').read_bytes()[:100_000])
    with pytest.raises(BagError, match=r'ends early: .*mcap recover'):
        BagReader(cut)


def test_an_existing_bag_is_not_overwritten(camera_bag: Path) -> None:
    with pytest.raises(BagError, match='exists already'):
        BagWriter(camera_bag)


def test_an_unknown_type_is_refused(tmp_path: Path) -> None:
    with BagWriter(tmp_path / 'bag') as bag, pytest.raises(BagError, match='not installed'):
        bag.add_topic('/x', 'no_such_msgs/msg/Thing')


def test_restamping_changes_the_stamp_and_nothing_else(camera_bag: Path) -> None:
    with BagReader(camera_bag) as bag:
        message = next(bag.messages(IMAGE_TOPIC))
    assert message.msgtype != COMPRESSED
    stamped = restamp(message.data, 12 * 10**9 + 34)
    assert read_stamp(stamped) == 12 * 10**9 + 34
    assert restamp(stamped, read_stamp(message.data)) == message.data
    big_endian = b'\x00\x00\x00\x00' + (7).to_bytes(4, 'big') + (8).to_bytes(4, 'big')
    assert read_stamp(big_endian) == 7 * 10**9 + 8
    with pytest.raises(ValueError, match='no header stamp'):
        read_stamp(b'\x00\x01\x00\x00')


def test_messages_are_found_by_stamp_despite_skipped_ones(tmp_path: Path) -> None:
    with CameraBag(tmp_path / 'many') as bag:
        for index in range(400):
            stamp = START_NS + (index // 2) * 10**6
            bag.frame(START_NS + index, np.full((2, 2), index % 256, np.uint8), None, stamp)
    with BagReader(tmp_path / 'many') as reader:
        finder = StampFinder(reader, IMAGE_TOPIC)

        def take(number: int, count: int) -> list[int]:
            found = finder.take(START_NS + number * 10**6, count)
            return [message.time_ns - START_NS for message in found]

        assert take(0, 2) == [0, 1]
        # Two messages with the same stamp, one after the other; then long unused parts.
        assert take(20, 1) == [40]
        assert take(20, 1) == [41]
        for number in range(30, 200, 12):
            assert take(number, 2) == [2 * number, 2 * number + 1]
        assert take(5000, 1) == []


def test_stamps_that_are_zero_or_stand_still_are_not_used() -> None:
    assert usable([5, 6, 7])
    # Late frames have a time of their own all the same.
    assert usable([6, 5, 8, 7])
    assert not usable([0, 0, 0])
    assert not usable([5, 0, 7])
    assert not usable([5, 5, 5])
    assert not usable([5, 6, 6])
    assert not usable([-4, 5, 6])
    assert not usable([])


def test_an_mcap_file_that_states_impossible_lengths_is_refused(
    camera_bag: Path, tmp_path: Path
) -> None:
    content = bytearray(next(camera_bag.glob('*.mcap')).read_bytes())
    # The length of the first record, the header, follows the magic bytes and the record's number.
    content[9:17] = (724288236326964617).to_bytes(8, 'little')
    damaged = tmp_path / 'damaged.mcap'
    damaged.write_bytes(content)
    with pytest.raises(BagError, match='the file is damaged; repair it: mcap recover'):
        BagReader(damaged)
