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

"""Causes for which a bag cannot be read, and remedies, found by looking at its files."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

_ROS1_MAGIC = b'#ROSBAG V'
_MCAP_MAGIC = b'\x89MCAP0\r\n'
_SQLITE_MAGIC = b'SQLite format 3\x00'
_ZSTD_MAGIC = b'\x28\xb5\x2f\xfd'
_GIT_LFS_MAGIC = b'version https://git-lfs'
_STORAGE = ('.mcap', '.db3')
_COMPRESSED = '.zstd'

#: Source of the layout and of the numbers of the records: the MCAP specification
#: (https://mcap.dev/spec). Each record is its number, its length (uint64) and its content.
_HEADER, _SCHEMA, _CHANNEL = 0x01, 0x03, 0x04
_FOOTER_BYTES = 9 + 20 + len(_MCAP_MAGIC)
#: Headers, schemas and channels are texts; statistics and indices are skipped and may be longer.
_LONGEST_RECORD = 1 << 30
#: Encodings of schemas that ROS 2 writes, and the empty one of a channel without a schema.
_ROS2_SCHEMAS = ('ros2msg', 'ros2idl', 'omgidl', '')


class Channel(NamedTuple):
    """One channel of an MCAP file.

    Attributes:
        topic: Name of the topic.
        encoding: Encoding of the messages; 'cdr' in ROS 2.
        schema_encoding: Encoding of the description of their type, such as 'ros2msg'; empty
            without one.

    """

    topic: str
    encoding: str
    schema_encoding: str

    @property
    def is_ros2(self) -> bool:
        """Return whether ROS 2 could have written the channel."""
        return self.encoding == 'cdr' and self.schema_encoding in _ROS2_SCHEMAS


def fault_of(path: Path) -> str | None:
    """Return the cause for which a bag cannot be read, with the remedy; None if there is none.

    Only what is certain is returned: a file that is whole and of ROS 2 has no fault here, even if
    another program cannot read it.

    Args:
        path: Folder of a bag, or one of its files. It exists.

    """
    try:
        return _folder_fault(path) if path.is_dir() else _file_fault(path)
    except OSError as error:
        return f'{error.strerror or error} ({error.filename or path})'


def journal_fault(path: Path) -> str | None:
    """Return the cause if messages of an sqlite3 bag are missing from its database, else None.

    Such a bag can be opened, and seems to be shorter than it is.

    Args:
        path: Folder of a bag, or one of its files.

    """
    databases = sorted(path.glob('*.db3')) if path.is_dir() else [path]
    return next((fault for file in databases if (fault := _sqlite_fault(file))), None)


def _folder_fault(folder: Path) -> str | None:
    files = sorted(file for file in folder.iterdir() if file.is_file())
    storage = [file for file in files if file.suffix in _STORAGE]
    if not (folder / 'metadata.yaml').exists():
        return _without_metadata(folder, files, storage)
    for file in storage:
        fault = _file_fault(file)
        if fault is not None:
            return f'{file.name}: {fault}'
    return None


def _without_metadata(folder: Path, files: list[Path], storage: list[Path]) -> str:
    if storage:
        names = ', '.join(file.name for file in storage)
        return (
            'it has no metadata.yaml, which ros2 bag writes at the end of a recording; give one of'
            f' its files instead ({names}), or write a new metadata.yaml by `ros2 bag reindex'
            f' {folder}`'
        )
    if any(file.suffix == '.bag' for file in files):
        return f'it holds ROS 1 bags; {_ros1_remedy(folder / "x.bag")}'
    inner = sorted(file.parent.name for file in folder.glob('*/metadata.yaml'))
    if inner:
        return f'it is no bag, but holds bags: give one of {", ".join(inner)} in it'
    if not files:
        return 'the folder is empty'
    return 'it is no bag: it has neither a metadata.yaml nor .mcap or .db3 files'


def _ros1_remedy(path: Path) -> str:
    return f'convert it: pip install rosbags; rosbags-convert --src {path} --dst {path.stem}'


def _file_fault(path: Path) -> str | None:
    with path.open('rb') as stream:
        start = stream.read(len(_GIT_LFS_MAGIC))
        if not start:
            return 'the file is empty: nothing was recorded, or a copy of it failed'
        if start.startswith(_ROS1_MAGIC):
            return f'it is a ROS 1 bag; {_ros1_remedy(path)}'
        if start.startswith(_GIT_LFS_MAGIC):
            return 'it is a pointer of Git LFS and not the file itself: git lfs pull'
        if start.startswith(_ZSTD_MAGIC) or path.suffix == _COMPRESSED:
            return (
                "it is compressed: give the bag's folder with its metadata.yaml, or decompress it"
                f' (zstd -d {path.name} -o {path.name.removesuffix(_COMPRESSED)})'
            )
        if start.startswith(_MCAP_MAGIC):
            fault = None if path.suffix == '.mcap' else 'it is an MCAP file: rename it to .mcap'
            return fault or _mcap_fault(path, stream)
        if start.startswith(_SQLITE_MAGIC):
            fault = None if path.suffix == '.db3' else 'it is an sqlite3 file: rename it to .db3'
            return fault or _sqlite_fault(path)
    if path.suffix in _STORAGE:
        return f'its first bytes are not those of a {path.suffix} file: it was overwritten'
    return 'it is neither an .mcap nor a .db3 file; give one of these, or the folder of a bag'


def _sqlite_fault(path: Path) -> str | None:
    journal = path.with_name(f'{path.name}-wal')
    if not journal.exists() or not journal.stat().st_size:
        return None
    return (
        f'messages are still in {journal.name}, because the recording was interrupted; move them:'
        f" sqlite3 {path} 'PRAGMA wal_checkpoint(TRUNCATE)'"
    )


def _mcap_fault(path: Path, stream: BinaryIO) -> str | None:
    recover = f'mcap recover {path} -o recovered.mcap'
    stream.seek(-min(_FOOTER_BYTES, path.stat().st_size), 2)
    footer = stream.read()
    if not footer.endswith(_MCAP_MAGIC) or len(footer) < _FOOTER_BYTES:
        return (
            f'the file ends early: its recording or its copy was interrupted; repair it: {recover}'
        )
    try:
        profile = _profile(stream)
        channels = list(_channels(stream, struct.unpack_from('<Q', footer, 9)[0]))
    except (struct.error, UnicodeDecodeError):
        return f'the file is damaged; repair it: {recover}'
    if profile == 'ros1':
        return 'it is an MCAP file of ROS 1; convert the .bag that it was made of: rosbags-convert'
    foreign = [channel for channel in channels if not channel.is_ros2]
    known = [channel.topic for channel in channels if channel.is_ros2]
    if profile != 'ros2':
        named = f'its profile is {profile!r} and not ros2'
        if not known:
            return f'it was not written by ROS 2: {named}, and no channel is'
        return f'it was not written by ROS 2: {named}; rewrite it by `ros2 bag convert`'
    if not any(channel.schema_encoding not in _ROS2_SCHEMAS for channel in foreign):
        return None
    listed = ', '.join(f'{c.topic} ({c.schema_encoding or c.encoding})' for c in foreign)
    kept = f'; leave them out: mcap filter {path} -o ros2.mcap --include-topic-regex '
    return f'not all of its channels are of ROS 2: {listed}' + (
        f"{kept}'{'|'.join(sorted(set(known)))}'" if known else ''
    )


def _profile(stream: BinaryIO) -> str:
    stream.seek(len(_MCAP_MAGIC))
    number, length = struct.unpack('<BQ', stream.read(9))
    if number != _HEADER:
        raise struct.error('no header')
    return _text(_read(stream, length), 0)[0]


def _channels(stream: BinaryIO, summary: int) -> Iterator[Channel]:
    """Yield the channels that the summary at this offset lists; none if it is 0."""
    schemas: dict[int, str] = {}
    stream.seek(summary)
    while summary:
        head = stream.read(9)
        if len(head) < 9:
            return
        number, length = struct.unpack('<BQ', head)
        if number not in (_SCHEMA, _CHANNEL):
            _check_length(length)
            stream.seek(length, 1)
            continue
        content = _read(stream, length)
        if number == _SCHEMA:
            _, after = _text(content, 2)
            schemas[struct.unpack_from('<H', content)[0]] = _text(content, after)[0]
        else:
            topic, after = _text(content, 4)
            encoding, _ = _text(content, after)
            schema = struct.unpack_from('<H', content, 2)[0]
            yield Channel(topic, encoding, schemas.get(schema, ''))


def _read(stream: BinaryIO, length: int) -> bytes:
    """Read a record's content, whose length a damaged file states."""
    _check_length(length)
    return stream.read(length)


def _check_length(length: int) -> None:
    # Python would allocate as much at once, or fail with another error than for a short file.
    if length > _LONGEST_RECORD:
        raise struct.error('a record of this length is damaged')


def _text(content: bytes, offset: int) -> tuple[str, int]:
    """Return the string at an offset, and the offset behind it."""
    (length,) = struct.unpack_from('<I', content, offset)
    end = offset + 4 + length
    return content[offset + 4 : end].decode(), end
