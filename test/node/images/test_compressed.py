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

from __future__ import annotations

import struct
from array import array

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage

from cfrnet_ros.node.images import compressed_formats
from cfrnet_ros.node.images.compressed_formats import CompressedFormat
from cfrnet_ros.node.images.decoder import ImageDecoder
from cfrnet_ros.node.images.errors import ImageError

WIDTH, HEIGHT = 24, 16


def decoder() -> ImageDecoder:
    return ImageDecoder(max_image_px=1_000_000)


def encode(bgr: NDArray[np.uint8] | NDArray[np.uint16], extension: str) -> bytes:
    done, data = cv2.imencode(extension, bgr)
    assert done
    return data.tobytes()


def compressed(data: bytes, text: str) -> CompressedImage:
    return CompressedImage(format=text, data=array('B', data))


@pytest.mark.parametrize(('extension', 'tolerance'), [('.png', 0), ('.jpg', 8)])
def test_jpeg_and_png_are_decoded_for_any_declared_format(
    bgr: NDArray[np.uint8], extension: str, tolerance: int
) -> None:
    data = encode(bgr, extension)
    for text in ('jpeg', 'png', f'bgr8; {extension[1:]} compressed bgr8', ''):
        decoded = decoder().decode(compressed(data, text))
        assert decoded.shape == bgr.shape
        # Compared away from the edges between the quarters, where JPEG causes ringing.
        assert np.abs(decoded[1:7, 1:7].astype(int) - bgr[1:7, 1:7]).max() <= tolerance


def test_compressed_rgb_is_converted_to_bgr(bgr: NDArray[np.uint8]) -> None:
    swapped = encode(np.ascontiguousarray(bgr[:, :, ::-1]), '.png')
    decoded = decoder().decode(compressed(swapped, 'rgb8; png compressed rgb8'))
    assert np.array_equal(decoded, bgr)


def test_png_with_grey_or_16_bit_samples_is_decoded() -> None:
    grey = np.tile(np.arange(0, 240, 10, dtype=np.uint8), (HEIGHT, 1))
    decoded = decoder().decode(compressed(encode(grey, '.png'), 'mono8; png compressed mono8'))
    assert np.array_equal(decoded, np.dstack([grey] * 3))
    deep = np.tile(np.linspace(0, 4095, WIDTH), (HEIGHT, 1)).astype(np.uint16)
    decoded = decoder().decode(compressed(encode(deep, '.png'), 'mono16; png compressed mono16'))
    assert decoded[:, -1].min() > 240
    assert decoded[:, 0].max() < 15


@pytest.mark.parametrize('extension', ['.png', '.jpg'])
def test_truncated_compressed_images_are_rejected(
    portrait: NDArray[np.uint8], extension: str
) -> None:
    data = encode(portrait, extension)
    for length in (len(data) // 2, len(data) - 12):
        with pytest.raises(ImageError) as raised:
            decoder().decode(compressed(data[:length], extension[1:]))
        assert raised.value.cause == 'truncated'
    for length in (4, 12, 20):
        with pytest.raises(ImageError) as raised:
            decoder().decode(compressed(data[:length], extension[1:]))
        assert raised.value.cause == 'corrupt'


def test_new_compressed_format_needs_only_an_entry_in_formats(
    bgr: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    def bmp_size(data: memoryview) -> tuple[int, int]:
        width, height = struct.unpack('<ii', data[18:26])
        return width, height

    msg = compressed(encode(bgr, '.bmp'), 'bmp')
    with pytest.raises(ImageError, match="'bmp' is not supported; jpeg and png are"):
        decoder().decode(msg)
    bmp = CompressedFormat('bmp', 'bmp', b'BM', lambda data: len(data) > 54, bmp_size)
    monkeypatch.setattr(compressed_formats, 'FORMATS', (*compressed_formats.FORMATS, bmp))
    assert np.array_equal(decoder().decode(msg), bgr)
    with pytest.raises(ImageError) as raised:
        ImageDecoder(max_image_px=100).check(msg)
    assert raised.value.cause == 'too_large'


def with_thumbnail(jpeg: bytes, thumbnail: bytes) -> bytes:
    """A JPEG with another one in an APP1 segment, as cameras write EXIF data."""
    return jpeg[:2] + b'\xff\xe1' + struct.pack('>H', len(thumbnail) + 2) + thumbnail + jpeg[2:]


@pytest.mark.parametrize('extension', ['.png', '.jpg'])
@pytest.mark.parametrize('behind', ['zeros', 'noise', 'remains of an earlier picture'])
def test_bytes_behind_the_end_do_no_harm(
    portrait: NDArray[np.uint8], extension: str, behind: str
) -> None:
    data = encode(portrait, extension)
    # What V4L2 offers for a compressed picture: twice as many bytes as pixels.
    length = 2 * portrait.shape[0] * portrait.shape[1]
    noise = np.random.default_rng(0).integers(0, 256, length, np.uint8).tobytes()
    tail = {'zeros': bytes(length), 'noise': noise, 'remains of an earlier picture': data[500:]}
    decoded = decoder().decode(compressed(data + tail[behind], extension[1:]))
    assert np.array_equal(decoded, decoder().decode(compressed(data, extension[1:])))


@pytest.mark.parametrize('extension', ['.png', '.jpg'])
def test_a_cut_image_is_rejected_behind_zeros_as_well(
    portrait: NDArray[np.uint8], extension: str
) -> None:
    data = encode(portrait, extension)
    # Followed by a whole picture, a cut one is no better.
    for tail in (bytes(100), bytes(20_000), *([data] if extension == '.jpg' else [])):
        with pytest.raises(ImageError) as raised:
            decoder().decode(compressed(data[: len(data) // 2] + tail, extension[1:]))
        assert raised.value.cause == 'truncated'


def test_the_end_of_a_thumbnail_is_not_that_of_the_picture(
    bgr: NDArray[np.uint8], portrait: NDArray[np.uint8]
) -> None:
    whole = with_thumbnail(encode(portrait, '.jpg'), encode(bgr, '.jpg'))
    assert decoder().decode(compressed(whole + bytes(5000), 'jpeg')).shape == portrait.shape
    with pytest.raises(ImageError) as raised:
        decoder().decode(compressed(whole[: len(whole) // 2], 'jpeg'))
    assert raised.value.cause == 'truncated'


def test_a_progressive_jpeg_with_restart_markers_is_whole(portrait: NDArray[np.uint8]) -> None:
    options = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 4]
    done, data = cv2.imencode('.jpg', portrait, options)
    assert done
    assert decoder().decode(compressed(data.tobytes(), 'jpeg')).shape == portrait.shape


def test_too_large_compressed_image_is_rejected_by_its_header() -> None:
    data = encode(np.zeros((2000, 2000, 3), np.uint8), '.png')
    with pytest.raises(ImageError) as raised:
        ImageDecoder(max_image_px=100_000).check(compressed(data, 'png'))
    assert raised.value.cause == 'too_large'
    data = encode(np.zeros((2000, 2000, 3), np.uint8), '.jpg')
    with pytest.raises(ImageError) as raised:
        ImageDecoder(max_image_px=100_000).check(compressed(data, 'jpeg'))
    assert raised.value.cause == 'too_large'
