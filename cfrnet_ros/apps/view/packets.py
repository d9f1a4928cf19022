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

"""The binary messages to the browser: JSON that says what follows, and JPEG files."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

_LENGTH = struct.Struct('<I')


def pack(about: Mapping[str, Any], files: Sequence[bytes]) -> bytes:
    """Write a message.

    Args:
        about: What the files are, to be written as JSON.
        files: Files; their lengths are added to the JSON as `lengths`.

    Returns:
        Length of the JSON in bytes as a little-endian 32-bit number, the JSON, the files.

    """
    head = json.dumps({**about, 'lengths': [len(file) for file in files]}).encode()
    return b''.join([_LENGTH.pack(len(head)), head, *files])


def unpack(message: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """Read a message of `pack`; returns the JSON's object and the files."""
    (length,) = _LENGTH.unpack_from(message)
    at = _LENGTH.size + length
    about: dict[str, Any] = json.loads(message[_LENGTH.size : at])
    files = []
    for size in about['lengths']:
        files.append(message[at : at + size])
        at += size
    return about, files
