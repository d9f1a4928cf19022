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

from array import array

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image

from cfrnet_ros.node.images.decoder import ImageDecoder
from cfrnet_ros.node.images.encodings import ENCODINGS, Encoding
from cfrnet_ros.node.images.errors import CAUSES, ImageError
from cfrnet_ros.node.images.messages import to_image_msg

WIDTH, HEIGHT = 24, 16


def make(
    encoding: str,
    data: bytes,
    step: int,
    width: int = WIDTH,
    height: int = HEIGHT,
    big_endian: bool = False,
) -> Image:
    msg = Image(encoding=encoding, width=width, height=height, step=step)
    msg.is_bigendian = int(big_endian)
    msg.data = array('B', data)
    return msg


def pad(rows: NDArray[np.generic], padding: int) -> tuple[bytes, int]:
    """Append garbage to each row; return the data and the step."""
    raw = np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), -1)
    garbage = np.full((len(rows), padding), 77, np.uint8)
    return np.hstack([raw, garbage]).tobytes(), raw.shape[1] + padding


def decoder() -> ImageDecoder:
    return ImageDecoder(max_image_px=1_000_000)


@pytest.mark.parametrize('padding', [0, 13])
@pytest.mark.parametrize(
    ('encoding', 'order'),
    [
        ('bgr8', (0, 1, 2)),
        ('8UC3', (0, 1, 2)),
        ('rgb8', (2, 1, 0)),
        ('bgra8', (0, 1, 2, 3)),
        ('rgba8', (2, 1, 0, 3)),
    ],
)
def test_colour_encodings_are_decoded_to_bgr(
    bgr: NDArray[np.uint8], encoding: str, order: tuple[int, ...], padding: int
) -> None:
    with_alpha = np.dstack([bgr, np.full(bgr.shape[:2], 255, np.uint8)])
    data, step = pad(np.ascontiguousarray(with_alpha[:, :, list(order)]), padding)
    assert np.array_equal(decoder().decode(make(encoding, data, step)), bgr)


@pytest.mark.parametrize('padding', [0, 7])
@pytest.mark.parametrize('encoding', ['mono8', '8UC1', 'GREY', 'Y8'])
def test_grey_encodings_are_decoded_to_three_equal_channels(encoding: str, padding: int) -> None:
    grey = np.arange(WIDTH * HEIGHT, dtype=np.uint16).reshape(HEIGHT, WIDTH).astype(np.uint8)
    data, step = pad(grey, padding)
    assert np.array_equal(decoder().decode(make(encoding, data, step)), np.dstack([grey] * 3))


@pytest.mark.parametrize('padding', [0, 7])
def test_new_encoding_needs_only_an_entry_in_encodings(
    bgr: NDArray[np.uint8], padding: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENCODINGS, 'hsv8', Encoding('u1', 3, cv2.COLOR_HSV2BGR_FULL))
    data, step = pad(cv2.cvtColor(bgr, cv2.COLOR_BGR2HSV_FULL), padding)
    decoded = decoder().decode(make('hsv8', data, step))
    assert np.abs(decoded.astype(int) - bgr).max() <= 3
    with pytest.raises(ImageError) as raised:
        decoder().check(make('hsv8', data, 3 * WIDTH - 1))
    assert raised.value.cause == 'bad_layout'


