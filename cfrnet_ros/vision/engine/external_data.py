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

"""Confines the weights that an ONNX file keeps in other files to the folder of the file.

An ONNX file may name files with weights by any path, such as `../../etc/passwd`, or, for ONNX
Runtime, by an address in memory. Whoever loads it would read them. The file is looked through here
before ONNX Runtime opens it, without the Python package onnx, which is optional.

Source of the field numbers: onnx.proto of ONNX 1.23 (https://github.com/onnx/onnx).
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from cfrnet_ros.vision.errors import ModelError

#: Messages that may contain a tensor, by message type and field number.
_INSIDE: Mapping[str, Mapping[int, str]] = {
    'Model': {7: 'Graph', 20: 'Training', 25: 'Function'},
    'Training': {1: 'Graph', 2: 'Graph'},
    'Function': {7: 'Node', 11: 'Attribute'},
    'Graph': {1: 'Node', 5: 'Tensor', 15: 'Sparse'},
    'Node': {5: 'Attribute'},
    'Attribute': {5: 'Tensor', 6: 'Graph', 10: 'Tensor', 11: 'Graph', 22: 'Sparse', 23: 'Sparse'},
    'Sparse': {1: 'Tensor', 2: 'Tensor'},
    'Tensor': {13: 'Entry'},
    'Entry': {},
}
_LOCATION = b'location'
#: Wire types of protobuf: variable length integer, 8 bytes, length-delimited, 4 bytes.
_VARINT, _EIGHT, _DELIMITED, _FOUR = 0, 1, 2, 5
_VARINT_BYTES = 10


class _MalformedError(ValueError):
    """Bytes that are no message of protobuf."""


def check_external_data(model: str | Path) -> None:
    """Check that a model reads no files outside of its own folder.

    Args:
        model: Path of an existing ONNX file.

    Raises:
        ModelError: The file cannot be read or is no ONNX file, or it names a file with weights
            that is missing or lies outside of the model's folder, also by a symbolic link.

    """
    path = Path(model)
    try:
        folder = path.parent.resolve()
        locations = list(external_locations(path))
    except _MalformedError as error:
        raise ModelError(
            f"cannot load '{path}': {error}; it must be a complete ONNX file"
        ) from error
    except OSError as error:
        raise ModelError(f"cannot load '{path}': {error}; check its permissions") from error
    for location in locations:
        try:
            target = (folder / location).resolve()
            inside, exists = target.is_relative_to(folder), target.is_file()
        except (OSError, ValueError, RuntimeError):  # a name that no file can have, or a loop
            inside = exists = False
        if not inside or Path(location).is_absolute():
            raise ModelError(
                f"'{path}' keeps weights in {location!r}, outside of its own folder, which is not"
                ' allowed; put that file beside the model and name it without a folder'
            )
        if not exists:
            raise ModelError(
                f"'{path}' keeps weights in {location!r}, which is missing; copy that file into"
                ' the folder of the model'
            )


def external_locations(model: str | Path) -> Iterator[str]:
    """Yield the locations of all weights that an ONNX file keeps in other files.

    Args:
        model: Path of the file.

    Raises:
        ValueError: The file is no message of protobuf.
        OSError: The file cannot be read.

    """
    with Path(model).open('rb') as stream:
        try:
            content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError as error:
            raise _MalformedError('it is empty') from error
        with content:
            yield from _locations(content)


def _locations(content: mmap.mmap) -> Iterator[str]:
    # A list instead of recursion, since the depth of a file is not limited.
    waiting = [('Model', 0, len(content))]
    while waiting:
        kind, start, end = waiting.pop()
        key = value = b''
        for number, wire, first, last in _fields(content, start, end):
            if kind == 'Entry' and wire == _DELIMITED and number in (1, 2):
                part = bytes(content[first:last])
                key, value = (part, value) if number == 1 else (key, part)
            elif number in _INSIDE[kind]:
                if wire != _DELIMITED:
                    raise _MalformedError(f'field {number} of its {kind} has wire type {wire}')
                waiting.append((_INSIDE[kind][number], first, last))
        if key == _LOCATION:
            # As the name of a file, whose bytes need not be UTF-8.
            yield os.fsdecode(value)


def _fields(content: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield field number, wire type, and first and last + 1 position of each field's content."""
    at = start
    while at < end:
        tag, at = _varint(content, at, end)
        number, wire = tag >> 3, tag & 7
        first = at
        if wire == _VARINT:
            _, at = _varint(content, at, end)
        elif wire == _DELIMITED:
            length, first = _varint(content, at, end)
            at = first + length
        elif wire in (_EIGHT, _FOUR):
            at += 8 if wire == _EIGHT else 4
        else:
            raise _MalformedError(f'wire type {wire} at byte {first} is not of ONNX')
        if number == 0 or at > end:
            raise _MalformedError(f'the field at byte {first} is damaged or cut off')
        yield number, wire, first, at


def _varint(content: mmap.mmap, at: int, end: int) -> tuple[int, int]:
    """Read an integer of variable length; return it and the position behind it."""
    value = 0
    for place in range(_VARINT_BYTES):
        if at >= end:
            break
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at
    raise _MalformedError(f'the number at byte {at} is damaged or cut off')
