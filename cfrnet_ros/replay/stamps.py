"""Reads and replaces the header stamp of a serialised message without decoding the rest."""

from __future__ import annotations

import struct

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
