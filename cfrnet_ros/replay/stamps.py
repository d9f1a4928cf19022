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

"""Reads and replaces the header stamp of a serialised message without decoding the rest."""

from __future__ import annotations

import struct
from collections.abc import Sequence

#: Offset of the stamp in bytes: after 4 bytes of CDR encapsulation, std_msgs/Header begins with
#: sec and nanosec.
#: Source: OMG DDS-RTPS 2.5, 10.2 (encapsulation identifiers; odd ones are little-endian).
_OFFSET = 4
_SIZE = 8


def _format(cdr: bytes) -> str:
    if len(cdr) < _OFFSET + _SIZE:
        raise ValueError(f'a message of {len(cdr)} bytes has no header stamp')
    return '<iI' if cdr[1] & 1 else '>iI'


def read_stamp(cdr: bytes) -> int:
    """Return the header stamp of a serialised message in nanoseconds.

    Args:
        cdr: Message whose first field is a std_msgs/Header.

    Raises:
        ValueError: The message is too short to hold a header.

    """
    sec, nanosec = struct.unpack_from(_format(cdr), cdr, _OFFSET)
    return int(sec) * 10**9 + int(nanosec)


def restamp(cdr: bytes, stamp_ns: int) -> bytes:
    """Return the message with another header stamp (nanoseconds, 0 or more).

    Raises:
        ValueError: The message is too short to hold a header.

    """
    stamp = struct.pack(_format(cdr), *divmod(stamp_ns, 10**9))
    return cdr[:_OFFSET] + stamp + cdr[_OFFSET + _SIZE :]


def usable(stamps: Sequence[int]) -> bool:
    """Return whether header stamps tell when their images were taken.

    Some drivers leave them at 0, set all to the time of their start, or repeat the last one. A node
    would time such images by their arrival, which is another one in each replay.

    Args:
        stamps: Header stamps in nanoseconds, in the order of recording.

    """
    return len(stamps) > 0 and min(stamps) > 0 and len(set(stamps)) == len(stamps)