def yuv_of(bgr: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(3, H, W), BT.601 in studio range: what cameras send and OpenCV decodes."""
    b, g, r = (bgr[:, :, i].astype(float) for i in range(3))
    return np.stack(
        [
            16 + 0.257 * r + 0.504 * g + 0.098 * b,
            128 - 0.148 * r - 0.291 * g + 0.439 * b,
            128 + 0.439 * r - 0.368 * g - 0.071 * b,
        ]
    )


def planes_of(bgr: NDArray[np.uint8], encoding: str, padding: int) -> tuple[bytes, int]:
    """Rows of all planes, with garbage behind each, and the step."""
    y, u, v = np.rint(yuv_of(bgr)).astype(np.uint8)
    quarter_u, quarter_v = u[::2, ::2], v[::2, ::2]

    def alternate(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.stack([first, second], -1).reshape(len(first), -1)

    planes = {
        'nv12': [y, alternate(quarter_u, quarter_v)],
        'nv21': [y, alternate(quarter_v, quarter_u)],
        'nv16': [y, alternate(u[:, ::2], v[:, ::2])],
        'nv24': [y, alternate(u, v)],
        'i420': [y, quarter_u, quarter_v],
        'yv12': [y, quarter_v, quarter_u],
    }[encoding]
    # The padding of a chroma row has the same share of that of a luma row as its samples.
    padded = (pad(plane, padding * plane.shape[1] // WIDTH)[0] for plane in planes)
    return b''.join(padded), WIDTH + padding


@pytest.mark.parametrize('padding', [0, 8])
@pytest.mark.parametrize('encoding', ['nv12', 'nv21', 'nv16', 'nv24', 'i420', 'yv12'])
def test_colour_in_planes_of_its_own(bgr: NDArray[np.uint8], encoding: str, padding: int) -> None:
    data, step = planes_of(bgr, encoding, padding)
    for name in (encoding, encoding.upper()):
        decoded = decoder().decode(make(name, data, step))
        assert decoded.shape == bgr.shape
        assert np.abs(decoded.astype(int) - bgr).max() <= 4
    with pytest.raises(ImageError) as raised:
        decoder().check(make(encoding, data[:-1], step))
    assert raised.value.cause == 'truncated'


@pytest.mark.parametrize('encoding', ['nv12', 'i420'])
@pytest.mark.parametrize('bytes_a_pixel', [1.5, 2])
def test_a_step_that_counts_whole_pixels_is_understood(
    bgr: NDArray[np.uint8], encoding: str, bytes_a_pixel: float
) -> None:
    data, _ = planes_of(bgr, encoding, 0)
    decoded = decoder().decode(make(encoding, data, int(bytes_a_pixel * WIDTH)))
    assert np.abs(decoded.astype(int) - bgr).max() <= 4


@pytest.mark.parametrize('padding', [0, 6])
@pytest.mark.parametrize(
    ('encoding', 'luma_first'),
    [
        ('yuv422', False),
        ('uyvy', False),
        ('UYVY', False),
        ('uyvy422', False),
        ('yuv422_yuy2', True),
        ('yuyv', True),
        ('YUYV', True),
        ('YUY2', True),
        ('yuyv422', True),
    ],
)
def test_yuv422_is_decoded_in_both_sample_orders(
    bgr: NDArray[np.uint8], encoding: str, luma_first: bool, padding: int
) -> None:
    luma, u, v = yuv_of(bgr)
    chroma = np.where(np.arange(WIDTH) % 2 == 0, u, v)
    samples = np.dstack([luma, chroma] if luma_first else [chroma, luma])
    data, step = pad(np.rint(samples).astype(np.uint8), padding)
    decoded = decoder().decode(make(encoding, data, step))
    assert np.abs(decoded.astype(int) - bgr).max() <= 4


@pytest.mark.parametrize('padding', [0, 3])
@pytest.mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
def test_bayer_patterns_are_decoded_to_bgr(
    bgr: NDArray[np.uint8], pattern: str, padding: int
) -> None:
    mosaic = np.zeros((HEIGHT, WIDTH), np.uint8)
    for index, colour in enumerate(pattern):
        row, column = divmod(index, 2)
        mosaic[row::2, column::2] = bgr[row::2, column::2, 'bgr'.index(colour)]
    data, step = pad(mosaic, padding)
    decoded = decoder().decode(make(f'bayer_{pattern}8', data, step))
    # Compared away from the edges between the quarters, where interpolation mixes the colours.
    for rows in (slice(2, 6), slice(10, 14)):
        for columns in (slice(2, 10), slice(14, 22)):
            assert np.abs(decoded[rows, columns].astype(int) - bgr[rows, columns]).max() <= 1


@pytest.mark.parametrize('bits', [10, 12, 14, 16])
@pytest.mark.parametrize('big_endian', [False, True])
def test_bayer_of_more_than_eight_bits_keeps_its_colours(
    bgr: NDArray[np.uint8], bits: int, big_endian: bool
) -> None:
    mosaic = np.zeros((HEIGHT, WIDTH), np.uint16)
    for index, colour in enumerate('grbg'):
        row, column = divmod(index, 2)
        mosaic[row::2, column::2] = bgr[row::2, column::2, 'bgr'.index(colour)]
    # Black and white within the picture, so that the brightness range is the whole one.
    mosaic[:, 10:12], mosaic[:, 12:14] = 0, 255
    samples = (mosaic << (bits - 8)).astype('>u2' if big_endian else '<u2')
    data, step = pad(samples, 6)
    msg = make(f'bayer_grbg{bits}', data, step, big_endian=big_endian)
    decoded = decoder().decode(msg)
    for rows in (slice(2, 6), slice(10, 14)):
        for columns in (slice(2, 8), slice(16, 22)):
            assert np.abs(decoded[rows, columns].astype(int) - bgr[rows, columns]).max() <= 2
    # Four samples in five bytes, as MIPI sends them, are not what the name says here.
    with pytest.raises(ImageError, match='takes 48 bytes') as raised:
        decoder().check(make(f'bayer_grbg{bits}', data, WIDTH * 10 // 8))
    assert raised.value.cause == 'bad_layout'


@pytest.mark.parametrize('padding', [0, 5])
@pytest.mark.parametrize('encoding', ['mono16', '16UC1', 'mono12', 'Y12', 'Y16 '])
@pytest.mark.parametrize('big_endian', [False, True])
def test_12_bit_infrared_is_scaled_to_8_bits_in_both_byte_orders(
    big_endian: bool, encoding: str, padding: int
) -> None:
    ramp = np.linspace(0, 4095, WIDTH * HEIGHT).reshape(HEIGHT, WIDTH)
    samples = ramp.astype('>u2' if big_endian else '<u2')
    data, step = pad(samples, padding)
    decoded = decoder().decode(make(encoding, data, step, big_endian=big_endian))
    assert decoded.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(decoded[:, :, 0] - ramp / 4095 * 255).max() < 6


def test_16_bit_brightness_is_steady_under_a_reflection() -> None:
    scene = np.tile(np.linspace(0, 1000, WIDTH), (HEIGHT, 1)).astype('<u2')
    dazzled = scene.copy()
    dazzled[:4, :8] = 60000
    steady = decoder()
    before = steady.decode(make('mono16', scene.tobytes(), 2 * WIDTH)).astype(int)
    during = steady.decode(make('mono16', dazzled.tobytes(), 2 * WIDTH)).astype(int)
    alone = decoder().decode(make('mono16', dazzled.tobytes(), 2 * WIDTH)).astype(int)
    rest = (slice(4, None), slice(None))
    # Scaled by its own extremes, the dazzled frame is black except for the reflection.
    assert alone[rest].max() < 10
    assert during[rest].max() > 4 * alone[rest].max()
    assert before[rest].max() > 240


def test_16_bit_noise_of_a_covered_lens_stays_dark() -> None:
    noise = np.random.default_rng(0).integers(98, 103, (HEIGHT, WIDTH)).astype('<u2')
    decoded = decoder().decode(make('mono16', noise.tobytes(), 2 * WIDTH))
    assert decoded.max() < 32


@pytest.mark.parametrize('big_endian', [False, True])
def test_float_images_are_scaled_from_zero_to_one(big_endian: bool) -> None:
    ramp = np.linspace(-0.2, 1.2, WIDTH * HEIGHT).reshape(HEIGHT, WIDTH)
    samples = ramp.astype('>f4' if big_endian else '<f4')
    data, step = pad(samples, 4)
    decoded = decoder().decode(make('32FC1', data, step, big_endian=big_endian))
    assert np.abs(decoded[:, :, 1] - np.clip(ramp, 0, 1) * 255).max() <= 0.51


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
def test_nan_and_infinite_floats_are_rejected(value: float) -> None:
    samples = np.full((HEIGHT, WIDTH), 0.5, '<f4')
    samples[3, 4] = value
    with pytest.raises(ImageError) as raised:
        decoder().decode(make('32FC1', samples.tobytes(), 4 * WIDTH))
    assert raised.value.cause == 'not_finite'


GOOD = bytes(3 * WIDTH * HEIGHT)


@pytest.mark.parametrize(
    ('msg', 'cause'),
    [
        (Image(), 'empty'),
        (make('bgr8', b'', 3 * WIDTH), 'empty'),
        (make('bgr8', GOOD, 0, width=0), 'empty'),
        (make('bgr8', GOOD, 3 * WIDTH, height=0), 'empty'),
        (make('bgr8', GOOD[:-1], 3 * WIDTH), 'truncated'),
        (make('bgr8', GOOD, 3 * WIDTH, height=HEIGHT + 1), 'truncated'),
        (make('bgr8', GOOD, 3 * WIDTH - 1), 'bad_layout'),
        (make('bgr8', GOOD, 0), 'bad_layout'),
        (make('yuv422', GOOD, 2 * 23, width=23), 'bad_layout'),
        (make('nv12', GOOD, 23, width=23), 'bad_layout'),
        (make('nv12', GOOD, WIDTH, height=HEIGHT - 1), 'bad_layout'),
        (make('i420', GOOD, WIDTH - 1), 'bad_layout'),
        (make('bgr8', GOOD, 3 * WIDTH, width=100_000, height=100_000), 'too_large'),
        (make('bgr8', GOOD, 3 * WIDTH, width=2**32 - 1, height=2**32 - 1), 'too_large'),
        (make('colour', GOOD, 3 * WIDTH), 'unknown_encoding'),
        (make('', GOOD, 3 * WIDTH), 'unknown_encoding'),
        (make('16SC2', GOOD + GOOD, 4 * WIDTH), 'unknown_encoding'),
        (CompressedImage(format='jpeg'), 'empty'),
        (CompressedImage(format='jpeg', data=array('B', b'no jpeg at all')), 'corrupt'),
        (CompressedImage(format='h264', data=array('B', b'\0\0\0\1')), 'unknown_encoding'),
        (
            CompressedImage(format='32FC1; compressedDepth png', data=array('B', b'0' * 50)),
            'unknown_encoding',
        ),
    ],
)
def test_invalid_images_are_rejected_with_their_cause(msg: Image, cause: str) -> None:
    with pytest.raises(ImageError) as raised:
        decoder().decode(msg)
    assert raised.value.cause == cause
    assert cause in CAUSES
    assert str(raised.value)


def test_image_message_contains_the_array(bgr: NDArray[np.uint8]) -> None:
    header = Image().header
    header.frame_id = 'camera'
    # A slice of a larger frame is not contiguous in memory.
    msg = to_image_msg(bgr[:, 2:20], header)
    assert (msg.header, msg.encoding) == (header, 'bgr8')
    assert (msg.height, msg.width, msg.step) == (HEIGHT, 18, 54)
    assert np.array_equal(decoder().decode(msg), bgr[:, 2:20])


def test_decoded_view_of_the_message_is_read_only(bgr: NDArray[np.uint8]) -> None:
    decoded = decoder().decode(to_image_msg(bgr, Image().header))
    with pytest.raises(ValueError, match='read-only'):
        decoded[0, 0] = 0
