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

"""Damaged and unusual images and intrinsics are decoded or refused, whatever they contain."""

from __future__ import annotations

import contextlib
import math
from array import array

import cv2
import numpy as np
from fuzzing import counted, fuzz
from hypothesis import given
from hypothesis import strategies as st
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from cfrnet_ros.node.camera_info import crop_camera_info
from cfrnet_ros.node.images.decoder import ImageDecoder
from cfrnet_ros.node.images.encodings import ENCODINGS, row_bytes
from cfrnet_ros.node.images.errors import CAUSES, ImageError

MAX_PX = 4096
SIZES = st.one_of(st.integers(0, 40), st.sampled_from([63, 64, 2**16, 2**31, 2**32 - 1]))
ENCODING = st.one_of(
    st.sampled_from(sorted(ENCODINGS)),
    st.sampled_from(['16SC2', '32FC2', '64FC4', '8SC1', 'klingon8', '', 'BGR8', 'Y16 ', '8UC5']),
    st.text(max_size=8),
)
FLOATS = st.floats(width=64)


@st.composite
def images(draw: st.DrawFn) -> Image:
    """Draw an image that is usually consistent, with one thing wrong at times."""
    encoding, width, height = draw(ENCODING), draw(SIZES), draw(SIZES)
    row = row_bytes(encoding, width)
    step = draw(st.one_of(st.just(min(row or 0, 2**32 - 1)), SIZES))
    whole = step * height * draw(st.sampled_from([1, 1, 2, 3])) // draw(st.sampled_from([1, 2]))
    size = draw(st.one_of(st.just(min(whole, 20_000)), st.integers(0, 3_000)))
    seed = draw(st.binary(min_size=1, max_size=16))
    return Image(
        encoding=encoding,
        width=width,
        height=height,
        step=step,
        is_bigendian=draw(st.integers(0, 255)),
        data=array('B', (seed * (size // len(seed) + 1))[:size]),
    )


def decoded_or_refused(decoder: ImageDecoder, msg: Image | CompressedImage) -> None:
    """Decode a message; only ImageError may be raised, and a result must be a BGR image."""
    try:
        pixels = decoder.decode(msg)
    except ImageError as error:
        cause, text = error.cause, str(error)
    else:
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 3
        assert pixels.shape[2] == 3
        assert 0 < pixels.shape[0] * pixels.shape[1] <= MAX_PX
        assert pixels.flags.c_contiguous
        return
    assert cause in CAUSES
    assert text


@fuzz(4)
@given(images())
@counted
def test_an_image_is_decoded_or_refused_with_a_cause(msg: Image) -> None:
    decoded_or_refused(ImageDecoder(MAX_PX), msg)


def _pictures() -> list[tuple[str, bytes]]:
    rng = np.random.default_rng(0)
    colour = rng.integers(0, 256, (24, 32, 3), np.uint8)
    grey16 = rng.integers(0, 65536, (16, 16), np.uint16)
    alpha = rng.integers(0, 256, (9, 7, 4), np.uint8)
    made = [
        ('jpeg', '.jpg', colour, []),
        ('jpeg', '.jpg', colour, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
        ('jpeg', '.jpg', colour, [cv2.IMWRITE_JPEG_RST_INTERVAL, 1]),
        ('png', '.png', colour, []),
        ('png', '.png', grey16, []),
        ('png', '.png', alpha, []),
    ]
    return [
        (kind, cv2.imencode(ending, pixels, options)[1].tobytes())
        for kind, ending, pixels, options in made
    ]


PICTURES = _pictures()


@st.composite
def compressed_images(draw: st.DrawFn) -> CompressedImage:
    """Draw a compressed picture with bytes changed, cut out, repeated or appended."""
    kind, data = draw(st.sampled_from(PICTURES))
    content = bytearray(data)
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, max(0, len(content) - 1)))
        change = draw(st.sampled_from(['set', 'cut', 'drop', 'insert', 'swap']))
        if change == 'set' and content:
            content[at] = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xD8, 0xD9, 0xFF]))
        elif change == 'cut':
            del content[at:]
        elif change == 'drop':
            del content[at : at + draw(st.integers(1, 64))]
        elif change == 'insert':
            content[at:at] = draw(st.binary(max_size=16))
        else:
            content = content[at:] + content[:at]
    declared = draw(
        st.one_of(
            st.just(kind),
            st.sampled_from(
                ['', 'rgb8; jpeg compressed rgb8', '16UC1; compressedDepth png', 'h264']
            ),
            st.text(max_size=8),
        )
    )
    return CompressedImage(format=declared, data=array('B', bytes(content)))


@fuzz(4)
@given(compressed_images())
@counted
def test_a_compressed_image_is_decoded_or_refused_with_a_cause(msg: CompressedImage) -> None:
    decoded_or_refused(ImageDecoder(MAX_PX), msg)


@fuzz()
@given(st.binary(max_size=400), st.sampled_from(['jpeg', 'png', '']))
@counted
def test_bytes_that_are_no_picture_are_refused(data: bytes, declared: str) -> None:
    msg = CompressedImage(format=declared, data=array('B', data))
    decoded_or_refused(ImageDecoder(MAX_PX), msg)


@fuzz()
@given(
    st.lists(FLOATS, min_size=9, max_size=9),
    st.lists(FLOATS, max_size=16),
    st.lists(FLOATS, min_size=12, max_size=12),
    st.one_of(
        st.sampled_from(['plumb_bob', 'rational_polynomial', 'equidistant', '']),
        st.text(max_size=6),
    ),
    st.floats(-math.pi, math.pi),
    st.floats(1e-3, 1e3),
)
@counted
def test_intrinsics_of_any_values_give_those_of_the_crop(
    k: list[float], d: list[float], p: list[float], model: str, angle: float, scale: float
) -> None:
    info = CameraInfo(width=640, height=480, distortion_model=model, d=d, k=k, r=k, p=p)
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    affine = np.array([[cosine, -sine, 3.0], [sine, cosine, -4.0]])
    with np.errstate(all='ignore'):
        crop = crop_camera_info(info, affine, 256, Header())
    assert len(crop.d) == len(d)
    assert (crop.width, crop.height) == (256, 256)


@fuzz()
@given(st.lists(images(), min_size=2, max_size=5))
@counted
def test_a_bad_image_does_not_spoil_the_next_one(series: list[Image]) -> None:
    decoder, fresh = ImageDecoder(MAX_PX), ImageDecoder(MAX_PX)
    for msg in series:
        with contextlib.suppress(ImageError):
            decoder.decode(msg)
    good = Image(encoding='bgr8', width=8, height=4, step=24, data=array('B', range(96)))
    assert np.array_equal(decoder.decode(good), fresh.decode(good))
