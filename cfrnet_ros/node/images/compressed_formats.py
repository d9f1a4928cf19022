"""Supported file formats of sensor_msgs/CompressedImage.

To support another format that OpenCV decodes, an entry in `FORMATS` is sufficient.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class CompressedFormat:
    """Properties by which the data of a format are recognised and checked before decoding.

    Attributes:
        name: Name of the format in messages to the user.
        pattern: Regular expression that matches the format in `CompressedImage.format`, in lower
            case.
        magic: First bytes of the data.
        end: Bytes of the end marker, empty for a format without an end marker.
        read_size: Function that reads width and height from the header, or returns None if the
            header is damaged.

    """

    name: str
    pattern: str
    magic: bytes
    end: bytes
    read_size: Callable[[memoryview], tuple[int, int] | None]


def jpeg_size(data: memoryview) -> tuple[int, int] | None:
    """Return width and height from the frame header of a JPEG, None if it has no frame header."""
    position = 2
    while position + 9 <= len(data):
        if data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # markers without a length
            position += 2
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack('>HH', data[position + 5 : position + 9])
            return width, height
        if marker in (0xD9, 0xDA):  # end of image, or pixels before any frame header
            return None
        position += 2 + struct.unpack('>H', data[position + 2 : position + 4])[0]
    return None


def png_size(data: memoryview) -> tuple[int, int] | None:
    """Return width and height of a PNG, None if its first chunk is not IHDR."""
    if len(data) < 24 or bytes(data[12:16]) != b'IHDR':
        return None
    width, height = struct.unpack('>II', data[16:24])
    return width, height


#: Formats that can be decoded.
FORMATS: tuple[CompressedFormat, ...] = (
    CompressedFormat('jpeg', 'jpe?g', b'\xff\xd8\xff', b'\xff\xd9', jpeg_size),
    CompressedFormat('png', 'png', b'\x89PNG\r\n\x1a\n', b'IEND', png_size),
)
