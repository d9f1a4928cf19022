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

"""Bags of other tools, and folders that other tools changed: the message names the cause."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from mcap.writer import Writer as McapWriter
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from cfrnet_ros.replay.bag_reader import RAW, BagMessage, BagReader, check_image
from cfrnet_ros.replay.errors import BagError
from demo.bag_frames import IMAGE_TOPIC


def mcap_file(path: Path, profile: str, *others: tuple[str, bytes, str]) -> Path:
    """Write an MCAP file with a ROS 2 image, and channels of (encoding, schema, encoding)."""
    with path.open('wb') as stream:
        writer = McapWriter(stream)
        writer.start(profile)
        image = writer.register_schema(RAW, 'ros2msg', b'uint32 height')
        channel = writer.register_channel(IMAGE_TOPIC, 'cdr', image)
        writer.add_message(channel, 1, b'\0\1\0\0' + bytes(8), 1)
        for number, (schema_encoding, schema, encoding) in enumerate(others):
            described = writer.register_schema(f'Speed{number}', schema_encoding, schema)
            other = writer.register_channel(f'/can/{number}', encoding, described)
            writer.add_message(other, 2, b'{}', 2)
        writer.finish()
    return path


def refusal(path: Path) -> str:
    """Return the message with which a bag is refused."""
    with pytest.raises(BagError) as caught:
        BagReader(path)
    message = str(caught.value)
    # Only a file that does end early was interrupted.
    assert ('interrupted' in message) == ('ends early' in message or '-wal' in message)
    return message


def test_a_ros_1_bag_is_refused_with_the_command_that_converts_it(tmp_path: Path) -> None:
    types = get_typestore(Stores.ROS1_NOETIC)
    path = tmp_path / 'drive.bag'
    with Ros1Writer(path) as writer:
        writer.add_connection(IMAGE_TOPIC, RAW, typestore=types)
    assert f'it is a ROS 1 bag; convert it: pip install rosbags; rosbags-convert --src {path}' in (
        refusal(path)
    )
    assert 'it holds ROS 1 bags' in refusal(tmp_path)
    # By its content, whatever its name.
    assert 'it is a ROS 1 bag' in refusal(path.rename(tmp_path / 'drive.db3'))


def test_channels_that_are_not_of_ros_2_are_named_with_the_command_that_removes_them(
    tmp_path: Path,
) -> None:
    others = (
        ('jsonschema', b'{}', 'json'),
        # As descriptors of protobuf are, no text.
        ('protobuf', b'\n\xff\x80', 'protobuf'),
    )
    message = refusal(mcap_file(tmp_path / 'bus.mcap', 'ros2', *others))
    assert '/can/0 (jsonschema), /can/1 (protobuf)' in message
    assert (
        f"mcap filter {tmp_path}/bus.mcap -o ros2.mcap --include-topic-regex '{IMAGE_TOPIC}'"
        in (message)
    )


def test_mcap_files_of_another_profile_are_refused_by_it(tmp_path: Path) -> None:
    assert 'an MCAP file of ROS 1' in refusal(mcap_file(tmp_path / 'one.mcap', 'ros1'))
    assert "its profile is ''" in refusal(mcap_file(tmp_path / 'other.mcap', ''))


def test_a_definition_that_cannot_be_parsed_does_not_keep_the_images_back(tmp_path: Path) -> None:
    path = mcap_file(tmp_path / 'odd.mcap', 'ros2', ('ros2msg', b'not a definition ===', 'cdr'))
    with BagReader(path) as bag:
        assert bag.image_topic() == IMAGE_TOPIC
        assert len(list(bag.messages(IMAGE_TOPIC))) == 1


def without_metadata(bag: Path) -> None:
    (bag / 'metadata.yaml').unlink()


def without_its_file(bag: Path) -> None:
    (bag / 'camera.mcap').unlink()


def with_an_empty_file(bag: Path) -> None:
    (bag / 'camera.mcap').write_bytes(b'')


def with_a_pointer(bag: Path) -> None:
    (bag / 'camera.mcap').write_text('version https://git-lfs.github.com/spec/v1\n')


def with_another_file(bag: Path) -> None:
    (bag / 'camera.mcap').write_bytes(b'something else')


def of_a_later_version(bag: Path) -> None:
    text = (bag / 'metadata.yaml').read_text()
    (bag / 'metadata.yaml').write_text(text.replace('version: 9', 'version: 99'))


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (without_metadata, r'no metadata.yaml, .*give one of its files instead \(camera.mcap\)'),
        (without_its_file, 'files are missing: .*camera.mcap'),
        (with_an_empty_file, 'camera.mcap: the file is empty'),
        (with_a_pointer, 'git lfs pull'),
        (with_another_file, 'camera.mcap: its first bytes are not those of a .mcap file'),
        (of_a_later_version, 'version 99 not supported'),
    ],
)
def test_what_is_missing_or_changed_in_the_folder_is_named(
    change: Callable[[Path], None], words: str, camera_bag: Path, tmp_path: Path
) -> None:
    bag = tmp_path / 'camera'
    shutil.copytree(camera_bag, bag)
    change(bag)
    message = refusal(bag)
    assert re.search(words, message), message


def test_the_folder_around_a_bag_is_told_from_a_bag(camera_bag: Path, tmp_path: Path) -> None:
    shutil.copytree(camera_bag, tmp_path / 'drives' / 'monday')
    assert 'give one of monday in it' in refusal(tmp_path / 'drives')


def test_files_that_other_tools_left_in_the_folder_do_no_harm(
    camera_bag: Path, tmp_path: Path
) -> None:
    bag = tmp_path / 'camera'
    shutil.copytree(camera_bag, bag)
    (bag / 'notes.mcap').write_bytes(b'')
    (bag / '.DS_Store').write_bytes(b'\0')
    with BagReader(bag) as reader:
        assert len(list(reader.messages(IMAGE_TOPIC))) == 10


def test_metadata_that_fits_no_file_is_named_and_not_an_empty_bag(
    camera_bag: Path, tmp_path: Path
) -> None:
    bag = tmp_path / 'camera'
    shutil.copytree(camera_bag, bag)
    text = (bag / 'metadata.yaml').read_text()
    (bag / 'metadata.yaml').write_text(text.replace(IMAGE_TOPIC, '/renamed'))
    with BagReader(bag) as reader, pytest.raises(BagError, match='counts 10 messages on /renamed'):
        list(reader.messages('/renamed'))


def test_messages_that_wait_beside_an_sqlite_database_are_named(
    tmp_path: Path,
) -> None:
    with Writer(tmp_path / 'old', version=8, storage_plugin=StoragePlugin.SQLITE3) as writer:
        writer.add_connection(IMAGE_TOPIC, RAW, typestore=get_typestore(Stores.ROS2_HUMBLE))
    database = tmp_path / 'old' / 'old.db3'
    with sqlite3.connect(database) as connection:
        connection.execute('PRAGMA journal_mode=WAL')
        connection.execute('CREATE TABLE more (id INTEGER)')
        connection.commit()
        for path in (database, database.parent):
            message = refusal(path)
            assert 'old.db3-wal' in message
            assert 'wal_checkpoint' in message


def test_bytes_that_are_no_image_are_refused_before_they_are_sent(camera_bag: Path) -> None:
    with BagReader(camera_bag) as bag:
        message = next(bag.messages(IMAGE_TOPIC))
    check_image(message)
    broken = BagMessage(message.topic, message.msgtype, 1, message.data[4:])
    with pytest.raises(BagError, match='is no sensor_msgs/msg/Image as ROS 2 serialises it'):
        check_image(broken)
